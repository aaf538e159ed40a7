/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "common/mem.h"
#include "tests/fault.h"
#include "tests/small-frame.h"
#include "tests/test.h"
#include "wire/layout.h"
#include "wire/message.h"
#include "wire/seal.h"

/* Memory runs out, and libraries fail, at every single place where they can:
 * that is an error like any other, nothing leaks, and what can be used again
 * afterwards works again.
 */
static struct small small;
static const struct effort *effort;
static struct buf wire; /* a frame of that effort */
static struct fuzz_output out;

/* Does it until nothing fails any more. */
static void
each_failure_is_an_error(int (*scenario)(struct err *e))
{
	for (unsigned all = 0; all < 2; all++) {
		bool failed = true;

		for (uint64_t n = 1; failed; n++) {
			struct err e = { .code = ERR_NONE };
			int64_t held = fault_held();
			int ret;

			fault_begin(n, all);
			ret = scenario(&e);
			failed = fault_end();
			assert_int_equal(fault_held(), held);
			if (!failed)
				assert_ok(ret, &e);
			else if (ret == 0 || e.code != ERR_SYSTEM)
				fail_msg("call %d failed: %d, code %d", (int)n,
					 ret, e.code);
			assert_true(failed || n > 1);
		}
	}
}

static int
encoded(struct encoding *x, struct err *e)
{
	const struct source_range again = { .npages = SMALL_PAGES,
					    .nbytes = SMALL_HEAD };

	fuzz_run(&x->job);
	if (x->failed) {
		*e = x->err;
		/* What failed once can be done when there is memory again. */
		if (fault_end()) {
			encoding_begin_again(x, effort, &again);
			fuzz_run(&x->job);
			assert_false(x->failed);
			assert_int_equal(x->frame.npages, SMALL_PAGES);
		}
		return -1;
	}
	return frame_put(&wire, &x->frame, e);
}

static int
sent_whole(struct err *e)
{
	struct encoder *enc = encoder_new(&small.config, 2, e);
	struct encoding *x = enc ? encoding_new(enc, e) : NULL;
	int ret = -1;

	if (x) {
		encoding_begin(x, effort);
		ret = encoded(x, e);
	}
	encoding_free(x);
	encoder_free(enc);
	buf_fini(&wire);
	return ret;
}

static int
decoded(struct decoding *x, struct err *e)
{
	const struct rebuild_target target = fuzz_target(&out);
	const struct span frame = span_of(wire.data, wire.len);

	decoding_begin(x, frame, &target);
	fuzz_run(&x->job);
	if (!x->failed && x->good)
		return 0;
	assert_true(x->failed);
	*e = x->err;
	if (fault_end()) {
		decoding_begin(x, frame, &target);
		fuzz_run(&x->job);
		assert_true(x->good);
	}
	return -1;
}

static int
received_whole(struct err *e)
{
	struct decoder *d = decoder_new(small.bases, 2, 2, e);
	struct decoding *x = d ? decoding_new(d, e) : NULL;
	int ret = x ? decoded(x, e) : -1;

	decoding_free(x);
	decoder_free(d);
	return ret;
}

static void
frames_are_made_or_not(void **state)
{
	size_t n;
	const struct effort *efforts = effort_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		effort = &efforts[i];
		each_failure_is_an_error(sent_whole);
	}
}

static void
frames_are_rebuilt_or_not(void **state)
{
	size_t n;
	const struct effort *efforts = effort_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		effort = &efforts[i];
		small_frame(&small, effort, &wire);
		each_failure_is_an_error(received_whole);
		buf_fini(&wire);
	}
}

static int
code_and_decode(struct codec_set *set, enum codec_id id, struct err *e)
{
	static uint8_t coded[sizeof(small.kept_pages)],
		plain[sizeof(small.kept_pages)];
	enum codec_id used;
	size_t len;

	if (codec_encode(set, (struct codec_choice){ id, 1 }, small.kept_pages,
			 sizeof(small.kept_pages), coded, &len, &used, e) < 0)
		return -1;
	assert_int_equal(used, id);
	return codec_decode(set, id, coded, len, plain, sizeof(plain), e);
}

static int
codecs(struct err *e)
{
	struct codec_set *set = codec_set_new(e);
	int ret = set ? 0 : -1;

	/* Twice: a context is made when it is needed first. */
	for (unsigned i = 0; ret == 0 && i < 2 * CODEC__MAX; i++)
		ret = code_and_decode(set, i / 2, e);
	codec_set_free(set);
	return ret;
}

