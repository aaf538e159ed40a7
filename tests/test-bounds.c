/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tests/test.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/layout.h"
#include "wire/live.h"
#include "wire/message.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"

/* Every message, at every length that is too small for it: to write it there
 * and to read it from there fails, and nothing past the end is touched (the
 * sanitizer builds see to that).
 */

static const uint8_t bytes[600] = { 1, 2, 3 };

static int
put_layout(struct buf *b, struct err *e)
{
	struct layout l;
	int ret;

	layout_init(&l);
	ret = layout_add(&l, true, 5, e) < 0 || layout_add(&l, false, 7, e) < 0;
	ret = ret ? -1 : layout_put(b, &l, e);
	layout_fini(&l);
	return ret;
}

static int
get_layout(struct span body, struct err *e)
{
	struct layout l;
	int ret;

	layout_init(&l);
	ret = layout_get(body, &l, e);
	layout_fini(&l);
	return ret;
}

static int
put_seal(struct buf *b, struct err *e)
{
	const struct digest d = { { 1 } };
	struct seal s;
	int ret = seal_init(&s, e);

	ret = ret < 0 ? -1 : seal_add(&s, &d, e);
	ret = ret < 0 ? -1 : seal_put(b, &s, e);
	seal_fini(&s);
	return ret;
}

static int
get_seal(struct span body, struct err *e)
{
	const struct digest d = { { 1 } };
	struct seal s;
	int ret = seal_init(&s, e);

	ret = ret < 0 ? -1 : seal_add(&s, &d, e);
	ret = ret < 0 ? -1 : seal_check(body, &s, e);
	seal_fini(&s);
	return ret;
}

static struct frame
frame_sample(void)
{
	struct frame f = { .first_page = 1 << 20, .npages = 9, .nbytes = 8 };

	f.streams[STREAM_PLAN] = (struct frame_stream){ bytes, 40, 20, 3 };
	f.streams[STREAM_FILL] = (struct frame_stream){ bytes, 16, 16, 0 };
	f.streams[STREAM_DATA] = (struct frame_stream){ bytes, 4096, 512, 1 };
	f.streams[STREAM_GAP] = (struct frame_stream){ bytes, 8, 8, 0 };
	return f;
}

static int
put_frame(struct buf *b, struct err *e)
{
	const struct frame f = frame_sample();
	size_t at;

	if (message_begin(b, MESSAGE_FRAME, &at, e) < 0 ||
	    buf_put_u32(b, 7, e) < 0 || frame_put(b, &f, e) < 0)
		return -1;
	return message_end(b, at, e);
}

static int
get_frame(struct span body, struct err *e)
{
	struct frame f;
	uint32_t number;

	return span_get_u32(&body, &number, e) < 0 ? -1
						   : frame_get(body, &f, e);
}

static const struct offer offer = {
	.held = { { OFFER_IMAGE, 5, { { 1 } }, "disk.qcow2" },
		  { OFFER_MEMORY, 6, { { 2 } }, "" } },
	.nheld = 2,
};
static const struct plan_ref refs[] = {
	{ 1, 300 }, { 0, 0 }, { 2, UINT64_MAX }, { 0, 0 }
};

