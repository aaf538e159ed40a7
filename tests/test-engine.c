/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/made-memory.h"
#include "tests/test.h"

#include "common/mem.h"
#include "receiver/decode.h"
#include "sender/encode.h"

#define NPAGES 1500

static struct memory memory, earlier;
static uint8_t *file, *out;
static size_t len = MADE_HEAD + (size_t)NPAGES * PAGE_BYTES + MADE_TAIL;

static int
setup(void **state)
{
	(void)state;
	file = malloc(len);
	out = malloc(len);
	made_memory(&earlier, file, NPAGES, 1);
	made_later(&memory, file, NPAGES, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_close(&memory);
	memory_close(&earlier);
	free(file);
	free(out);
	return 0;
}

/* The receiver's end: the whole file in memory. */
static uint8_t *
out_page(void *arg, uint64_t n)
{
	(void)arg;
	return n < NPAGES ? out + MADE_HEAD + n * PAGE_BYTES : NULL;
}

static const uint8_t *
out_history(void *arg, uint64_t n)
{
	return out_page(arg, n);
}

static int
out_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	  struct err *e)
{
	(void)arg;
	if (first > MADE_HEAD + MADE_TAIL || n > MADE_HEAD + MADE_TAIL - first)
		return err_set(e, ERR_PROTOCOL, "no such bytes");
	for (uint64_t i = 0; i < n; i++) {
		size_t at = first + i;

		if (at >= MADE_HEAD)
			at += (size_t)NPAGES * PAGE_BYTES;
		out[at] = bytes[i];
	}
	return 0;
}

static const struct rebuild_target target = {
	.page = out_page,
	.history = out_history,
	.bytes = out_bytes,
};

struct ends {
	struct encoder *encoder;
	struct decoder *decoder;
	struct encoding *encoding;
	struct decoding *decoding;
	struct pool *pool;
	struct buf wire;
};

static void
ends_init(struct ends *x, const struct base *bases, size_t nbases)
{
	struct planner_config c = { .memory = &memory,
				    .bases = bases,
				    .nbases = nbases };
	struct err e;

	x->encoder = encoder_new(&c, 2, &e);
	x->decoder = decoder_new(bases, nbases, 2, &e);
	x->encoding = encoding_new(x->encoder, &e);
	x->decoding = decoding_new(x->decoder, &e);
	x->pool = pool_new(2, &e);
	buf_init(&x->wire, 64 << 20);
}

static void
ends_fini(struct ends *x)
{
	pool_free(x->pool);
	encoding_free(x->encoding);
	decoding_free(x->decoding);
	encoder_free(x->encoder);
	decoder_free(x->decoder);
	buf_fini(&x->wire);
}

static void
run(struct ends *x, struct pool_job *job)
{
	pool_submit(x->pool, job);
	assert_ptr_equal(pool_wait(x->pool), job);
}

/* The encoding's frame to bytes, and what the receiver makes of them. */
static void
deliver(struct ends *x)
{
	struct err e;

	if (x->encoding->failed)
		fail_msg("%s", x->encoding->err.text);
	buf_reset(&x->wire);
	assert_ok(frame_put(&x->wire, &x->encoding->frame, &e), &e);
	decoding_begin(x->decoding, span_of(x->wire.data, x->wire.len),
		       &target);
	run(x, &x->decoding->job);
}

static void
everything_arrives(const struct base *bases, size_t nbases,
		   uint64_t pages[PLAN__MAX])
{
	size_t n;
	const struct effort *efforts = effort_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct ends x;

		memset(pages, 0, PLAN__MAX * sizeof(*pages));
		memset(out, 0xee, len);
		ends_init(&x, bases, nbases);
		for (;;) {
			encoding_begin(x.encoding, &efforts[i]);
			run(&x, &x.encoding->job);
			if (encoding_is_end(x.encoding))
				break;
			deliver(&x);
			if (x.decoding->failed || !x.decoding->good)
				fail_msg("%s: %s", efforts[i].name,
					 x.decoding->err.text);
			for (uint32_t k = 0; k < x.encoding->batch->npages; k++)
				pages[x.encoding->planned.codes[k]]++;
		}
		assert_memory_equal(out, file, len);
		ends_fini(&x);
	}
}

static void
a_first_visit_arrives(void **state)
{
	const struct base bases[] = { { BASE_HISTORY, .npages = NPAGES } };
	uint64_t pages[PLAN__MAX];

	(void)state;
	everything_arrives(bases, 1, pages);
	assert_true(pages[PLAN_ZERO] > 30);
	assert_true(pages[PLAN_FILL] > 30);
	assert_true(pages[PLAN_REF] > 30);
	assert_true(pages[PLAN_MOVE] > 30);
	assert_true(pages[PLAN_DATA] > 30);
}

static void
a_return_visit_arrives(void **state)
{
	const struct base bases[] = {
		{ BASE_HISTORY, .npages = NPAGES },
		{ BASE_MEMORY, .npages = NPAGES, .memory = &earlier },
	};
	uint64_t pages[PLAN__MAX];

	(void)state;
	everything_arrives(bases, 2, pages);
	assert_true(pages[PLAN_DELTA] > 30);
	assert_true(pages[PLAN_REF] > NPAGES / 2);
	assert_true(pages[PLAN_DATA] < NPAGES / 4);
}

