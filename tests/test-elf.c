/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/make-elf.h"
#include "tests/memory-file.h"

/* Makes the file an ELF core of these regions. */
static void
elf_file(const struct memory_region *r, size_t n)
{
	uint8_t head[4096];
	size_t len = make_elf(head, r, n);

	write_at(0, head, len);
}

static void
a_core_has_its_pages_where_it_says(void **state)
{
	/* as QEMU writes them: unaligned offsets; headers in any order; a
	 * piece that is not whole pages
	 */
	static const struct memory_region r[] = {
		{ 0x100000000, 0x5524, 0x2000 },
		{ 0, 0x1524, 0x3000 },
		{ 0xfffc0000, 0x8000, 0x1800 },
		{ 0x20000000, 0, 0 },
	};

	(void)state;
	counting_file(0xa000);
	elf_file(r, ARRAY_LEN(r));
	open_file(NULL, 0);
	assert_string_equal(m.format, "elf");
	assert_int_equal(m.nsegments, 7);
	assert_segment(1, 0x1524, 0x3000, 0);
	assert_segment(3, 0x5524, 0x2000, 0x100000000);
	assert_segment(5, 0x8000, 0x1000, 0xfffc0000);
	assert_int_equal(m.segments[6].len, 0x1000);
	assert_int_equal(m.npages, 6);
	assert_int_equal(memory_page(&m, 3) - m.map.data, 0x5524);
	assert_page_at(0xfffc0fff, 5, 0x8000);
	assert_no_page_at(0xfffc1000);
	assert_no_page_at(0x20000000);
	memory_close(&m);
}

static void
bytes_before_a_page_boundary_of_the_guest_are_opaque(void **state)
{
	static const struct memory_region r[] = {
		{ 0x10ff8, 0x1000, 0x1010 },
		{ 0x20001, 0x3000, 0x1000 },
	};

	(void)state;
	counting_file(0x5000);
	elf_file(r, ARRAY_LEN(r));
	open_file(NULL, 0);
	assert_int_equal(m.nsegments, 3);
	assert_segment(1, 0x1008, 0x1000, 0x11000);
	assert_page_at(0x11000, 0, 0x1008);
	assert_no_page_at(0x10ff8);
	memory_close(&m);
}

static void
loads_that_agree_are_one_and_those_that_do_not_are_refused(void **state)
{
	/* --paging maps the same memory at several virtual addresses */
	static const struct memory_region agree[] = {
		{ 0x3000, 0x4000, 0x2000 }, { 0x1000, 0x2000, 0x3000 },
		{ 0x1000, 0x2000, 0x1000 }, { 0x5000, 0x6000, 0x0800 },
		{ 0x5800, 0x6800, 0x0800 },
	};
	static const struct memory_region differ[] = {
		{ 0x1000, 0x2000, 0x3000 },
		{ 0x4000, 0x4fff, 0x1000 },
	};

	(void)state;
	counting_file(0x8000);
	elf_file(agree, ARRAY_LEN(agree));
	open_file(NULL, 0);
	assert_int_equal(m.nsegments, 3);
	assert_segment(1, 0x2000, 0x5000, 0x1000);
	memory_close(&m);
	elf_file(differ, ARRAY_LEN(differ));
	open_fails(NULL, 0, ERR_CORRUPT, "offset 0x2000 and 0x4fff overlap");
}

static void
a_page_that_is_there_twice_is_found_once(void **state)
{
	static const struct memory_region r[] = {
		{ 0x2000, 0x1000, 0x2000 }, /* inside the next */
		{ 0x1000, 0x4000, 0x4000 },
		{ 0x4000, 0x9000, 0x3000 }, /* and beyond it */
	};

	(void)state;
	counting_file(0xc000);
	elf_file(r, ARRAY_LEN(r));
	open_file(NULL, 0);
	assert_int_equal(m.npages, 9);
	assert_no_page_at(0);
	for (uint64_t i = 0; i < 4; i++)
		assert_page_at(0x1000 + (i << 12), 2 + i, 0x4000 + (i << 12));
	assert_page_at(0x5000, 7, 0xa000);
	assert_page_at(0x6000, 8, 0xb000);
	assert_no_page_at(0x7000);
	memory_close(&m);
}

