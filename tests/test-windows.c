/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>

#include "tests/made-windows.h"
#include "tests/memory-file.h"

#include "classify/guest.h"
#include "common/clock.h"
#include "memory/physical.h"

/* SYNTHETIC guests only: see made-windows.h. */
#define MIB (UINT64_C(1) << 20)

static const unsigned builds[] = {
	7601, 9600, 10240, 14393, 17763, 19041, 26100
};

static struct made_windows made;
static struct guest g;
static struct physical p;

static struct pe pes[8];
static size_t npes;

static void
make(unsigned build, uint64_t bytes, uint64_t seed)
{
	struct made_config c = { .build = build,
				 .bytes = bytes,
				 .seed = seed,
				 .pes = pes,
				 .npes = npes };

	made_windows_init(&made, &c);
}

static void
open_guest(enum made_container c)
{
	empty_file(0);
	assert_true(made_windows_write(&made, c, fd));
	assert_ok(memory_open(&m, path, NULL, 0, &e), &e);
	p = physical_of(&m);
	assert_ok(guest_open(&g, &p, &e), &e);
}

static void
close_guest(void)
{
	guest_close(&g);
	memory_close(&m);
}

static bool
file_is(const struct page_info *got, const struct made_truth *want)
{
	const struct made_file *f;

	if (want->file == 0 || got->file == 0)
		return want->file == got->file;
	f = &made.files[want->file - 1];
	return g.files[got->file].base == f->base &&
	       strcmp(g.files[got->file].name ? g.files[got->file].name : "",
		      f->name) == 0 &&
	       got->index == want->index;
}

/* How many pages are not what they truly are; says the first. */
static uint64_t
count_wrong(void)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < m.nruns; i++)
		for (uint64_t k = 0; k < m.by_gpa[i].npages; k++) {
			uint64_t n = (m.by_gpa[i].gpa >> PAGE_SHIFT) + k;
			const struct page_info *got =
				&g.pages[m.by_gpa[i].first_page + k];
			const struct made_truth *want = &made.truth[n];

			if (got->class == want->class &&
			    got->flags == want->flags &&
			    got->priority == want->priority &&
			    file_is(got, want))
				continue;
			if (wrong++ < 5)
				print_message(
					"# page 0x%" PRIx64 " is %s flags %x "
					"file %u index %u, not %s %x %u %u\n",
					n, class_name(got->class), got->flags,
					got->file, got->index,
					class_name(want->class), want->flags,
					want->file, want->index);
		}
	return wrong;
}

static void
check_guest(void)
{
	assert_int_equal(g.os, GUEST_WINDOWS);
	for (size_t i = 0; i < g.nchecks; i++)
		if (!g.checks[i].passed)
			print_message("# failed: %s\n", g.checks[i].what);
	assert_int_equal(count_wrong(), 0);
	assert_true(guest_is_sound(&g));
}

static void
every_page_of_every_build_in_every_file_is_what_it_is(void **state)
{
	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(builds); b++) {
		make(builds[b], 64 * MIB, b);
		for (unsigned c = 0; c < MADE__MAX; c++) {
			print_message("# SYNTHETIC %u in %s, %zu files\n",
				      builds[b], made_container_name(c),
				      made.nfiles);
			open_guest(c);
			check_guest();
			close_guest();
		}
		made_windows_fini(&made);
	}
}

/* What the above would not notice if the guests had none. */
static void
the_guests_have_pages_of_every_class(void **state)
{
	static const enum page_class all[] = {
		CLASS_UNKNOWN, CLASS_FREE,    CLASS_ZEROED, CLASS_FILE,
		CLASS_IMAGE,   CLASS_STANDBY, CLASS_ANON,   CLASS_SHMEM,
		CLASS_TABLE,   CLASS_KERNEL,
	};
	uint64_t count[CLASS__MAX] = { 0 }, dirty = 0, mapped = 0, dropped = 0;

	(void)state;
	make(19041, 48 * MIB, 3);
	open_guest(MADE_RAW);
	for (uint64_t n = 0; n < m.npages; n++) {
		count[g.pages[n].class]++;
		dirty += g.pages[n].flags & PAGE_DIRTY;
		mapped += (g.pages[n].flags & PAGE_MAPPED) != 0;
		dropped += guest_drops(&g, n);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		print_message("# %" PRIu64 " %s\n", count[all[i]],
			      class_name(all[i]));
		assert_true(count[all[i]] > 20);
	}
	assert_true(dirty > 5 && mapped > 100);
	assert_int_equal(dropped, count[CLASS_FREE]);
	assert_string_equal(g.release, "10.0.19041");
	close_guest();
	made_windows_fini(&made);
}

