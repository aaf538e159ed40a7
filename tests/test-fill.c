/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/test.h"

#include "classify/fill.h"
#include "common/page.h"

static uint8_t room[PAGE_BYTES + 64];

static void
fill_with(uint8_t *page, uint64_t value)
{
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		memcpy(page + 8 * (size_t)i, &value, 8);
}

static void
equal_words_are_found_at_any_address(void **state)
{
	static const uint64_t values[] = { 0, UINT64_MAX, 0xaaaaaaaaaaaaaaaa,
					   0x0123456789abcdef };

	(void)state;
	for (size_t v = 0; v < 4; v++)
		for (size_t at = 0; at < 64; at += 3) {
			uint64_t got = 1;

			memset(room, 0x5a, sizeof(room));
			fill_with(room + at, values[v]);
			assert_true(fill_find(room + at, &got));
			assert_int_equal(got, values[v]);
		}
}

static void
one_bit_anywhere_makes_it_no_fill(void **state)
{
	uint64_t got;

	(void)state;
	fill_with(room, 0x0123456789abcdef);
	for (size_t bit = 0; bit < 8 * (size_t)PAGE_BYTES; bit++) {
		uint8_t mask = (uint8_t)(1u << (bit & 7));

		room[bit / 8] ^= mask;
		if (fill_find(room, &got))
			fail_msg("bit %zu was not seen", bit);
		room[bit / 8] ^= mask;
	}
	assert_true(fill_find(room, &got));
}

static void
a_repeat_longer_than_a_word_is_no_fill(void **state)
{
	uint64_t got;

	(void)state;
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t word = i & 1;

		memcpy(room + 8 * (size_t)i, &word, 8);
	}
	assert_false(fill_find(room, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_words_are_found_at_any_address),
		cmocka_unit_test(one_bit_anywhere_makes_it_no_fill),
		cmocka_unit_test(a_repeat_longer_than_a_word_is_no_fill),
	};

	return cmocka_run_group_tests_name("fill", tests, NULL, NULL);
}
