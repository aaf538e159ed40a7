/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "common/mem.h"
#include "wire/plan.h"

#define GUEST_LIKE 0x3 /* history and base 1; base 2 is an image */
#define NBASES     3

/* One random thing that a frame may say. */
struct item {
	enum plan_code code;
	uint64_t own, fill;
	struct plan_ref ref;
	struct plan_move move;
	struct plan_delta delta;
	struct plan_copy copies[PLAN_COPIES_MAX];
	unsigned ncopies;
	uint8_t page[PAGE_BYTES];
};

static uint64_t seed = 11;

static unsigned
below(unsigned n)
{
	return (unsigned)(test_random(&seed) >> 20) % n;
}

static void
make_copies(struct item *it)
{
	unsigned at = 0;

	it->ncopies = 0;
	while (below(4) && at + PLAN_COPY_MIN <= PAGE_WORDS) {
		struct plan_copy *c = &it->copies[it->ncopies++];
		unsigned room;

		c->to = (uint16_t)(at +
				   below(PAGE_WORDS - PLAN_COPY_MIN - at + 1));
		room = PAGE_WORDS - PLAN_COPY_MIN - c->to;
		c->len = (uint16_t)(PLAN_COPY_MIN + below(room + 1));
		c->from = (uint16_t)below(PAGE_WORDS - c->len + 1);
		c->ref.base = (uint8_t)below(2);
		c->ref.page = test_random(&seed) >> (8 + below(50));
		at = c->to + c->len;
	}
}

static void
make_item(struct item *it, uint64_t own, const struct item *last)
{
	it->code = below(3) && own ? last->code : below(PLAN__MAX);
	it->own = own;
	it->fill = test_random(&seed);
	it->ref = last->ref;
	it->ref.page++;
	if (below(3) == 0) {
		it->ref.base = (uint8_t)below(NBASES);
		it->ref.page = test_random(&seed) >> below(64);
	}
	it->move.n = 1 + below(PLAN_MOVES_MAX);
	it->move.nslots = below(PAGE_WORDS + 1);
	for (unsigned i = 0; i < it->move.n; i++)
		it->move.by[i] = (uint64_t)below(100) << 12;
	for (unsigned i = 0; i < it->move.nslots; i++)
		it->move.slots[i] = (uint8_t)below(it->move.n);
	it->delta.nwords = 0;
	memset(it->delta.mask, 0, sizeof(it->delta.mask));
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		if (below(3) == 0 && it->delta.nwords < PLAN_DELTA_MAX) {
			it->delta.mask[i / 64] |= 1ull << (i % 64);
			it->delta.words[it->delta.nwords++] =
				test_random(&seed);
		}
	make_copies(it);
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		it->page[i] = (uint8_t)test_random(&seed);
}

static void
make_items(struct item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		make_item(&items[i], i, &items[i ? i - 1 : 0]);
}

static int
put_item(struct plan_writer *w, const struct item *it, struct err *e)
{
	switch (it->code) {
	case PLAN_ZERO:
	case PLAN_FREE:
		return plan_put_plain(w, it->code, e);
	case PLAN_FILL:
		return plan_put_fill(w, it->fill, e);
	case PLAN_REF:
		return plan_put_ref(w, it->own, it->ref, e);
	case PLAN_MOVE:
		return plan_put_move(w, it->own, it->ref, &it->move, e);
	case PLAN_DELTA:
		return plan_put_delta(w, it->own, it->ref, &it->delta, e);
	case PLAN_DATA:
		return plan_put_data(w, it->page, it->copies, it->ncopies, e);
	case PLAN_BYTES:
		return plan_put_bytes(w, it->page, 1 + it->own % 100, e);
	case PLAN__MAX:
		break;
	}
	return -1;
}

static int
put_items(struct plan_writer *w, const struct item *items, unsigned n,
	  struct err *e)
{
	plan_writer_reset(w);
	for (unsigned i = 0; i < n; i++)
		if (put_item(w, &items[i], e) < 0)
			return -1;
	return plan_writer_finish(w, e);
}

static void
check_data(struct plan_reader *r, const struct item *it)
{
	struct plan_copy copies[PLAN_COPIES_MAX];
	uint8_t words[PAGE_BYTES];
	unsigned n, at = 0;
	struct err e;

	assert_ok(plan_get_copies(r, copies, &n, &e), &e);
	assert_int_equal(n, it->ncopies);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(copies[i].to, it->copies[i].to);
		assert_int_equal(copies[i].len, it->copies[i].len);
		assert_int_equal(copies[i].from, it->copies[i].from);
		assert_int_equal(copies[i].ref.base, it->copies[i].ref.base);
		assert_true(copies[i].ref.page == it->copies[i].ref.page);
		assert_ok(plan_get_words(r, copies[i].to - at, words, &e), &e);
		assert_memory_equal(words, it->page + 8 * at,
				    8 * (copies[i].to - at));
		at = copies[i].to + copies[i].len;
	}
	assert_ok(plan_get_words(r, PAGE_WORDS - at, words, &e), &e);
	assert_memory_equal(words, it->page + 8 * at, 8 * (PAGE_WORDS - at));
}

