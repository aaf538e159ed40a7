/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "common/page.h"
#include "dedup/delta.h"
#include "dedup/match.h"
#include "dedup/normal.h"
#include "dedup/table.h"

static uint64_t seed = 3;
static uint8_t pages[8][PAGE_BYTES];

static void
set_word(uint8_t *page, unsigned w, uint64_t value)
{
	memcpy(page + 8 * (size_t)w, &value, 8);
}

static void
random_page(uint8_t *page)
{
	for (unsigned w = 0; w < PAGE_WORDS; w++)
		set_word(page, w, test_random(&seed) >> 20);
}

static void
a_table_gives_the_first_page_of_a_hash(void **state)
{
	struct table t;
	struct err e;
	uint32_t page;

	(void)state;
	assert_ok(table_init(&t, 5000, &e), &e);
	for (uint32_t i = 0; i < 6000; i++) {
		uint64_t hash = (uint64_t)i * 0x9e3779b97f4a7c15ULL;

		assert_false(table_find(&t, hash, &page));
		table_add(&t, hash, i);
		table_add(&t, hash, i + 1);
		assert_int_equal(table_find(&t, hash, &page), i < 5000);
		if (i < 5000)
			assert_int_equal(page, i);
	}
	table_fini(&t);
}

static void
pointers_move_and_come_back(void **state)
{
	static const uint64_t bases[] = { 0x55d0a1b2c000, 0x7f3344556000,
					  0xffff888012345000,
					  0xff11000123456000 };
	uint8_t *ref = pages[0], *page = pages[1], *out = pages[2];
	struct plan_move m;
	uint64_t a, b;

	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		random_page(ref);
		memcpy(page, ref, PAGE_BYTES);
		for (unsigned w = 0; w < 100; w++) {
			unsigned at = w * 5, which = w % n;
			uint64_t to = bases[which] + (w << 4);

			set_word(ref, at, to);
			set_word(page, at, to + (0x1000ull << which));
		}
		assert_int_equal(normal_hash(ref, &a), 100);
		assert_int_equal(normal_hash(page, &b), 100);
		assert_true(a == b);
		assert_int_equal(normal_count(ref), 100);
		assert_true(normal_diff(page, ref, &m));
		assert_int_equal(m.n, n);
		assert_int_equal(m.nslots, 100);
		normal_apply(ref, m.by, n > 1 ? m.slots : NULL, out);
		assert_memory_equal(out, page, PAGE_BYTES);
	}
}

static void
other_changes_are_no_moves(void **state)
{
	uint8_t *ref = pages[0], *page = pages[1];
	struct plan_move m;
	uint64_t hash;

	(void)state;
	memset(ref, 1, PAGE_BYTES);
	assert_int_equal(normal_hash(ref, &hash), 0);
	for (unsigned w = 0; w < 6; w++)
		set_word(ref, w, 0x7f0000000000 + (w << 20));
	memcpy(page, ref, PAGE_BYTES);
	set_word(page, 300, 5);
	assert_false(normal_diff(page, ref, &m));
	memcpy(page, ref, PAGE_BYTES);
	for (unsigned w = 0; w < 5; w++)
		set_word(page, w, 0x7f0000000000 + (w << 21) + 0x1000);
	assert_false(normal_diff(page, ref, &m));
}

static void
changed_words_come_back(void **state)
{
	uint8_t *old = pages[0], *page = pages[1], *out = pages[2];
	struct plan_delta d;

	(void)state;
	for (unsigned n = 0; n <= PLAN_DELTA_MAX; n += 48) {
		random_page(old);
		memcpy(page, old, PAGE_BYTES);
		for (unsigned i = 0; i < n; i++)
			set_word(page, (i * 5) % PAGE_WORDS,
				 ~page_word(old, (i * 5) % PAGE_WORDS));
		assert_true(delta_make(page, old, &d));
		assert_int_equal(d.nwords, n);
		delta_apply(old, d.mask, (const uint8_t *)d.words, out);
		assert_memory_equal(out, page, PAGE_BYTES);
	}
	for (unsigned w = 0; w <= PLAN_DELTA_MAX; w++)
		set_word(page, w, ~page_word(old, w));
	assert_false(delta_make(page, old, &d));
}

static const uint8_t *
page_of(void *arg, struct plan_ref ref)
{
	(void)arg;
	assert_int_equal(ref.base, 0);
	return pages[ref.page];
}

static void
check_copies(const uint8_t *page, const struct plan_copy *c, unsigned n)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n; i++) {
		assert_true(c[i].to >= at && c[i].len >= PLAN_COPY_MIN);
		assert_true(c[i].to + c[i].len <= PAGE_WORDS);
		assert_true(c[i].from + c[i].len <= PAGE_WORDS);
		assert_memory_equal(page + 8 * c[i].to,
				    pages[c[i].ref.page] + 8 * c[i].from,
				    8 * c[i].len);
		at = c[i].to + c[i].len;
	}
}

static void
long_matches_at_any_word_are_found(void **state)
{
	struct plan_copy copies[PLAN_COPIES_MAX];
	struct match m;
	struct err e;
	unsigned n, covered = 0;

	(void)state;
	assert_ok(match_init(&m, 8, page_of, NULL, &e), &e);
	random_page(pages[0]);
	random_page(pages[1]);
	random_page(pages[2]);
	/* 200 words of page 0, shifted; 150 of page 1; the rest is new. */
	memcpy(pages[2] + 8 * 7, pages[0] + 8 * 100, 8 * 200);
	memcpy(pages[2] + 8 * 300, pages[1] + 8 * 300, 8 * 150);
	assert_int_equal(
		match_page(&m, pages[0], (struct plan_ref){ 0, 0 }, copies), 0);
	assert_int_equal(
		match_page(&m, pages[1], (struct plan_ref){ 0, 1 }, copies), 0);
	n = match_page(&m, pages[2], (struct plan_ref){ 0, 2 }, copies);
	check_copies(pages[2], copies, n);
	for (unsigned i = 0; i < n; i++)
		covered += copies[i].len;
	assert_int_equal(n, 2);
	assert_int_equal(covered, 350);
	match_fini(&m);
}

static void
a_full_match_table_still_finds(void **state)
{
	struct plan_copy copies[PLAN_COPIES_MAX];
	struct match m;
	struct err e;

	(void)state;
	assert_ok(match_init(&m, 1, page_of, NULL, &e), &e);
	random_page(pages[0]);
	assert_int_equal(
		match_page(&m, pages[0], (struct plan_ref){ 0, 0 }, copies), 0);
	for (unsigned i = 1; i < 4; i++) {
		memcpy(pages[i], pages[0], PAGE_BYTES);
		assert_int_equal(match_page(&m, pages[i],
					    (struct plan_ref){ 0, i }, copies),
				 1);
		assert_int_equal(copies[0].ref.page, 0);
		assert_int_equal(copies[0].len, PAGE_WORDS);
	}
	match_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_gives_the_first_page_of_a_hash),
		cmocka_unit_test(pointers_move_and_come_back),
		cmocka_unit_test(other_changes_are_no_moves),
		cmocka_unit_test(changed_words_come_back),
		cmocka_unit_test(long_matches_at_any_word_are_found),
		cmocka_unit_test(a_full_match_table_still_finds),
	};

	return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}
