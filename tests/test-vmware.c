/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tests/make-dump.h"
#include "tests/memory-file.h"

#include "memory/vmware.h"

/* State files made here: nobody has run these on files of VMware's own. */
static char dir[] = "/tmp/test-vmware-XXXXXX", vmss[64], vmem[64];

static void
put(const char *name, const void *bytes, size_t n, uint64_t size)
{
	auto_fd int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, n), n);
	assert_int_equal(ftruncate(file, (off_t)size), 0);
}

static void
put_both(uint32_t magic, bool split)
{
	uint8_t state[1024], pages[5 * 4096];
	size_t n = make_vmware(state, magic, split);

	for (unsigned i = 0; i < 5; i++)
		memset(pages + 4096ul * i, (int)i + 1, 4096);
	put(vmss, state, n, n);
	put(vmem, pages, sizeof(pages), sizeof(pages));
}

static void
assert_filled(uint64_t gpa, uint8_t fill)
{
	uint64_t n;

	assert_true(memory_page_at(&m, gpa, &n));
	assert_int_equal(memory_page(&m, n)[0], fill);
}

static void
the_memory_beside_a_state_file_is_laid_out_by_it(void **state)
{
	static const uint32_t magics[] = { 0xbed2bed0, 0xbad1bad1, 0xbad2bad2,
					   0xbed2bed2, 0xbed3bed3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		put_both(magics[i], true);
		assert_ok(memory_open(&m, vmss, NULL, 0, &e), &e);
		check_tiles();
		assert_string_equal(m.format, "vmware");
		assert_segment(0, 0, 3 * 4096, 0);
		assert_segment(1, 3 * 4096, 2 * 4096, 1ull << 32);
		assert_filled(0x2000, 3);
		assert_filled((1ull << 32) + 0x1000, 5);
		memory_close(&m);
	}
	put_both(0xbed2bed2, false);
	assert_ok(memory_open(&m, vmss, NULL, 0, &e), &e);
	assert_segment(0, 0, 5 * 4096, 0);
	memory_close(&m);
}

static void
sent_as_a_file_it_is_what_it_is(void **state)
{
	struct stat st;

	(void)state;
	put_both(0xbed2bed2, true);
	assert_ok(memory_open_file(&m, vmss, NULL, 0, &e), &e);
	assert_string_equal(m.format, "raw");
	assert_int_equal(stat(vmss, &st), 0);
	assert_int_equal(m.map.len, st.st_size);
	memory_close(&m);
}

static void
fails(enum err_code code, const char *text)
{
	assert_err(memory_open(&m, vmss, NULL, 0, &e), &e, code);
	if (!strstr(e.text, text))
		fail_msg("'%s' does not say '%s'", e.text, text);
}

static void
state_files_that_lie_are_refused(void **state)
{
	uint8_t bytes[1024];
	size_t n = make_vmware(bytes, 0xbed2bed2, true);

	(void)state;
	put_both(0xbed2bed2, true);
	for (size_t cut = 4; cut < n; cut++) {
		put(vmss, bytes, cut, cut);
		fails(ERR_CORRUPT, "a VMware state file");
	}
	make_number(bytes + n - 2, "regionsCount", 0, 0, 33);
	put(vmss, bytes, n + 20, n + 20);
	fails(ERR_USAGE, "33 regions of memory; not supported");
	put_both(0xbed2bed2, true);
	assert_int_equal(truncate(vmem, 4 * 4096), 0);
	fails(ERR_CORRUPT, "do not fit");
	assert_int_equal(unlink(vmem), 0);
	fails(ERR_SYSTEM, "its memory: /tmp/");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_memory_beside_a_state_file_is_laid_out_by_it),
		cmocka_unit_test(sent_as_a_file_it_is_what_it_is),
		cmocka_unit_test(state_files_that_lie_are_refused),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(vmss, sizeof(vmss), "%s/vm.1.vmss", dir);
	snprintf(vmem, sizeof(vmem), "%s/vm.1.vmem", dir);
	failed = cmocka_run_group_tests_name("vmware", tests, NULL, NULL);
	unlink(vmss);
	unlink(vmem);
	rmdir(dir);
	return failed;
}