static void
check_ref(struct plan_reader *r, const struct item *it)
{
	struct plan_ref ref;
	struct err e;

	assert_ok(plan_get_ref(r, it->code, it->own, &ref, &e), &e);
	assert_int_equal(ref.base, it->ref.base);
	assert_true(ref.page == it->ref.page);
}

static void
check_item(struct plan_reader *r, const struct item *it)
{
	uint64_t by[PLAN_MOVES_MAX], mask[PAGE_WORDS / 64], fill;
	const uint8_t *bytes;
	unsigned n;
	struct err e;

	if (it->code == PLAN_FILL) {
		assert_ok(plan_get_fill(r, &fill, &e), &e);
		assert_true(fill == it->fill);
	} else if (it->code == PLAN_DATA) {
		check_data(r, it);
	} else if (it->code >= PLAN_REF && it->code <= PLAN_DELTA) {
		check_ref(r, it);
	}
	if (it->code == PLAN_MOVE) {
		assert_ok(plan_get_moves(r, by, &n, &e), &e);
		assert_int_equal(n, it->move.n);
		assert_memory_equal(by, it->move.by, 8 * n);
		if (n > 1) {
			assert_ok(plan_get_slots(r, n, it->move.nslots, &bytes,
						 &e),
				  &e);
			assert_memory_equal(bytes, it->move.slots,
					    it->move.nslots);
		}
	}
	if (it->code == PLAN_DELTA) {
		assert_ok(plan_get_delta(r, mask, &bytes, &e), &e);
		assert_memory_equal(mask, it->delta.mask, sizeof(mask));
		assert_memory_equal(bytes, it->delta.words,
				    8 * it->delta.nwords);
	}
}

static void
reader_of(const struct plan_writer *w, struct plan_reader *r)
{
	struct span spans[STREAM__MAX];

	for (unsigned i = 0; i < STREAM__MAX; i++)
		spans[i] = span_of(w->streams[i].data, w->streams[i].len);
	plan_reader_init(r, spans, GUEST_LIKE, NBASES);
}

static void
check_items(struct plan_reader *r, const struct item *items, unsigned n)
{
	const uint8_t *bytes;
	enum plan_code code;
	uint64_t count;
	struct err e;

	for (unsigned i = 0; i < n;) {
		assert_ok(plan_next(r, n - i, &code, &count, &e), &e);
		assert_int_equal(code, items[i].code);
		if (code != PLAN_BYTES) {
			while (count--)
				check_item(r, &items[i++]);
			continue;
		}
		while (count > 0) {
			uint64_t len = 1 + items[i].own % 100;

			assert_ok(plan_get_bytes(r, len, &bytes, &e), &e);
			assert_memory_equal(bytes, items[i++].page, len);
			count -= len;
		}
	}
	assert_ok(plan_reader_end(r, &e), &e);
}

static void
what_was_written_is_read(void **state)
{
	struct item *items = calloc(400, sizeof(*items));
	struct plan_writer w;
	struct plan_reader r;
	struct err e;

	(void)state;
	plan_writer_init(&w, GUEST_LIKE);
	for (unsigned round = 0; round < 30; round++) {
		unsigned n = 1 + below(400);

		make_items(items, n);
		assert_ok(put_items(&w, items, n, &e), &e);
		reader_of(&w, &r);
		check_items(&r, items, n);
	}
	plan_writer_fini(&w);
	free(items);
}

static void
a_run_of_references_costs_three_bytes(void **state)
{
	struct plan_writer w;
	struct err e;

	(void)state;
	plan_writer_init(&w, GUEST_LIKE);
	for (uint64_t i = 0; i < 60;
	     i++) /* image blocks 5000.., gaps between */
		assert_ok(plan_put_ref(&w, 3 * i,
				       (struct plan_ref){ 2, 5000 + i }, &e),
			  &e);
	assert_ok(plan_writer_finish(&w, &e), &e);
	assert_int_equal(w.streams[STREAM_PLAN].len, 2);
	assert_int_equal(w.streams[STREAM_RUN].len, 1);
	assert_int_equal(w.streams[STREAM_JUMP].len, 1 + 2);
	plan_writer_reset(&w);
	for (uint64_t i = 0; i < 60; i++) /* the same address in memory */
		assert_ok(plan_put_ref(&w, 3 * i, (struct plan_ref){ 1, 3 * i },
				       &e),
			  &e);
	assert_ok(plan_writer_finish(&w, &e), &e);
	assert_int_equal(w.streams[STREAM_JUMP].len, 1 + 1);
	plan_writer_fini(&w);
}

