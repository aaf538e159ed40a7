/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tests/test.h"
#include "wire/hello.h"
#include "wire/layout.h"
#include "wire/message.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"

static struct buf b;
static struct err e;

static int
begin(void **state)
{
	(void)state;
	buf_init(&b, 1 << 21);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	buf_fini(&b);
	return 0;
}

/* The body of the one message in b, which must be of this type. */
static struct span
body_of(enum message_type want)
{
	enum message_type type;
	uint32_t len;

	assert_ok(message_get_head(b.data, &type, &len, &e), &e);
	assert_int_equal(type, want);
	assert_int_equal(len, b.len - MESSAGE_HEAD_BYTES);
	return span_of(b.data + MESSAGE_HEAD_BYTES, len);
}

static void
lengths_are_bounded_for_each_type(void **state)
{
	unsigned known = 0;

	(void)state;
	for (unsigned t = 0; t < 256; t++) {
		const struct message_kind *kind = message_kind(t);
		uint8_t head[MESSAGE_HEAD_BYTES] = { (uint8_t)t };
		enum message_type type;
		uint32_t len;

		if (!kind) {
			bool tls = t == 0x15 || t == 0x16;

			assert_err(message_get_head(head, &type, &len, &e), &e,
				   tls ? ERR_AUTH : ERR_PROTOCOL);
			assert_string_equal(message_name(t), "unknown");
			continue;
		}
		known++;
		for (uint64_t n = 0; n <= (uint64_t)kind->max + 1;
		     n += n < 300 ? 1 : MAX(1u, (kind->max - 1) / 3)) {
			for (unsigned i = 0; i < 4; i++)
				head[1 + i] = (uint8_t)(n >> 8 * i);
			if (n < kind->min || n > kind->max) {
				assert_err(
					message_get_head(head, &type, &len, &e),
					&e, ERR_PROTOCOL);
				continue;
			}
			assert_ok(message_get_head(head, &type, &len, &e), &e);
			assert_int_equal(len, n);
		}
		memset(head + 1, 0xff, 4);
		assert_err(message_get_head(head, &type, &len, &e), &e,
			   ERR_PROTOCOL);
	}
	assert_int_equal(known, MESSAGE__MAX - 1 - 2); /* TLS */
}

static void
hello_comes_back_and_later_versions_may_add_to_it(void **state)
{
	const struct hello h = { 7, 3, 0x80000001, HELLO_MEMORY_IMAGE };
	uint8_t longer[100] = { 0 };
	struct hello got;
	struct span body;

	(void)state;
	assert_ok(hello_put(&b, &h, &e), &e);
	body = body_of(MESSAGE_HELLO);
	assert_int_equal(body.left, HELLO_BYTES);
	assert_ok(hello_get(body, &got, &e), &e);
	assert_memory_equal(&got, &h, offsetof(struct hello, purpose) + 1);
	memcpy(longer, body.at, body.left);
	assert_ok(hello_get(span_of(longer, sizeof(longer)), &got, &e), &e);
	assert_int_equal(got.version, 7);
	for (size_t n = 0; n < HELLO_BYTES; n++)
		assert_err(hello_get(span_of(body.at, n), &got, &e), &e,
			   ERR_PROTOCOL);
	longer[0] ^= 1;
	assert_err(hello_get(span_of(longer, HELLO_BYTES), &got, &e), &e,
		   ERR_PROTOCOL);
}

