/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/page.h"
#include "memory/shadow.h"
#include "tests/test.h"

static struct shadow s;
static struct err e;

static int
memory_file(void)
{
	int fd = memfd_create("shadow", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void
put(uint64_t n, int c)
{
	uint8_t page[PAGE_BYTES];

	memset(page, c, sizeof(page));
	assert_ok(shadow_put(&s, n, c ? page : NULL, &e), &e);
}

static void
assert_page_is(uint64_t n, int c)
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(memory_page(&s.memory, n)[i], c);
}

/* In memory or in a file; and what is kept at the end is the file. */
static void
it_is_zero_and_becomes_what_is_put(void **state)
{
	uint8_t page[PAGE_BYTES];
	struct stat st;

	(void)state;
	for (unsigned in_file = 0; in_file < 2; in_file++) {
		int fd = memory_file(), copy = dup(fd);

		assert_ok(shadow_open(&s, fd, 5, in_file ? 0 : 1 << 20, &e),
			  &e);
		assert_int_equal(s.in_file, in_file);
		assert_int_equal(s.memory.npages, 5);
		for (unsigned n = 0; n < 5; n++)
			assert_page_is(n, 0);
		put(3, 7);
		put(4, 8);
		put(4, 9);
		put(1, 5);
		put(1, 0);
		assert_page_is(0, 0);
		assert_page_is(1, 0);
		assert_page_is(3, 7);
		assert_page_is(4, 9);
		assert_ok(shadow_save(&s, &e), &e);
		shadow_close(&s);
		assert_null(s.data);
		assert_int_equal(fstat(copy, &st), 0);
		assert_int_equal(st.st_size, 5 * PAGE_BYTES);
		for (unsigned n = 0; n < 5; n++) {
			assert_int_equal(
				pread(copy, page, PAGE_BYTES, n * PAGE_BYTES),
				PAGE_BYTES);
			assert_int_equal(page[PAGE_BYTES - 1], n == 3   ? 7
							       : n == 4 ? 9
									: 0);
		}
		close(copy);
	}
}

static void
all_of_its_room_in_a_file_is_taken_at_once(void **state)
{
	int fd = memory_file(), copy = dup(fd);
	struct stat st;

	(void)state;
	assert_ok(shadow_open(&s, fd, 100, 0, &e), &e);
	assert_int_equal(fstat(copy, &st), 0);
	assert_true(st.st_blocks * 512 >= 100 * PAGE_BYTES);
	shadow_close(&s);
	close(copy);
}

static void
some_room_is_found_here(void **state)
{
	(void)state;
	assert_true(shadow_room() > 0);
}

/* The file is the shadow's, even then. */
static void
where_there_is_no_room_it_says_so(void **state)
{
	const struct rlimit least = { PAGE_BYTES, RLIM_INFINITY };
	struct rlimit most;
	int fd = memory_file();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &most), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &least), 0);
	assert_err(shadow_open(&s, fd, 2, 0, &e), &e, ERR_SYSTEM);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
	assert_null(s.data);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void
a_file_that_cannot_be_written_is_none(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_err(shadow_open(&s, fd, 1, 0, &e), &e, ERR_SYSTEM);
	assert_null(s.data);
}

static void
a_guest_may_have_no_page(void **state)
{
	(void)state;
	assert_ok(shadow_open(&s, memory_file(), 0, 0, &e), &e);
	assert_int_equal(s.memory.npages, 0);
	shadow_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_zero_and_becomes_what_is_put),
		cmocka_unit_test(all_of_its_room_in_a_file_is_taken_at_once),
		cmocka_unit_test(some_room_is_found_here),
		cmocka_unit_test(where_there_is_no_room_it_says_so),
		cmocka_unit_test(a_file_that_cannot_be_written_is_none),
		cmocka_unit_test(a_guest_may_have_no_page),
	};

	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