/* Streams cut short or with one byte changed must end in an error or in other
 * items, never in a read past the end (the sanitizer builds see to that).
 */
static void
damage_never_reads_past_the_end(void **state)
{
	struct item *items = calloc(60, sizeof(*items));
	struct plan_writer w;
	struct err e;

	(void)state;
	plan_writer_init(&w, GUEST_LIKE);
	make_items(items, 60);
	assert_ok(put_items(&w, items, 60, &e), &e);
	for (unsigned round = 0; round < 3000; round++) {
		struct buf *b = &w.streams[below(STREAM__MAX)];
		struct plan_reader r;
		uint64_t pages = 0, n;
		enum plan_code code;
		size_t at;
		uint8_t was;

		if (b->len == 0)
			continue;
		at = below((unsigned)b->len);
		was = b->data[at];
		b->data[at] = (uint8_t)test_random(&seed);
		reader_of(&w, &r);
		while (pages < 60 && plan_next(&r, 1, &code, &n, &e) == 0) {
			const uint8_t *bytes;
			uint64_t mask[PAGE_WORDS / 64], by[PLAN_MOVES_MAX];
			struct plan_copy copies[PLAN_COPIES_MAX];
			struct plan_ref ref;
			unsigned k;

			if (code == PLAN_BYTES &&
			    plan_get_bytes(&r, n, &bytes, &e) < 0)
				break;
			if (code >= PLAN_REF && code <= PLAN_DELTA &&
			    plan_get_ref(&r, code, pages, &ref, &e) < 0)
				break;
			if (code == PLAN_DELTA &&
			    plan_get_delta(&r, mask, &bytes, &e) < 0)
				break;
			if (code == PLAN_MOVE &&
			    plan_get_moves(&r, by, &k, &e) < 0)
				break;
			if (code == PLAN_DATA &&
			    plan_get_copies(&r, copies, &k, &e) < 0)
				break;
			pages++;
		}
		b->data[at] = was;
	}
	plan_writer_fini(&w);
	free(items);
}

/* Whichever stream is full first, and wherever. */
static void
a_full_stream_is_an_error(void **state)
{
	struct item *items = calloc(100, sizeof(*items));
	struct plan_writer w;
	struct err e;

	(void)state;
	plan_writer_init(&w, GUEST_LIKE);
	make_items(items, 100);
	assert_ok(put_items(&w, items, 100, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		struct buf *b = &w.streams[i];
		size_t len = b->len;

		if (i == STREAM_PLACE) /* of live frames only */
			continue;
		assert_true(len > 0);
		for (size_t max = 0; max < len; max += 1 + len / 400) {
			b->max = max;
			assert_err(put_items(&w, items, 100, &e), &e,
				   ERR_LIMIT);
			assert_true(b->len <= max);
		}
		b->max = len;
		assert_ok(put_items(&w, items, 100, &e), &e);
		b->max = PLAN_STREAM_MAX;
	}
	plan_writer_fini(&w);
	free(items);
}

static void
no_bytes_need_no_code(void **state)
{
	struct plan_writer w;
	struct err e;

	(void)state;
	plan_writer_init(&w, GUEST_LIKE);
	assert_ok(plan_put_bytes(&w, (const uint8_t *)"", 0, &e), &e);
	assert_ok(plan_writer_finish(&w, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		assert_int_equal(w.streams[i].len, 0);
	plan_writer_fini(&w);
}

static void
codes_and_streams_have_names(void **state)
{
	(void)state;
	assert_string_equal(plan_code_name(PLAN_ZERO), "zero");
	assert_string_equal(plan_code_name(PLAN_BYTES), "bytes");
	assert_null(plan_code_name(PLAN__MAX));
	assert_string_equal(plan_stream_name(STREAM_PLAN), "plan");
	assert_string_equal(plan_stream_name(STREAM_GAP), "bytes");
	assert_null(plan_stream_name(STREAM__MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_run_of_references_costs_three_bytes),
		cmocka_unit_test(damage_never_reads_past_the_end),
		cmocka_unit_test(a_full_stream_is_an_error),
		cmocka_unit_test(no_bytes_need_no_code),
		cmocka_unit_test(codes_and_streams_have_names),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