static void
versions_agree_when_their_ranges_meet(void **state)
{
	static const struct {
		uint16_t a_old, a_new, b_old, b_new;
		bool agree;
	} cases[] = {
		{ 1, 1, 1, 1, true },  { 1, 3, 3, 9, true },
		{ 1, 9, 4, 5, true },  { 2, 2, 1, 1, false },
		{ 1, 2, 3, 9, false }, { 5, 6, 1, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hello a = { cases[i].a_new, cases[i].a_old, 0, 1 };
		struct hello z = { cases[i].b_new, cases[i].b_old, 0, 1 };

		if (cases[i].agree) {
			assert_ok(hello_check(&a, &z, &e), &e);
			z.purpose = 2;
			assert_err(hello_check(&a, &z, &e), &e, ERR_PROTOCOL);
		} else {
			assert_err(hello_check(&a, &z, &e), &e, ERR_VERSION);
			assert_err(hello_check(&z, &a, &e), &e, ERR_VERSION);
		}
	}
}

static void
offer_comes_back(void **state)
{
	struct offer o = { .nheld = PLAN_BASES_MAX - 1 }, got;
	struct span body;
	struct buf more;
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < OFFER_KEY_BYTES; i++)
		o.key[i] = (uint8_t)test_random(&seed);
	for (size_t i = 0; i < o.nheld; i++) {
		o.held[i].kind = i % 2 ? OFFER_IMAGE : OFFER_MEMORY;
		o.held[i].npages = 1 + i * 0x1000000;
		o.held[i].root.b[i] = 1;
		memset(o.held[i].name, 'n', MIN(i * 5, (size_t)64));
	}
	o.held[3].name[0] = '\033';
	assert_ok(offer_put(&b, &o, &e), &e);
	body = body_of(MESSAGE_OFFER);
	assert_ok(offer_get(body, &got, &e), &e);
	assert_int_equal(got.held[3].name[0], '?');
	o.held[3].name[0] = '?';
	assert_int_equal(got.nheld, o.nheld);
	assert_memory_equal(got.key, o.key, OFFER_KEY_BYTES);
	for (size_t i = 0; i < o.nheld; i++) {
		assert_int_equal(got.held[i].kind, o.held[i].kind);
		assert_int_equal(got.held[i].npages, o.held[i].npages);
		assert_memory_equal(&got.held[i].root, &o.held[i].root,
				    DIGEST_BYTES);
		assert_string_equal(got.held[i].name, o.held[i].name);
	}
	/* One base more than fit. */
	buf_init(&more, 1 << 16);
	assert_ok(buf_put(&more, body.at, body.left, &e), &e);
	assert_ok(
		buf_put(&more, body.at + OFFER_KEY_BYTES, OFFER_HELD_BYTES, &e),
		&e);
	assert_err(offer_get(span_of(more.data, more.len), &got, &e), &e,
		   ERR_PROTOCOL);
	buf_fini(&more);
}

static void
an_offer_that_lies_is_refused(void **state)
{
	struct offer o = { .nheld = 1 }, got;
	struct span body;
	uint8_t *at;

	(void)state;
	o.held[0] = (struct offer_held){ OFFER_IMAGE, 5, { { 0 } }, "x" };
	assert_ok(offer_put(&b, &o, &e), &e);
	body = body_of(MESSAGE_OFFER);
	for (size_t n = 0; n < body.left; n++)
		if (n != OFFER_KEY_BYTES)
			assert_err(offer_get(span_of(body.at, n), &got, &e), &e,
				   ERR_PROTOCOL);
	at = b.data + MESSAGE_HEAD_BYTES + OFFER_KEY_BYTES;
	at[0] = OFFER_PROGRAMS + 1; /* no such kind */
	assert_err(offer_get(body, &got, &e), &e, ERR_PROTOCOL);
	at[0] = OFFER_IMAGE;
	at[1] = 0; /* no pages */
	assert_err(offer_get(body, &got, &e), &e, ERR_PROTOCOL);
	at[5] = 1; /* 2^32 pages */
	assert_err(offer_get(body, &got, &e), &e, ERR_PROTOCOL);
	at[5] = 0;
	at[1] = 1;
	at[OFFER_HELD_BYTES - 1] = OFFER_NAME_MAX + 1;
	assert_err(offer_get(body, &got, &e), &e, ERR_PROTOCOL);
}

static void
regions_and_bases_come_back(void **state)
{
	struct want w = { 3, 1000, REGIONS_MAX }, got;
	struct digest digests[3], back[3];
	uint8_t held[] = { 4, 0, 2 }, twice[] = { 1, 1 };
	uint8_t out[PLAN_BASES_MAX - 1];
	size_t n;

	(void)state;
	assert_ok(want_put(&b, &w, &e), &e);
	assert_ok(want_get(body_of(MESSAGE_WANT), &got, &e), &e);
	assert_memory_equal(&got.first, &w.first, 8);
	assert_int_equal(got.held, 3);
	buf_reset(&b);
	w.n = REGIONS_MAX + 1;
	assert_ok(want_put(&b, &w, &e), &e);
	assert_err(want_get(body_of(MESSAGE_WANT), &got, &e), &e, ERR_PROTOCOL);
	buf_reset(&b);
	w.n = 0;
	assert_ok(want_put(&b, &w, &e), &e);
	assert_err(want_get(body_of(MESSAGE_WANT), &got, &e), &e, ERR_PROTOCOL);
	buf_reset(&b);
	memset(digests, 7, sizeof(digests));
	assert_ok(regions_put(&b, digests, 3, &e), &e);
	assert_ok(regions_get(body_of(MESSAGE_REGIONS), back, 3, &e), &e);
	assert_memory_equal(back, digests, sizeof(back));
	assert_err(regions_get(body_of(MESSAGE_REGIONS), back, 2, &e), &e,
		   ERR_PROTOCOL);
	buf_reset(&b);
	assert_ok(bases_put(&b, held, 3, &e), &e);
	assert_ok(bases_get(body_of(MESSAGE_BASES), 5, out, &n, &e), &e);
	assert_int_equal(n, 3);
	assert_memory_equal(out, held, 3);
	assert_err(bases_get(body_of(MESSAGE_BASES), 4, out, &n, &e), &e,
		   ERR_PROTOCOL);
	buf_reset(&b);
	assert_ok(bases_put(&b, twice, 2, &e), &e);
	assert_err(bases_get(body_of(MESSAGE_BASES), 4, out, &n, &e), &e,
		   ERR_PROTOCOL);
}