static void
more_headers_than_the_field_holds_are_counted_elsewhere(void **state)
{
	enum {
		N = 70000
	};
	Elf64_Ehdr h = make_elf_header(PN_XNUM);
	Elf64_Shdr first = { .sh_info = N };
	uint64_t data = sizeof(h) + sizeof(first) + N * sizeof(Elf64_Phdr);
	auto_free Elf64_Phdr *p = calloc(N, sizeof(*p));

	(void)state;
	h.e_shoff = sizeof(h);
	h.e_shnum = 1;
	h.e_phoff = sizeof(h) + sizeof(first);
	for (uint64_t i = 0; i < N; i++) /* every other page of the guest */
		p[i] = make_elf_load((struct memory_region){
			.gpa = i * 0x2000,
			.offset = data + i * 8,
			.len = i % 512 == 0 ? 4096 : 0 });
	empty_file(data + N * 8 + 4096);
	write_at(0, &h, sizeof(h));
	write_at(sizeof(h), &first, sizeof(first));
	write_at(h.e_phoff, p, N * sizeof(*p));
	open_file(NULL, 0);
	assert_int_equal(m.npages, (N + 511) / 512);
	for (uint64_t n = 0; n < m.npages; n++) {
		uint64_t got;

		assert_true(memory_page_at(&m, n * 512 * 0x2000, &got));
		assert_int_equal(got, n);
		assert_no_page_at(n * 512 * 0x2000 + 0x1000);
	}
	memory_close(&m);

	h.e_shoff = UINT64_MAX;
	write_at(0, &h, sizeof(h));
	open_fails(NULL, 0, ERR_CORRUPT, "offset 0xffffffffffffffff");
	h.e_shoff = sizeof(h);
	first.sh_info = UINT32_MAX;
	write_at(0, &h, sizeof(h));
	write_at(sizeof(h), &first, sizeof(first));
	open_fails(NULL, 0, ERR_CORRUPT, "4294967295 program headers");
}

static void
a_core_cut_short_is_refused(void **state)
{
	static const struct memory_region r[] = { { 0, 0x1000, 0x3000 } };

	(void)state;
	counting_file(0x4000);
	elf_file(r, ARRAY_LEN(r));
	open_file(NULL, 0);
	memory_close(&m);
	for (uint64_t size = 0x3fff; size >= 4;
	     size -= size > 0x200 ? 0x101 : 1) {
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		open_fails(NULL, 0, ERR_CORRUPT, "offset 0x");
	}
}

static void
headers_that_lie_are_refused(void **state)
{
	static const struct {
		struct memory_region r;
		const char *text;
	} cases[] = {
		{ { 0, 0x1000, 0x3001 }, "offset 0x1000" },
		{ { 0, 0x4001, 1 }, "offset 0x4001" },
		{ { 0, UINT64_MAX, 0x1000 }, "offset 0xffffffffffffffff" },
		{ { 0, 0x1000, UINT64_MAX }, "offset 0x1000" },
		{ { UINT64_MAX, 0x1000, 0x1000 }, "wraps around" },
	};
	Elf64_Ehdr h = make_elf_header(1);

	(void)state;
	counting_file(0x4000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		elf_file(&cases[i].r, 1);
		open_fails(NULL, 0, ERR_CORRUPT, cases[i].text);
	}
	h.e_phoff = UINT64_MAX - 8;
	write_at(0, &h, sizeof(h));
	open_fails(NULL, 0, ERR_CORRUPT, "offset 0xfffffffffffffff7");
	h.e_phoff = sizeof(h);
	h.e_phentsize = 32;
	write_at(0, &h, sizeof(h));
	open_fails(NULL, 0, ERR_CORRUPT, "of 32 bytes at offset 0x40");
}

static void
elf_files_that_are_no_x86_core_are_not_taken_as_raw(void **state)
{
	Elf64_Ehdr h[5];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		h[i] = make_elf_header(0);
	h[0].e_type = ET_EXEC;
	h[1].e_machine = EM_AARCH64;
	h[2].e_ident[EI_CLASS] = ELFCLASS32;
	h[3].e_ident[EI_DATA] = ELFDATA2MSB;
	h[4].e_machine = EM_386; /* how a guest not in 64-bit mode is dumped */
	empty_file(0x4000);
	for (size_t i = 0; i < 4; i++) {
		write_at(0, &h[i], sizeof(h[i]));
		open_fails(NULL, 0, ERR_USAGE, "not supported");
	}
	write_at(0, &h[4], sizeof(h[4]));
	open_file(NULL, 0);
	assert_int_equal(m.npages, 0);
	memory_close(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_core_has_its_pages_where_it_says),
		cmocka_unit_test(
			bytes_before_a_page_boundary_of_the_guest_are_opaque),
		cmocka_unit_test(
			loads_that_agree_are_one_and_those_that_do_not_are_refused),
		cmocka_unit_test(a_page_that_is_there_twice_is_found_once),
		cmocka_unit_test(
			more_headers_than_the_field_holds_are_counted_elsewhere),
		cmocka_unit_test(a_core_cut_short_is_refused),
		cmocka_unit_test(headers_that_lie_are_refused),
		cmocka_unit_test(
			elf_files_that_are_no_x86_core_are_not_taken_as_raw),
	};

	return cmocka_run_group_tests_name("elf", tests, setup, teardown);
}
