/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/test.h"

#include "classify/content.h"
#include "common/mem.h"
#include "common/page.h"

static uint8_t page[PAGE_BYTES];
static uint64_t seed;

static int
setup(void **state)
{
	(void)state;
	memset(page, 0, sizeof(page));
	seed = 1;
	return 0;
}

static void
put_word(unsigned i, uint64_t w)
{
	memcpy(page + 8 * (size_t)i, &w, 8);
}

/* Numbers below 2^bits where the page holds nothing else. */
static void
put_numbers(unsigned from, unsigned bits)
{
	for (unsigned i = from; i < PAGE_WORDS; i++)
		put_word(i, 1 + (test_random(&seed) >> (64 - bits)));
}

static void
put_text(size_t from, size_t to, const char *text)
{
	for (size_t i = from, n = strlen(text); i < to; i++)
		page[i] = (uint8_t)text[i % n];
}

static void
assert_class(enum content_class want)
{
	assert_string_equal(content_name(content_of(page)), content_name(want));
}

static void
one_repeated_word_is_zero_or_fill(void **state)
{
	(void)state;
	assert_class(CONTENT_ZERO);
	memset(page, 0xff, sizeof(page));
	assert_class(CONTENT_FILL);
}

static void
entries_of_a_page_table_are_seen(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) /* user data, not executable */
		put_word(100 * i, 0x8000000012345867 + (i << 12));
	assert_class(CONTENT_TABLE);
	for (unsigned i = 0; i < PAGE_WORDS; i++) /* 2 MiB pages */
		put_word(i, 0x1e3 + ((uint64_t)i << 21) + 0x200000);
	assert_class(CONTENT_TABLE);
	for (unsigned i = 0; i < 64; i++) /* swapped out */
		put_word(7 * i, 0x3ffffffff1234500);
	assert_class(CONTENT_TABLE);
	put_word(500, 0x3ffffffff1234500);
	assert_class(CONTENT_MIXED);
}

static void
odd_numbers_are_no_page_table(void **state)
{
	(void)state;
	put_numbers(0, 11);
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		page[8 * i] |= 1;
	assert_class(CONTENT_MIXED);
}

static void
a_quarter_in_use_is_sparse(void **state)
{
	(void)state;
	put_numbers(384, 62);
	assert_class(CONTENT_SPARSE);
	put_numbers(383, 62);
	assert_class(CONTENT_MIXED);
}

static void
text_is_seen_with_its_tabs_and_line_ends(void **state)
{
	(void)state;
	put_text(0, sizeof(page), "\tif (n)\n\t\tx();\n");
	assert_class(CONTENT_MIXED); /* 8 of 15 bytes */
	put_text(0, sizeof(page), "\treturn -1; /* not \xc3\xa4 */\n");
	assert_class(CONTENT_TEXT);
	memset(page, 0, sizeof(page));
	put_text(0, 3072, "name=value\t");
	assert_class(CONTENT_MIXED);
	put_text(0, 3500, "name=value\t");
	assert_class(CONTENT_TEXT);
}

static void
text_of_two_bytes_a_character_is_seen(void **state)
{
	static const char path[] = "C:\\Windows\\System32\\";

	(void)state;
	for (size_t i = 0; i < sizeof(page) / 4 * 3; i += 2)
		page[i] = (uint8_t)path[i / 2 % (sizeof(path) - 1)];
	assert_class(CONTENT_UTF16);
	memset(page, 0, 1032); /* 255 words are left */
	assert_class(CONTENT_MIXED);
}