static void
queries_and_answers_come_back(void **state)
{
	struct fingerprint keyed[QUERY_MAX], got[QUERY_MAX];
	struct plan_ref refs[4] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1ULL << 33 }, { 0, 0 }
	};
	struct plan_ref back[4];
	struct span body;
	size_t n;

	(void)state;
	memset(keyed, 3, sizeof(keyed));
	assert_ok(query_put(&b, keyed, QUERY_MAX, &e), &e);
	assert_ok(query_get(body_of(MESSAGE_QUERY), got, &n, &e), &e);
	assert_int_equal(n, QUERY_MAX);
	assert_memory_equal(keyed, got, sizeof(got));
	assert_err(query_get(span_of(b.data, 17), got, &n, &e), &e,
		   ERR_PROTOCOL);
	buf_reset(&b);
	assert_ok(answer_put(&b, refs, 4, &e), &e);
	body = body_of(MESSAGE_ANSWER);
	assert_ok(answer_get(body, back, 4, 3, &e), &e);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(back[i].base, refs[i].base);
		assert_int_equal(back[i].page, refs[i].page);
	}
	assert_err(answer_get(body, back, 4, 2, &e), &e, ERR_PROTOCOL);
	assert_err(answer_get(body, back, 3, 3, &e), &e, ERR_PROTOCOL);
}

static void
layout_says_where_everything_stands(void **state)
{
	static const struct {
		bool is_pages;
		uint64_t n;
	} runs[] = { { false, 100 }, { true, 5 }, { true, 3 }, { false, 7 },
		     { false, 1 },   { true, 2 }, { false, 4 } };
	struct layout l, got;
	uint64_t offset, follow, at = 0, page = 0, byte = 0;

	(void)state;
	layout_init(&l);
	layout_init(&got);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		assert_ok(layout_add(&l, runs[i].is_pages, runs[i].n, &e), &e);
	assert_int_equal(l.nruns, 5);
	assert_ok(layout_put(&b, &l, &e), &e);
	assert_ok(layout_get(body_of(MESSAGE_LAYOUT), &got, &e), &e);
	assert_int_equal(got.npages, 10);
	assert_int_equal(got.nbytes, 112);
	assert_int_equal(got.len, 112 + 10 * 4096);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		for (uint64_t k = 0; k < runs[i].n; k++) {
			if (runs[i].is_pages) {
				assert_true(layout_page(&got, page++, &offset));
				assert_int_equal(offset, at);
				at += 4096;
			} else {
				assert_true(layout_byte(&got, byte++, &offset,
							&follow));
				assert_int_equal(offset, at);
				assert_true(follow >= runs[i].n - k);
				at++;
			}
		}
	}
	assert_false(layout_page(&got, page, &offset));
	assert_false(layout_page(&got, UINT64_MAX, &offset));
	assert_false(layout_byte(&got, byte, &offset, &follow));
	layout_fini(&l);
	layout_fini(&got);
}

static void
a_layout_cannot_grow_without_end(void **state)
{
	struct layout l;

	(void)state;
	layout_init(&l);
	assert_err(layout_add(&l, true, 0, &e), &e, ERR_PROTOCOL);
	assert_err(layout_add(&l, true, UINT64_MAX >> 1, &e), &e, ERR_LIMIT);
	assert_ok(layout_add(&l, true, LAYOUT_FILE_MAX / 4096, &e), &e);
	assert_err(layout_add(&l, false, 1, &e), &e, ERR_LIMIT);
	layout_fini(&l);
	for (int i = 0; i < LAYOUT_RUNS_MAX; i++)
		assert_ok(layout_add(&l, i % 2, 1, &e), &e);
	assert_err(layout_add(&l, false, 1, &e), &e, ERR_LIMIT);
	layout_fini(&l);
}

