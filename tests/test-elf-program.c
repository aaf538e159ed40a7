/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "tests/make-program.h"
#include "tests/test.h"

#include "dedup/elf-program.h"

#define BASE UINT64_C(0x7f0000000000)

static uint8_t file[PROGRAM_FILE], out[4 * PAGE_BYTES];
static unsigned npages;

static bool
read_file(void *arg, uint64_t offset, void *to, size_t n)
{
	(void)arg;
	if (offset > sizeof(file) || n > sizeof(file) - offset)
		return false;
	memcpy(to, file + offset, n);
	return true;
}

static int
take_page(void *arg, const uint8_t page[4096], struct err *e)
{
	(void)arg;
	if (npages == 4)
		return err_set(e, ERR_LIMIT, "too many pages");
	memcpy(out + npages++ * PAGE_BYTES, page, PAGE_BYTES);
	return 0;
}

static const struct elf_program program = { read_file, take_page, NULL };

static void
its_own_addresses_are_filled_in(void **state)
{
	uint8_t want[PAGE_BYTES];
	const struct {
		unsigned at;
		uint64_t value;
		bool add;
	} words[] = {
		{ 0x20, BASE + 0x777, false }, { 0x28, BASE + 0x123c, false },
		{ 0x100, BASE, true },         { 0x108, BASE, true },
		{ 0x118, BASE, true },
	};
	struct err e;

	(void)state;
	program_make(file);
	npages = 0;
	assert_ok(elf_program_pages(file, &program, &e), &e);
	assert_int_equal(npages, 1); /* the other is a block of the disk */
	memcpy(want, file + PAGE_BYTES, PAGE_BYTES);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t old = page_word(want, words[i].at / 8);

		old = words[i].add ? old + words[i].value : words[i].value;
		memcpy(want + words[i].at, &old, 8);
	}
	assert_memory_equal(out, want, PAGE_BYTES);
}

/* Behind the end of the file's part there are zeros. */
static void
the_last_page_is_filled_up(void **state)
{
	struct err e;

	(void)state;
	program_make(file);
	program_rela(file, 0, 0x6e00, 0, R_X86_64_RELATIVE, 1);
	npages = 0;
	assert_ok(elf_program_pages(file, &program, &e), &e);
	assert_int_equal(npages, 2);
	assert_int_equal(page_word(out + PAGE_BYTES, 0xe00 / 8), BASE + 1);
	for (unsigned i = 0xf00; i < PAGE_BYTES; i++)
		assert_int_equal(out[PAGE_BYTES + i], 0);
}

static void
nonsense_is_passed_over(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < 0x200; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			program_make(file);
			file[i] ^= (uint8_t)(1u << bit);
			npages = 0;
			assert_ok(elf_program_pages(file, &program, &e), &e);
		}
	program_make(file);
	program_rela(file, 0, UINT64_MAX - 3, UINT32_MAX, R_X86_64_64, -1);
	program_rela(file, 2, UINT64_MAX - 3, 0, R_X86_64_RELATIVE, 0);
	program_rela(file, 1, 0x6ffc, 0, R_X86_64_RELATIVE, 0);
	npages = 0;
	assert_ok(elf_program_pages(file, &program, &e), &e);
	file[0] = 0;
	assert_false(elf_program_starts(file));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_addresses_are_filled_in),
		cmocka_unit_test(the_last_page_is_filled_up),
		cmocka_unit_test(nonsense_is_passed_over),
	};

	return cmocka_run_group_tests_name("elf-program", tests, NULL, NULL);
}
