/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "wire/frame.h"

static struct frame
sample(const uint8_t *bytes)
{
	struct frame f = {
		.first_page = 70000, .first_byte = 5, .npages = 300, .nbytes = 9
	};

	memset(f.digest.b, 0x5a, DIGEST_BYTES);
	f.streams[STREAM_PLAN] = (struct frame_stream){ bytes, 40, 20, 3 };
	f.streams[STREAM_DATA] = (struct frame_stream){ bytes, 4096, 4096, 0 };
	f.streams[STREAM_GAP] = (struct frame_stream){ bytes, 9, 9, 0 };
	return f;
}

static void
a_frame_comes_back(void **state)
{
	static uint8_t bytes[4096] = { 1, 2, 3 };
	struct frame f = sample(bytes), g;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_ok(frame_put(&b, &f, &e), &e);
	assert_true(b.len <= frame_bound(&f));
	assert_ok(frame_get(span_of(b.data, b.len), &g, &e), &e);
	assert_int_equal(g.first_page, 70000);
	assert_int_equal(g.first_byte, 5);
	assert_int_equal(g.npages, 300);
	assert_int_equal(g.nbytes, 9);
	assert_memory_equal(g.digest.b, f.digest.b, DIGEST_BYTES);
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		assert_int_equal(g.streams[i].raw_len, f.streams[i].raw_len);
		assert_int_equal(g.streams[i].codec, f.streams[i].codec);
		assert_int_equal(g.streams[i].coded_len,
				 f.streams[i].coded_len);
		if (g.streams[i].raw_len)
			assert_memory_equal(g.streams[i].coded, bytes,
					    g.streams[i].coded_len);
	}
	buf_fini(&b);
}

static void
any_cut_is_an_error(void **state)
{
	static uint8_t bytes[4096];
	struct frame f = sample(bytes), g;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_ok(frame_put(&b, &f, &e), &e);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *copy = malloc(n + 1); /* so that ASan sees the end */

		memcpy(copy, b.data, n);
		assert_err(frame_get(span_of(copy, n), &g, &e), &e,
			   ERR_PROTOCOL);
		free(copy);
	}
	assert_ok(buf_put_u8(&b, 0, &e), &e);
	assert_err(frame_get(span_of(b.data, b.len), &g, &e), &e, ERR_PROTOCOL);
	buf_fini(&b);
}

static void
refuses(struct frame f)
{
	struct frame g;
	struct buf b;
	struct err e;

	buf_init(&b, 64 << 20);
	assert_ok(frame_put(&b, &f, &e), &e);
	assert_err(frame_get(span_of(b.data, b.len), &g, &e), &e, ERR_PROTOCOL);
	buf_fini(&b);
}

static void
lengths_out_of_bounds_are_refused(void **state)
{
	uint8_t *bytes = calloc(1, 16 << 20);
	struct frame f;

	(void)state;
	f = sample(bytes);
	f.npages = FRAME_PAGES_MAX + 1;
	refuses(f);
	f = sample(bytes);
	f.nbytes = FRAME_BYTES_MAX + 1;
	refuses(f);
	f = sample(bytes);
	f.first_page = UINT64_MAX - 5;
	refuses(f);
	f = sample(bytes);
	f.first_byte = UINT64_MAX - 5;
	refuses(f);
	f = sample(bytes); /* grew */
	f.streams[STREAM_DATA].coded_len = 4097;
	refuses(f);
	f = sample(bytes); /* more than the pages can need */
	f.streams[STREAM_GAP].raw_len = 10;
	refuses(f);
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		size_t max = frame_stream_max(i, 300, 9);

		f = sample(bytes);
		f.streams[i] =
			(struct frame_stream){ bytes, (uint32_t)max + 1, 1, 0 };
		refuses(f);
		f.streams[i].raw_len = UINT32_MAX;
		refuses(f);
	}
	f = sample(bytes); /* each stream passes, together they do not */
	f.npages = FRAME_PAGES_MAX;
	f.streams[STREAM_DATA].raw_len = 8 << 20;
	f.streams[STREAM_WORD] = (struct frame_stream){ bytes, 8 << 20, 1, 0 };
	f.streams[STREAM_SLOT] = (struct frame_stream){ bytes, 2 << 20, 1, 0 };
	f.streams[STREAM_COPY] = (struct frame_stream){ bytes, 1 << 20, 1, 0 };
	f.streams[STREAM_FROM] = (struct frame_stream){ bytes, 3 << 20, 1, 0 };
	refuses(f);
	free(bytes);
}

static void
unknown_streams_are_refused(void **state)
{
	static uint8_t bytes[4096];
	struct frame f = { .npages = 1 }, g;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_ok(frame_put(&b, &f, &e), &e);
	b.data[b.len - 1] |= 0x10; /* the high byte of the stream set */
	assert_err(frame_get(span_of(b.data, b.len), &g, &e), &e, ERR_PROTOCOL);
	(void)bytes;
	buf_fini(&b);
}

static void
the_digest_tells_kinds_order_and_place_apart(void **state)
{
	struct fingerprint fp = { { 1 } };
	struct digest d[6];
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct frame_digest fd;

		assert_ok(frame_digest_init(&fd, i == 4, i == 5, &e), &e);
		if (i == 0 || i >= 3)
			assert_ok(frame_digest_page(&fd, &fp, &e), &e);
		for (unsigned k = 0; k < 1000; k++) /* past the item buffer */
			assert_ok(frame_digest_fill(&fd, 7, &e), &e);
		if (i == 1)
			assert_ok(frame_digest_page(&fd, &fp, &e), &e);
		if (i == 2)
			assert_ok(frame_digest_bytes(&fd, fp.b, 16, &e), &e);
		assert_ok(frame_digest_final(&fd, &d[i], &e), &e);
		frame_digest_fini(&fd);
	}
	assert_memory_equal(d[0].b, d[3].b, DIGEST_BYTES);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = i + 1; k < 6; k++)
			if (i != 0 || k != 3)
				assert_memory_not_equal(d[i].b, d[k].b,
							DIGEST_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_comes_back),
		cmocka_unit_test(any_cut_is_an_error),
		cmocka_unit_test(lengths_out_of_bounds_are_refused),
		cmocka_unit_test(unknown_streams_are_refused),
		cmocka_unit_test(the_digest_tells_kinds_order_and_place_apart),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
