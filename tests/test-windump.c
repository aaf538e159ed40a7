/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/make-windump.h"
#include "tests/memory-file.h"

static const struct windump_run runs[] = {
	{ 1, 3 },
	{ 0x100, 2 },
	{ 0x102, 1 }, /* touches the last */
	{ 0x1234, 1 },
};

/* Makes the file a dump of these runs; each page begins with its offset. */
static void
dump_file(enum windump_type type, const struct windump_run *r, size_t n)
{
	size_t len = windump_head_bytes(type, r, n);
	auto_free uint8_t *head = malloc(len);
	uint64_t npages = 0;

	for (size_t i = 0; i < n; i++)
		npages += r[i].npages;
	assert_non_null(head);
	make_windump(head, type, r, n);
	empty_file(len + npages * PAGE_BYTES);
	write_at(0, head, len);
	for (uint64_t at = len; npages-- > 0; at += PAGE_BYTES)
		write_at(at, &at, sizeof(at));
}

static void
put_u32(uint64_t at, uint32_t v)
{
	write_at(at, &v, sizeof(v));
}

static void
put_u64(uint64_t at, uint64_t v)
{
	write_at(at, &v, sizeof(v));
}

static void
check_pages(uint64_t first)
{
	uint64_t n = 0;

	assert_int_equal(m.npages, 7);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		for (uint64_t k = 0; k < runs[i].npages; k++, n++)
			assert_page_at((runs[i].first + k) << PAGE_SHIFT, n,
				       first + n * PAGE_BYTES);
	assert_no_page_at(0);
	assert_no_page_at(0x4000);
	assert_no_page_at(0x1235000);
}

static void
every_kind_of_dump_has_its_pages_where_it_says(void **state)
{
	static const struct {
		enum windump_type type;
		const char *format;
	} cases[] = {
		{ WINDUMP_FULL, "windump" },
		{ WINDUMP_BITMAP, "windump" },
		{ WINDUMP_ACTIVE, "windump, active memory only" },
		{ WINDUMP_KERNEL, "windump, kernel memory only" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		dump_file(cases[i].type, runs, ARRAY_LEN(runs));
		open_file(NULL, 0);
		assert_string_equal(m.format, cases[i].format);
		check_pages(windump_head_bytes(cases[i].type, runs,
					       ARRAY_LEN(runs)));
		memory_close(&m);
	}
	dump_file(WINDUMP_BITMAP, runs, ARRAY_LEN(runs));
	write_at(0x2000, "FDMP", 4);
	open_file(NULL, 0);
	check_pages(0x3000);
	memory_close(&m);
}

static void
what_follows_the_pages_is_opaque(void **state)
{
	(void)state;
	dump_file(WINDUMP_FULL, runs, ARRAY_LEN(runs));
	write_at(0x9000, "tail", 4);
	open_file(NULL, 0);
	check_pages(0x2000);
	assert_int_equal(m.segments[m.nsegments - 1].len, 4);
	memory_close(&m);
}

static void
dumps_without_pages_hold_none(void **state)
{
	static const enum windump_type types[] = { WINDUMP_FULL,
						   WINDUMP_BITMAP };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		dump_file(types[i], NULL, 0);
		open_file(NULL, 0);
		assert_int_equal(m.npages, 0);
		memory_close(&m);
	}
}

static void
a_dump_cut_short_is_refused(void **state)
{
	static const enum windump_type types[] = { WINDUMP_FULL,
						   WINDUMP_BITMAP };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		dump_file(types[i], runs, ARRAY_LEN(runs));
		for (uint64_t size = types[i] == WINDUMP_FULL ? 0x8fff : 0x9fff;
		     size >= 8; size -= size > 0x200 ? 0x101 : 1) {
			assert_int_equal(ftruncate(fd, (off_t)size), 0);
			open_fails(NULL, 0, ERR_CORRUPT, "offset 0x");
		}
	}
}

static void
runs_that_lie_are_refused(void **state)
{
	static const struct {
		uint64_t at, value;
		const char *text;
	} cases[] = {
		{ 0x88, 44, "44 runs of pages at offset 0x88" },
		{ 0x88, UINT32_MAX, "4294967295 runs" },
		{ 0x88, 3, "7 pages at offset 0x90, but 0x6" },
		{ 0x90, 8, "8 pages at offset 0x90" },
		{ 0xa0, UINT64_MAX, "the run at offset 0x98" },
		{ 0xa0, 4, "but 0x8 in the runs" },
		{ 0xa8, UINT64_MAX, "the run at offset 0xa8" },
		{ 0xa8, UINT64_MAX >> 12, "wraps around" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		dump_file(WINDUMP_FULL, runs, ARRAY_LEN(runs));
		if (cases[i].at == 0x88)
			put_u32(cases[i].at, (uint32_t)cases[i].value);
		else
			put_u64(cases[i].at, cases[i].value);
		open_fails(NULL, 0, ERR_CORRUPT, cases[i].text);
	}
}

static void
bitmaps_that_lie_are_refused(void **state)
{
	static const struct {
		uint64_t at, value;
		const char *text;
	} cases[] = {
		{ 0x2000, 0, "no SDMP or FDMP header at offset 0x2000" },
		{ 0x2020, 0x2038, "offset 0x2038 does not fit" },
		{ 0x2020, UINT64_MAX, "offset 0x2038 does not fit" },
		{ 0x2020, 0x3001, "file room for 0x6" },
		{ 0x2028, 8, "8 pages at offset 0x2028" },
		{ 0x2030, UINT64_MAX, "0xffffffffffffffff bits" },
		{ 0x2030, 0x1234, "the bitmap has 0x6" },
		{ 0x2038, 0xff, "the bitmap has 0xc" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		dump_file(WINDUMP_ACTIVE, runs, ARRAY_LEN(runs));
		put_u64(cases[i].at, cases[i].value);
		open_fails(NULL, 0, ERR_CORRUPT, cases[i].text);
	}
}

static void
other_dumps_are_named_and_not_taken_as_raw(void **state)
{
	(void)state;
	dump_file(WINDUMP_FULL, runs, ARRAY_LEN(runs));
	put_u32(0x30, 0xaa64);
	open_fails(NULL, 0, ERR_USAGE, "machine type 0xaa64");
	dump_file(WINDUMP_FULL, runs, ARRAY_LEN(runs));
	put_u32(WINDUMP_TYPE_AT, WINDUMP_TRIAGE);
	open_fails(NULL, 0, ERR_USAGE, "of type 4 (offset 0xf98)");
	write_at(0, "PAGEDUMP", 8);
	open_fails(NULL, 0, ERR_USAGE, "32-bit Windows crash dump");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_kind_of_dump_has_its_pages_where_it_says),
		cmocka_unit_test(what_follows_the_pages_is_opaque),
		cmocka_unit_test(dumps_without_pages_hold_none),
		cmocka_unit_test(a_dump_cut_short_is_refused),
		cmocka_unit_test(runs_that_lie_are_refused),
		cmocka_unit_test(bitmaps_that_lie_are_refused),
		cmocka_unit_test(other_dumps_are_named_and_not_taken_as_raw),
	};

	return cmocka_run_group_tests_name("windump", tests, setup, teardown);
}