static int
put(enum message_type type, struct buf *b, struct err *e)
{
	const struct hello hello = { HELLO_VERSION, HELLO_OLDEST_VERSION, 0,
				     HELLO_MEMORY_IMAGE };
	const struct want want = { 3, 1000, 70 };
	const struct fingerprint keyed[3] = { { { 1 } } };
	const struct digest regions[3] = { { { 1 } } };
	const struct err why = { ERR_LIMIT, 0, "the disk is full" };

	switch ((int)type) {
	case MESSAGE_HELLO:
		return hello_put(b, &hello, e);
	case MESSAGE_OFFER:
		return offer_put(b, &offer, e);
	case MESSAGE_LAYOUT:
		return put_layout(b, e);
	case MESSAGE_WANT:
		return want_put(b, &want, e);
	case MESSAGE_REGIONS:
		return regions_put(b, regions, 3, e);
	case MESSAGE_BASES:
		return bases_put(b, bytes, 3, e);
	case MESSAGE_FRAME:
		return put_frame(b, e);
	case MESSAGE_QUERY:
		return query_put(b, keyed, 3, e);
	case MESSAGE_ANSWER:
		return answer_put(b, refs, ARRAY_LEN(refs), e);
	case MESSAGE_SEAL:
		return put_seal(b, e);
	case MESSAGE_BLOCKS: {
		size_t at;

		if (message_begin(b, type, &at, e) < 0 ||
		    live_put_block(b, "pc.ram", 6, 1 << 20, e) < 0 ||
		    live_put_block(b, "vga", 3, 4096, e) < 0)
			return -1;
		return message_end(b, at, e);
	}
	case MESSAGE_CHANNEL:
		return live_put_channel(b, 2, e);
	case MESSAGE_TAKEN:
		return live_put_taken(b, 1, 1ull << 40, e);
	case MESSAGE_RETURN:
		return live_put_return(b, 0, bytes, 8, e);
	case MESSAGE_END:
		return live_put_end(b, &regions[0], e);
	case MESSAGE_AGAIN:
		return live_put_again(b, bytes, 77, e);
	case MESSAGE_COMMIT:
	case MESSAGE_SEALED: {
		size_t at;

		return message_begin(b, type, &at, e) < 0
			       ? -1
			       : message_end(b, at, e);
	}
	case MESSAGE_ERROR:
		return message_put_error(b, &why, e);
	case MESSAGE_PING:
	case MESSAGE_PONG:
		return message_put_u64(b, type, 1, e);
	default:
		return message_put_u32(b, type, 1, e);
	}
}

static int
get_blocks(struct span body, struct err *e)
{
	const uint8_t *name;
	uint8_t len;
	uint64_t used;

	do
		if (live_get_block(&body, &name, &len, &used, e) < 0)
			return -1;
	while (body.left > 0);
	return 0;
}

static int
get_return(struct span body, struct err *e)
{
	uint8_t channel;

	return live_get_return(&body, &channel, e);
}

static int
get(enum message_type type, struct span body, struct err *e)
{
	struct hello hello;
	struct offer o;
	struct want want;
	struct digest regions[3];
	struct fingerprint keyed[QUERY_MAX];
	struct plan_ref back[ARRAY_LEN(refs)];
	uint8_t held[PLAN_BASES_MAX - 1];
	struct err said;
	uint64_t u64;
	uint32_t u32;
	size_t n;
	bool keeps;

	switch ((int)type) {
	case MESSAGE_HELLO:
		return hello_get(body, &hello, e);
	case MESSAGE_OFFER:
		return offer_get(body, &o, e);
	case MESSAGE_LAYOUT:
		return get_layout(body, e);
	case MESSAGE_WANT:
		return want_get(body, &want, e);
	case MESSAGE_REGIONS:
		return regions_get(body, regions, 3, e);
	case MESSAGE_BASES:
		return bases_get(body, 4, held, &n, e);
	case MESSAGE_FRAME:
		return get_frame(body, e);
	case MESSAGE_QUERY:
		return query_get(body, keyed, &n, e);
	case MESSAGE_ANSWER:
		return answer_get(body, back, ARRAY_LEN(refs), 3, e);
	case MESSAGE_SEAL:
		return get_seal(body, e);
	case MESSAGE_BLOCKS:
		return get_blocks(body, e);
	case MESSAGE_CHANNEL:
		return live_get_channel(body, held, e);
	case MESSAGE_TAKEN:
		return live_get_taken(body, held, &u64, e);
	case MESSAGE_RETURN:
		return get_return(body, e);
	case MESSAGE_END:
		return live_get_end(body, &keeps, regions, e);
	case MESSAGE_AGAIN:
		return live_get_again(body, o.key, &u32, e);
	case MESSAGE_COMMIT:
	case MESSAGE_SEALED:
		return message_get_end(&body, e);
	case MESSAGE_ERROR:
		return message_get_error(body, &said, e);
	case MESSAGE_PING:
	case MESSAGE_PONG:
		return message_get_u64(body, &u64, e);
	default:
		return message_get_u32(body, &u32, e);
	}
}