/* Regions that are not shared must not be referred to. */
static void
only_shared_regions_are_used(void **state)
{
	const uint8_t none[1 + NPAGES / BASE_REGION_PAGES / 8] = { 0 };
	const struct base bases[] = {
		{ BASE_HISTORY, .npages = NPAGES },
		{ BASE_MEMORY, .npages = NPAGES, .memory = &earlier,
		  .regions = none },
	};
	uint64_t pages[PLAN__MAX];

	(void)state;
	everything_arrives(bases, 2, pages);
	assert_int_equal(pages[PLAN_DELTA], 0);
}

static void
a_frame_can_be_sent_again_without_references(void **state)
{
	const struct base bases[] = { { BASE_HISTORY, .npages = NPAGES } };
	struct source_range range;
	struct ends x;
	struct err e;
	const struct effort *fast = effort_by_name("fast", &e);

	(void)state;
	memset(out, 0xee, len);
	ends_init(&x, bases, 1);
	encoding_begin(x.encoding, fast);
	run(&x, &x.encoding->job);
	encoding_begin(x.encoding, fast); /* the second is the one lost */
	run(&x, &x.encoding->job);
	range = encoding_range(x.encoding);
	assert_true(range.npages > 0);
	while (range.npages > 0 || range.nbytes > 0) {
		uint64_t first = range.at.page;

		encoding_begin_again(x.encoding, fast, &range);
		run(&x, &x.encoding->job);
		deliver(&x);
		assert_true(x.decoding->good);
		assert_int_equal(x.decoding->frame.first_page, first);
		for (uint32_t i = 0; i < x.encoding->batch->npages; i++)
			assert_memory_equal(out_page(NULL, first + i),
					    memory_page(&memory, first + i),
					    PAGE_BYTES);
		range = x.encoding->range;
	}
	ends_fini(&x);
}

/* A base that differs from the sender's is found out by the digest. */
static void
a_lying_base_is_told_by_the_digest(void **state)
{
	struct base bases[] = {
		{ BASE_HISTORY, .npages = NPAGES },
		{ BASE_MEMORY, .npages = NPAGES, .memory = &earlier },
	};
	struct base lying[] = {
		{ BASE_HISTORY, .npages = NPAGES },
		{ BASE_MEMORY, .npages = NPAGES, .memory = &memory },
	};
	struct ends x;
	struct err e;
	unsigned bad = 0, frames = 0;

	(void)state;
	ends_init(&x, bases, 2);
	decoder_free(x.decoder);
	decoding_free(x.decoding);
	x.decoder = decoder_new(lying, 2, 2, &e);
	x.decoding = decoding_new(x.decoder, &e);
	for (;;) {
		encoding_begin(x.encoding, effort_by_name("fast", &e));
		run(&x, &x.encoding->job);
		if (encoding_is_end(x.encoding))
			break;
		deliver(&x);
		assert_false(x.decoding->failed);
		bad += !x.decoding->good;
		frames++;
	}
	assert_true(frames > 0);
	assert_int_equal(bad, frames);
	ends_fini(&x);
}

/* 10,000 frames with one byte changed: each is refused, or told by its digest,
 * or (a byte that means nothing) comes out right all the same.
 */
static void
any_changed_byte_is_detected(void **state)
{
	const struct base bases[] = {
		{ BASE_HISTORY, .npages = NPAGES },
		{ BASE_MEMORY, .npages = NPAGES, .memory = &earlier },
	};
	struct ends x;
	struct err e;
	uint64_t seed = 5;
	unsigned refused = 0, told = 0;

	(void)state;
	ends_init(&x, bases, 2);
	for (unsigned round = 0; round < 10000; round++) {
		uint32_t npages;
		uint64_t first;
		size_t at;

		if (round % 2500 == 0) { /* another frame */
			struct effort small = *effort_by_name("fast", &e);

			small.block_bytes = 8000;
			encoding_begin(x.encoding, &small);
			run(&x, &x.encoding->job);
			deliver(&x);
			assert_true(x.decoding->good);
		}
		first = x.encoding->frame.first_page;
		npages = x.encoding->frame.npages;
		at = test_random(&seed) % x.wire.len;
		x.wire.data[at] ^= (uint8_t)(1 + test_random(&seed) % 255);
		decoding_begin(x.decoding, span_of(x.wire.data, x.wire.len),
			       &target);
		run(&x, &x.decoding->job);
		refused += x.decoding->failed;
		told += !x.decoding->failed && !x.decoding->good;
		if (x.decoding->good) {
			assert_int_equal(x.decoding->frame.first_page, first);
			assert_int_equal(x.decoding->frame.npages, npages);
			assert_memory_equal(out_page(NULL, first),
					    memory_page(&memory, first),
					    (size_t)npages * PAGE_BYTES);
		}
		buf_reset(&x.wire); /* as it was */
		assert_ok(frame_put(&x.wire, &x.encoding->frame, &e), &e);
	}
	print_message("# refused %u, told by the digest %u\n", refused, told);
	assert_true(refused + told > 9900);
	ends_fini(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_visit_arrives),
		cmocka_unit_test(a_return_visit_arrives),
		cmocka_unit_test(only_shared_regions_are_used),
		cmocka_unit_test(a_frame_can_be_sent_again_without_references),
		cmocka_unit_test(a_lying_base_is_told_by_the_digest),
		cmocka_unit_test(any_changed_byte_is_detected),
	};

	return cmocka_run_group_tests_name("engine", tests, setup, teardown);
}
