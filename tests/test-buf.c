/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/test.h"

#include "common/buf.h"

static void
put_stops_at_max(void **state)
{
	struct buf b;
	struct err e;
	uint8_t bytes[1000] = { 0 };

	(void)state;
	buf_init(&b, 1500);
	assert_ok(buf_put(&b, bytes, sizeof(bytes), &e), &e);
	assert_err(buf_put(&b, bytes, 501, &e), &e, ERR_LIMIT);
	assert_int_equal(b.len, 1000);
	assert_ok(buf_put(&b, bytes, 500, &e), &e);
	assert_err(buf_put_u8(&b, 1, &e), &e, ERR_LIMIT);
	buf_fini(&b);
}

static void
numbers_come_back(void **state)
{
	static const uint64_t values[] = { 0,          1,          127,
					   128,        16383,      16384,
					   UINT32_MAX, 1ull << 62, 1ull << 63,
					   UINT64_MAX };
	struct buf b;
	struct err e;
	struct span s;
	uint64_t v;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_ok(buf_put_varint(&b, values[i], &e), &e);
	assert_ok(buf_put_u16(&b, 0x1234, &e), &e);
	assert_ok(buf_put_u32(&b, 0x12345678, &e), &e);
	assert_ok(buf_put_u64(&b, 0x123456789abcdef0, &e), &e);
	s = span_of(b.data, b.len);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_ok(span_get_varint(&s, &v, &e), &e);
		assert_true(v == values[i]);
	}
	{
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;

		assert_ok(span_get_u16(&s, &u16, &e), &e);
		assert_ok(span_get_u32(&s, &u32, &e), &e);
		assert_ok(span_get_u64(&s, &u64, &e), &e);
		assert_int_equal(u16, 0x1234);
		assert_int_equal(u32, 0x12345678);
		assert_true(u64 == 0x123456789abcdef0);
	}
	assert_int_equal(s.left, 0);
	buf_fini(&b);
}

static void
get_past_the_end_consumes_nothing(void **state)
{
	uint8_t bytes[3] = { 0x80, 0x80, 0x80 };
	struct span s = span_of(bytes, sizeof(bytes));
	struct err e;
	uint64_t v = 7;
	uint32_t u32 = 7;

	(void)state;
	assert_err(span_get_u32(&s, &u32, &e), &e, ERR_PROTOCOL);
	assert_err(span_get_varint(&s, &v, &e), &e, ERR_PROTOCOL);
	assert_int_equal(s.left, 3);
	assert_int_equal(v, 7);
}

static void
varint_over_64_bits_is_refused(void **state)
{
	uint8_t bytes[11] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			      0xff, 0xff, 0xff, 0x02, 0 };
	struct span s = span_of(bytes, sizeof(bytes));
	struct err e;
	uint64_t v;

	(void)state;
	assert_err(span_get_varint(&s, &v, &e), &e, ERR_PROTOCOL);
}

static void
zigzag_comes_back(void **state)
{
	static const int64_t values[] = { 0, -1, 1, INT64_MIN, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(unzigzag(zigzag(values[i])) == values[i]);
	assert_int_equal(zigzag(-1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_stops_at_max),
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(get_past_the_end_consumes_nothing),
		cmocka_unit_test(varint_over_64_bits_is_refused),
		cmocka_unit_test(zigzag_comes_back),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