static void
small_guests_are_read_too(void **state)
{
	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(builds); b++) {
		make(builds[b], 8 * MIB, 2 * b);
		open_guest(MADE_RAW);
		check_guest();
		close_guest();
		made_windows_fini(&made);
	}
}

static void
without_the_self_map_or_the_version_there_is_no_guest(void **state)
{
	static const uint8_t zeros[PAGE_BYTES];

	(void)state;
	make(19041, 48 * MIB, 4);
	for (uint64_t n = 0; n < made.high; n++) /* every top table */
		for (uint64_t i = 0;
		     made.truth[n].class == CLASS_TABLE && i < PAGE_WORDS; i++)
			if (page_word(made_page(&made, n), (unsigned)i) >>
				    PAGE_SHIFT ==
			    n)
				memset(made_page(&made, n) + 8 * i, 0, 8);
	open_guest(MADE_RAW);
	assert_int_equal(g.os, GUEST_NONE);
	close_guest();
	made_windows_fini(&made);

	make(7601, 48 * MIB, 4);
	for (uint64_t n = 0; n < made.high; n++)
		if (memcmp(made_page(&made, n) + 0x30, "C\0:\0\\", 6) == 0)
			memcpy(made_page(&made, n), zeros, PAGE_BYTES);
	open_guest(MADE_RAW);
	assert_int_equal(g.os, GUEST_NONE);
	close_guest();
	made_windows_fini(&made);
}

static void
a_guest_read_again_is_the_same(void **state)
{
	(void)state;
	make(17763, 48 * MIB, 5);
	open_guest(MADE_FULL);
	assert_ok(guest_refresh(&g, &e), &e);
	check_guest();
	close_guest();
	made_windows_fini(&made);
}

/* 4 GiB in 2 s; without VIRT_MIG_GUEST_TESTS a sixteenth of that, for which
 * even a build with sanitizers has as long.
 */
static void
reading_the_tables_takes_no_time(void **state)
{
	uint64_t part = getenv("VIRT_MIG_GUEST_TESTS") ? 1 : 16, start;

	(void)state;
	make(19041, 4096 * MIB / part, 7);
	empty_file(0);
	assert_true(made_windows_write(&made, MADE_BITMAP, fd));
	assert_ok(memory_open(&m, path, NULL, 0, &e), &e);
	p = physical_of(&m);
	start = clock_cpu_ns();
	assert_ok(guest_open(&g, &p, &e), &e);
	start = clock_cpu_ns() - start;
	print_message("# %" PRIu64 " MiB in %" PRIu64 " ms\n", 4096 / part,
		      start / 1000000);
	assert_true(start < 2000000000);
	check_guest();
	close_guest();
	made_windows_fini(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_page_of_every_build_in_every_file_is_what_it_is),
		cmocka_unit_test(the_guests_have_pages_of_every_class),
		cmocka_unit_test(small_guests_are_read_too),
		cmocka_unit_test(
			without_the_self_map_or_the_version_there_is_no_guest),
		cmocka_unit_test(a_guest_read_again_is_the_same),
		cmocka_unit_test(reading_the_tables_takes_no_time),
	};
	int failed;

	npes = pe_read_installed(pes, ARRAY_LEN(pes));
	failed = cmocka_run_group_tests_name("windows", tests, setup, teardown);
	while (npes > 0)
		pe_free(&pes[--npes]);
	return failed;
}