/* Instructions as compilers write them, in any order. */
static void
put_code(void)
{
	static const struct {
		uint8_t len, bytes[7];
	} ops[] = {
		{ 3, { 0x48, 0x89, 0xe5 } },
		{ 5, { 0x48, 0x8b, 0x44, 0x24, 0x18 } },
		{ 7, { 0x48, 0x8d, 0x3d, 0x44, 0x21, 0x0f, 0x00 } },
		{ 4, { 0x48, 0x83, 0xc4, 0x08 } },
		{ 5, { 0xe8, 0x12, 0xf2, 0xff, 0xff } },
		{ 6, { 0x0f, 0x84, 0x6d, 0x02, 0x00, 0x00 } },
		{ 2, { 0x31, 0xc0 } },
		{ 1, { 0xc3 } },
		{ 3, { 0x45, 0x31, 0xe4 } },
		{ 3, { 0x0f, 0xb6, 0x03 } },
	};

	for (size_t at = 0; at + 7 < sizeof(page);) {
		size_t i = test_random(&seed) % ARRAY_LEN(ops);

		memcpy(page + at, ops[i].bytes, ops[i].len);
		at += ops[i].len;
	}
}

static void
code_is_seen(void **state)
{
	(void)state;
	put_code();
	assert_class(CONTENT_CODE);
	memset(page + 1024, 0, 2048); /* the end of a section */
	assert_class(CONTENT_CODE);
}

static void
pointers_among_other_words_are_seen(void **state)
{
	static const uint64_t bases[] = {
		0x000055d4c0a81000, 0x00007f8a4c000000, 0x000001d4c0a81000,
		0xffff888003c41000, 0xffffffff81a00000
	};

	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(bases); b++) {
		put_numbers(0, 31);
		for (unsigned i = 0; i < PAGE_WORDS; i += 4)
			put_word(i, bases[b] + (test_random(&seed) & 0xfff0));
		assert_class(CONTENT_POINTERS);
		put_word(0, 1);
		assert_class(CONTENT_MIXED);
	}
}

static void
numbers_are_no_pointers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGE_WORDS; i++) /* below zero */
		put_word(i, -(test_random(&seed) & 0xff));
	assert_class(CONTENT_MIXED);
	for (unsigned i = 0; i < PAGE_WORDS; i++) /* two in a word */
		put_word(i, test_random(&seed) & 0xff000000ff);
	assert_class(CONTENT_MIXED);
}

static void
random_bytes_are_dense(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		for (unsigned i = 0; i < PAGE_WORDS; i++)
			put_word(i, test_random(&seed));
		assert_class(CONTENT_DENSE);
	}
	memset(page + 512, 0, 128 + 8);
	assert_class(CONTENT_MIXED);
}

static void
half_random_bytes_are_not_dense(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(test_random(&seed) >> 58) | 0x80;
	assert_class(CONTENT_MIXED);
}

static void
a_page_may_stand_at_any_address(void **state)
{
	static uint8_t room[PAGE_BYTES + 64];

	(void)state;
	put_code();
	for (size_t at = 0; at < 64; at++) {
		memcpy(room + at, page, PAGE_BYTES);
		assert_int_equal(content_of(room + at), CONTENT_CODE);
	}
}

static void
every_class_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CONTENT__MAX; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(content_name(i),
						content_name(j));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_repeated_word_is_zero_or_fill,
				       setup),
		cmocka_unit_test_setup(entries_of_a_page_table_are_seen, setup),
		cmocka_unit_test_setup(odd_numbers_are_no_page_table, setup),
		cmocka_unit_test_setup(a_quarter_in_use_is_sparse, setup),
		cmocka_unit_test_setup(text_is_seen_with_its_tabs_and_line_ends,
				       setup),
		cmocka_unit_test_setup(text_of_two_bytes_a_character_is_seen,
				       setup),
		cmocka_unit_test_setup(code_is_seen, setup),
		cmocka_unit_test_setup(pointers_among_other_words_are_seen,
				       setup),
		cmocka_unit_test_setup(numbers_are_no_pointers, setup),
		cmocka_unit_test_setup(random_bytes_are_dense, setup),
		cmocka_unit_test_setup(half_random_bytes_are_not_dense, setup),
		cmocka_unit_test_setup(a_page_may_stand_at_any_address, setup),
		cmocka_unit_test(every_class_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