static void
codecs_work_or_not(void **state)
{
	(void)state;
	each_failure_is_an_error(codecs);
}

static int
layouts(struct err *e)
{
	struct layout l, got;
	struct span body;
	struct err again;
	struct buf b;
	int ret = 0;

	layout_init(&l);
	layout_init(&got);
	buf_init(&b, 1 << 16);
	for (unsigned i = 0; ret == 0 && i < 100; i++)
		ret = layout_add(&l, i % 2, 1 + i, e);
	if (ret == 0)
		ret = layout_put(&b, &l, e);
	if (ret == 0) {
		body = span_of(b.data + MESSAGE_HEAD_BYTES,
			       b.len - MESSAGE_HEAD_BYTES);
		ret = layout_get(body, &got, e);
	}
	/* What could not grow is as it was, and grows when it can. */
	if (ret < 0 && fault_end())
		for (unsigned i = 0; i < 100; i++)
			assert_ok(layout_add(&l, i % 2, 1, &again), &again);
	layout_fini(&l);
	layout_fini(&got);
	buf_fini(&b);
	return ret;
}

static void
layouts_are_read_or_not(void **state)
{
	(void)state;
	each_failure_is_an_error(layouts);
}

static int
sealed(struct seal *s, struct seal *z, struct buf *b, struct err *e)
{
	const struct digest d = { { 1 } };

	if (seal_add(s, &d, e) < 0 || seal_add(z, &d, e) < 0 ||
	    seal_put(b, s, e) < 0)
		return -1;
	return seal_check(span_of(b->data + MESSAGE_HEAD_BYTES,
				  b->len - MESSAGE_HEAD_BYTES),
			  z, e);
}

static int
seals(struct err *e)
{
	struct seal s = { .nframes = 0 }, z = { .nframes = 0 };
	struct buf b;
	int ret = -1;

	buf_init(&b, 100);
	if (seal_init(&s, e) == 0 && seal_init(&z, e) == 0)
		ret = sealed(&s, &z, &b, e);
	seal_fini(&s);
	seal_fini(&z);
	buf_fini(&b);
	return ret;
}

static void
seals_agree_or_not(void **state)
{
	(void)state;
	each_failure_is_an_error(seals);
}

/* More items than are hashed at a time. */
static int
digested(struct frame_digest *d, struct err *e)
{
	const struct fingerprint fp = { { 1 } };
	struct digest digest;

	for (unsigned i = 0; i < 500; i++)
		if (frame_digest_page(d, &fp, e) < 0)
			return -1;
	if (frame_digest_bytes(d, small.kept_pages, 700, e) < 0)
		return -1;
	/* To the last byte but one, so that no item has room. */
	for (unsigned i = 0; i < sizeof(d->items) / 9; i++)
		if (frame_digest_fill(d, i, e) < 0)
			return -1;
	if (frame_digest_bytes(d, small.kept_pages, 1, e) < 0)
		return -1;
	return frame_digest_final(d, &digest, e);
}

static int
digests(struct err *e)
{
	struct frame_digest d;
	int ret;

	if (frame_digest_init(&d, 5, 6, e) < 0)
		return -1;
	ret = digested(&d, e);
	frame_digest_fini(&d);
	return ret;
}

static void
digests_are_made_or_not(void **state)
{
	(void)state;
	each_failure_is_an_error(digests);
}

static int
pools(struct err *e)
{
	struct pool *p = pool_new(4, e);

	pool_free(p);
	return p ? 0 : -1;
}

static void
pools_begin_or_not(void **state)
{
	(void)state;
	each_failure_is_an_error(pools);
}

static int
setup(void **state)
{
	(void)state;
	small_init(&small);
	buf_init(&wire, 1 << 20);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_made_or_not),
		cmocka_unit_test(frames_are_rebuilt_or_not),
		cmocka_unit_test(codecs_work_or_not),
		cmocka_unit_test(layouts_are_read_or_not),
		cmocka_unit_test(seals_agree_or_not),
		cmocka_unit_test(digests_are_made_or_not),
		cmocka_unit_test(pools_begin_or_not),
	};

	return cmocka_run_group_tests_name("fault", tests, setup, NULL);
}