/* Whether n bytes of that body, or n with zeros behind it, are a body too. */
static bool
is_whole(enum message_type type, size_t n)
{
	switch ((int)type) {
	case MESSAGE_HELLO: /* later versions add to it */
		return n >= HELLO_BYTES;
	case MESSAGE_OFFER:
		return n == OFFER_KEY_BYTES ||
		       n == OFFER_KEY_BYTES + OFFER_HELD_BYTES + 10;
	case MESSAGE_LAYOUT:
		return n % 8 == 0 && n <= 16; /* no run is empty */
	case MESSAGE_BASES:
		return n <= 4;
	case MESSAGE_QUERY:
		return n % FINGERPRINT_BYTES == 0;
	case MESSAGE_BLOCKS: /* any number of them; names may be empty */
		return n == 15 || (n > 27 && (n - 27) % 9 == 0);
	case MESSAGE_RETURN:
		return n >= 1;
	case MESSAGE_END:
		return n == 0;
	case MESSAGE_ERROR:
		return n >= 1 && n <= 1 + MESSAGE_TEXT_MAX;
	default:
		return false;
	}
}

static void
what_does_not_fit_is_not_written(void **state)
{
	struct buf b, small;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned t = 1; t < MESSAGE__MAX; t++) {
		buf_reset(&b);
		if (!message_kind(t))
			continue;
		assert_ok(put(t, &b, &e), &e);
		for (size_t max = 0; max < b.len; max++) {
			buf_init(&small, max);
			assert_err(put(t, &small, &e), &e, ERR_LIMIT);
			assert_true(small.len <= max);
			buf_fini(&small);
		}
		buf_init(&small, b.len);
		assert_ok(put(t, &small, &e), &e);
		buf_fini(&small);
	}
	buf_fini(&b);
}

static void
what_is_cut_short_or_too_long_is_not_read(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned t = 1; t < MESSAGE__MAX; t++) {
		size_t len;

		buf_reset(&b);
		if (!message_kind(t))
			continue;
		assert_ok(put(t, &b, &e), &e);
		len = b.len - MESSAGE_HEAD_BYTES;
		for (size_t n = 0; n <= len + 201; n++) {
			auto_free uint8_t *body = calloc(1, MAX(n, (size_t)1));
			bool whole = n == len || is_whole(t, n);

			/* Exactly n bytes, so that a sanitizer sees the end. */
			memcpy(body, b.data + MESSAGE_HEAD_BYTES, MIN(n, len));
			e.code = ERR_PROTOCOL;
			if ((get(t, span_of(body, n), &e) == 0) != whole)
				fail_msg("%s of %zu bytes", message_name(t), n);
			assert_int_equal(e.code, ERR_PROTOCOL);
		}
	}
	buf_fini(&b);
}

static void
more_than_its_bound_is_not_read(void **state)
{
	size_t n = MAX(QUERY_MAX * FINGERPRINT_BYTES, LAYOUT_BYTES_MAX) + 24;
	auto_free uint8_t *body = calloc(1, n);
	struct err e;

	(void)state;
	memset(body, 1, n);
	for (unsigned t = 1; t < MESSAGE__MAX; t++) {
		const struct message_kind *kind = message_kind(t);

		if (t == MESSAGE_FRAME || t == MESSAGE_HELLO ||
		    t == MESSAGE_RETURN || t == MESSAGE_BLOCKS || !kind)
			continue;
		for (size_t more = 1; more <= 16; more++) {
			e.code = ERR_NONE;
			if (get(t, span_of(body, kind->max + more), &e) == 0)
				fail_msg("%s of %zu bytes", kind->name,
					 kind->max + more);
			assert_true(e.code == ERR_PROTOCOL ||
				    e.code == ERR_LIMIT);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_not_written),
		cmocka_unit_test(what_is_cut_short_or_too_long_is_not_read),
		cmocka_unit_test(more_than_its_bound_is_not_read),
	};

	return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
