/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/memory-file.h"

#define GIB (1ull << 30)

static void
files_shorter_than_a_page_are_opaque(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 16, 64, 4095 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		counting_file(sizes[i]);
		open_file(NULL, 0);
		assert_string_equal(m.format, "raw");
		assert_int_equal(m.npages, 0);
		assert_int_equal(m.nsegments, sizes[i] > 0);
		assert_no_page_at(0);
		memory_close(&m);
	}
}

static void
a_raw_file_is_its_pages_and_an_opaque_rest(void **state)
{
	(void)state;
	counting_file(3 * 4096 + 100);
	open_file(NULL, 0);
	assert_string_equal(m.format, "raw");
	assert_int_equal(m.npages, 3);
	assert_int_equal(m.nsegments, 2);
	assert_segment(0, 0, 3 * 4096, 0);
	assert_int_equal(m.segments[1].len, 100);
	assert_page_at(0, 0, 0);
	assert_page_at(0x2fff, 2, 0x2000);
	assert_no_page_at(0x3000);
	assert_no_page_at(UINT64_MAX);
	memory_close(&m);
}

/* An ACPI root pointer, as a BIOS leaves it, to tables at this address. */
static void
write_rsdp(uint64_t at, uint32_t rsdt)
{
	uint8_t rsdp[20] = "RSD PTR _BOCHS ", sum = 0;

	memcpy(rsdp + 16, &rsdt, 4);
	rsdp[8] = 0;
	for (size_t i = 0; i < sizeof(rsdp); i++)
		sum = (uint8_t)(sum + rsdp[i]);
	rsdp[8] = (uint8_t)-sum;
	write_at(at, rsdp, sizeof(rsdp));
}