static void
seals_agree_on_the_same_frames_in_the_same_order(void **state)
{
	struct digest x = { { 1 } }, y = { { 2 } };
	struct seal s[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_ok(seal_init(&s[i], &e), &e);
	assert_ok(seal_add(&s[0], &x, &e), &e);
	assert_ok(seal_add(&s[0], &y, &e), &e);
	assert_ok(seal_add(&s[1], &x, &e), &e);
	assert_ok(seal_add(&s[1], &y, &e), &e);
	assert_ok(seal_add(&s[2], &y, &e), &e);
	assert_ok(seal_add(&s[2], &x, &e), &e);
	assert_ok(seal_put(&b, &s[0], &e), &e);
	assert_ok(seal_check(body_of(MESSAGE_SEAL), &s[1], &e), &e);
	assert_err(seal_check(body_of(MESSAGE_SEAL), &s[2], &e), &e,
		   ERR_CORRUPT);
	seal_fini(&s[2]);
	assert_ok(seal_init(&s[2], &e), &e);
	assert_err(seal_check(body_of(MESSAGE_SEAL), &s[2], &e), &e,
		   ERR_CORRUPT);
	for (int i = 0; i < 3; i++)
		seal_fini(&s[i]);
}

static void
an_error_of_the_other_end_is_fit_to_print(void **state)
{
	struct err why, said;
	struct span body;

	(void)state;
	(void)err_set(&why, ERR_LIMIT, "disk \033[2J full\n\xff\x7f%%s~");
	assert_ok(message_put_error(&b, &why, &e), &e);
	body = body_of(MESSAGE_ERROR);
	assert_ok(message_get_error(body, &said, &e), &e);
	assert_int_equal(said.code, ERR_LIMIT);
	assert_string_equal(said.text, "disk ?[2J full???%s~");
	for (int code = 0; code < 256; code++) {
		b.data[MESSAGE_HEAD_BYTES] = (uint8_t)code;
		assert_ok(message_get_error(body, &said, &e), &e);
		assert_true(said.code > ERR_NONE && said.code <= ERR_CANCELLED);
	}
	buf_reset(&b);
	memset(why.text, 'x', sizeof(why.text) - 1);
	why.text[sizeof(why.text) - 1] = '\0';
	assert_ok(message_put_error(&b, &why, &e), &e);
	assert_ok(message_get_error(body_of(MESSAGE_ERROR), &said, &e), &e);
	assert_int_equal(strlen(said.text), MESSAGE_TEXT_MAX);
}

static void
numbers_come_back(void **state)
{
	uint32_t u32;
	uint64_t u64;

	(void)state;
	assert_ok(message_put_u32(&b, MESSAGE_NAK, 0x12345678, &e), &e);
	assert_ok(message_get_u32(body_of(MESSAGE_NAK), &u32, &e), &e);
	assert_int_equal(u32, 0x12345678);
	assert_err(message_get_u64(body_of(MESSAGE_NAK), &u64, &e), &e,
		   ERR_PROTOCOL);
	buf_reset(&b);
	assert_ok(message_put_u64(&b, MESSAGE_PONG, 1ULL << 63, &e), &e);
	assert_ok(message_get_u64(body_of(MESSAGE_PONG), &u64, &e), &e);
	assert_int_equal(u64, 1ULL << 63);
	assert_err(message_get_u32(body_of(MESSAGE_PONG), &u32, &e), &e,
		   ERR_PROTOCOL);
}

static void
what_is_too_long_or_too_short_is_not_sent(void **state)
{
	size_t at;

	(void)state;
	assert_ok(message_begin(&b, MESSAGE_PING, &at, &e), &e);
	assert_ok(buf_put(&b, "1234567", 7, &e), &e);
	assert_err(message_end(&b, at, &e), &e, ERR_LIMIT);
	buf_reset(&b);
	assert_ok(message_begin(&b, MESSAGE_PING, &at, &e), &e);
	assert_ok(buf_put(&b, "123456789", 9, &e), &e);
	assert_err(message_end(&b, at, &e), &e, ERR_LIMIT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lengths_are_bounded_for_each_type),
		TEST(hello_comes_back_and_later_versions_may_add_to_it),
		TEST(versions_agree_when_their_ranges_meet),
		TEST(offer_comes_back),
		TEST(an_offer_that_lies_is_refused),
		TEST(regions_and_bases_come_back),
		TEST(queries_and_answers_come_back),
		TEST(layout_says_where_everything_stands),
		TEST(a_layout_cannot_grow_without_end),
		TEST(seals_agree_on_the_same_frames_in_the_same_order),
		TEST(an_error_of_the_other_end_is_fit_to_print),
		TEST(numbers_come_back),
		TEST(what_is_too_long_or_too_short_is_not_sent),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