static void
raw_files_have_the_hole_of_the_pc_they_come_from(void **state)
{
	/* low 0: no hole */
	static const struct {
		uint64_t size, low;
		uint32_t rsdt;
	} cases[] = {
		{ 2 * GIB, 0, 0 },
		{ 0xaffff000, 0, 0 },
		{ 0xb0000000, 2 * GIB, 0 },
		{ 0xb0000000, 2 * GIB, 0x7ffe2000 },
		{ 0xb0000000, 0, 0xaffe2000 },
		{ 0xdffff000, 0, 0xdffe2000 },
		{ 0xe0000000, 3 * GIB, 0xbffe2000 },
		{ 0xe0000000, 2 * GIB, 0x7ffe2000 },
		{ 8 * GIB, 2 * GIB, 0 },
		{ 8 * GIB, 3 * GIB, 0xbffe2000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t size = cases[i].size, low = cases[i].low, n;

		empty_file(size);
		if (cases[i].rsdt > 0)
			write_rsdp(0xf5a10, cases[i].rsdt);
		open_file(NULL, 0);
		assert_int_equal(m.npages, size / PAGE_BYTES);
		assert_int_equal(m.nsegments, low > 0 ? 2 : 1);
		assert_segment(0, 0, low > 0 ? low : size, 0);
		if (low > 0) {
			assert_segment(1, low, size - low, 4 * GIB);
			assert_no_page_at(low);
			assert_true(memory_page_at(&m, 4 * GIB, &n));
			assert_int_equal(n, low / PAGE_BYTES);
		}
		memory_close(&m);
	}
}

static void
a_damaged_or_misplaced_root_pointer_does_not_count(void **state)
{
	(void)state;
	empty_file(8 * GIB);
	write_rsdp(0xf5a10, 0xbffe2000);
	write_at(0xf5a20, "x", 1);
	write_rsdp(0xf5b08, 0xbffe2000);
	write_rsdp(0x100000, 0xbffe2000);
	open_file(NULL, 0);
	assert_segment(0, 0, 2 * GIB, 0);
	memory_close(&m);
}

static void
regions_place_pages_in_any_order_at_any_offset(void **state)
{
	static const struct memory_region r[] = {
		{ 0x100000000, 0x5008, 0x2000 },
		{ 0x10000, 8, 0x3000 },
		{ 0x40000, 0x3008, 0x1000 },
	};

	(void)state;
	counting_file(0x8000);
	write_at(0, "\177ELF", 4); /* whatever it begins with */
	open_file(r, ARRAY_LEN(r));
	assert_string_equal(m.format, "raw");
	assert_int_equal(m.nsegments, 6);
	assert_int_equal(m.npages, 6);
	assert_segment(1, 8, 0x3000, 0x10000);
	assert_segment(2, 0x3008, 0x1000, 0x40000);
	assert_segment(4, 0x5008, 0x2000, 0x100000000);
	assert_page_at(0x12000, 2, 0x2008);
	assert_page_at(0x40fff, 3, 0x3008);
	assert_page_at(0x100001234, 5, 0x6008);
	assert_no_page_at(0);
	assert_no_page_at(0x13000);
	assert_no_page_at(0x41000);
	assert_no_page_at(0x100002000);
	memory_close(&m);
}

static void
regions_that_do_not_fit_are_the_callers_mistake(void **state)
{
	static const struct {
		struct memory_region r[2];
		const char *text;
	} cases[] = {
		{ { { 0, 0x3000, 0x2000 } }, "offset 0x3000" },
		{ { { 0, 0x4001, 0x1000 } }, "offset 0x4001" },
		{ { { 0, UINT64_MAX, 0x1000 } }, "offset 0xffffffffffffffff" },
		{ { { 0, 0, UINT64_MAX - 4095 } }, "do not fit" },
		{ { { 1, 0, 0x1000 } }, "not whole pages" },
		{ { { 0, 0, 0x1001 } }, "not whole pages" },
		{ { { -0x1000ull, 0, 0x2000 } }, "wraps around" },
		{ { { 0, 0, 0x2000 }, { 0, 0x1000, 0x1000 } }, "overlap" },
	};

	(void)state;
	counting_file(0x4000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		open_fails(cases[i].r, 2, ERR_USAGE, cases[i].text);
}

static void
region_texts_are_parsed_exactly(void **state)
{
	static const struct {
		const char *text;
		struct memory_region want;
	} good[] = {
		{ "0:0:4096", { 0, 0, 4096 } },
		{ "0x100000000:3G:1G", { 4 * GIB, 3 * GIB, GIB } },
		{ "4G:0xC0000000:0x10K", { 4 * GIB, 3 * GIB, 0x4000 } },
		{ "010:1K:2M", { 10, 1024, 2 << 20 } },
		{ "0xffffffffffffffff:0:18446744073709551615",
		  { UINT64_MAX, 0, UINT64_MAX } },
	};
	static const char *const bad[] = {
		"",
		"0",
		"0:0",
		"0:0:",
		"::",
		"0:0:1:",
		"0:0:1:2",
		"-1:0:1",
		" 0:0:1",
		"0:+0:1",
		"0:0:1 ",
		"0x:0:1",
		"0:0:1k",
		"0:0:1KK",
		"0:0:K",
		"0xfg:0:1",
		"1f:0:1",
		"18446744073709551616:0:1",
		"0:0:17179869184G",
		"0x10000000000000000:0:1",
	};
	struct memory_region r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(memory_region_parse(good[i].text, &r, &e), &e);
		assert_int_equal(r.gpa, good[i].want.gpa);
		assert_int_equal(r.offset, good[i].want.offset);
		assert_int_equal(r.len, good[i].want.len);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (memory_region_parse(bad[i], &r, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.code, ERR_USAGE);
	}
}

static void
known_formats_that_are_not_read_are_named(void **state)
{
	static const struct {
		const char *text, *magic;
	} cases[] = {
		{ "an incomplete libvirt save", "LibvirtQemudPart" },
		{ "a 32-bit Windows crash dump", "PAGEDUMP" },
		{ "a qcow2 disk image", "QFI\xfb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory_region whole = { 0, 0, 0x2000 };

		empty_file(0x2000);
		write_at(0, cases[i].magic, strlen(cases[i].magic));
		open_fails(NULL, 0, ERR_USAGE, cases[i].text);
		open_file(&whole, 1);
		memory_close(&m);
	}
	empty_file(0x2000);
	write_at(0, "KDUMP", 5); /* but not this */
	open_file(NULL, 0);
	memory_close(&m);
}

static void
what_cannot_be_opened_is_named(void **state)
{
	(void)state;
	assert_err(memory_open(&m, "/nonexistent", NULL, 0, &e), &e,
		   ERR_SYSTEM);
	assert_non_null(strstr(e.text, "/nonexistent"));
	assert_err(memory_open(&m, "/", NULL, 0, &e), &e, ERR_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_shorter_than_a_page_are_opaque),
		cmocka_unit_test(a_raw_file_is_its_pages_and_an_opaque_rest),
		cmocka_unit_test(
			raw_files_have_the_hole_of_the_pc_they_come_from),
		cmocka_unit_test(
			a_damaged_or_misplaced_root_pointer_does_not_count),
		cmocka_unit_test(
			regions_place_pages_in_any_order_at_any_offset),
		cmocka_unit_test(
			regions_that_do_not_fit_are_the_callers_mistake),
		cmocka_unit_test(region_texts_are_parsed_exactly),
		cmocka_unit_test(known_formats_that_are_not_read_are_named),
		cmocka_unit_test(what_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
