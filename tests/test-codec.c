/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "codec/codec.h"
#include "common/mem.h"

#define LEN (300 * 1024)

static const struct codec_choice choices[] = {
	{ CODEC_RAW, 0 },   { CODEC_LZ4, 0 },   { CODEC_ZLIB, 1 },
	{ CODEC_ZLIB, 6 },  { CODEC_ZSTD, -1 }, { CODEC_ZSTD, 3 },
	{ CODEC_ZSTD, 19 }, { CODEC_LZMA, 0 },  { CODEC_LZMA, 2 },
	{ CODEC_LZMA, 5 },  { CODEC_PAGE, 0 },  { CODEC_PAGE, 1 },
	{ CODEC_PAGE, 2 },
};

static struct codec_set *set;
static uint8_t *in, *coded, *out;

static int
setup(void **state)
{
	struct err e;
	uint64_t seed = 42;

	(void)state;
	set = codec_set_new(&e);
	in = malloc(LEN);
	coded = malloc(codec_bound(LEN));
	out = malloc(LEN + 1);
	for (size_t i = 0; i < LEN; i += 4) /* compresses, not to nothing */
		memset(in + i, (int)(test_random(&seed) >> 60), 4);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	codec_set_free(set);
	free(in);
	free(coded);
	free(out);
	return 0;
}

static void
blocks_come_back(void **state)
{
	static const size_t lens[] = { 0, 1, 2, 7, 4096, 65537, LEN };
	struct err e;

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(choices); c++)
		for (size_t l = 0; l < ARRAY_LEN(lens); l++) {
			enum codec_id used;
			size_t n;

			assert_ok(codec_encode(set, choices[c], in, lens[l],
					       coded, &n, &used, &e),
				  &e);
			assert_true(n <= lens[l]);
			memset(out, 0xee, LEN + 1);
			assert_ok(codec_decode(set, used, coded, n, out,
					       lens[l], &e),
				  &e);
			assert_memory_equal(out, in, lens[l]);
			assert_int_equal(out[lens[l]], 0xee);
			if (choices[c].id != CODEC_RAW && lens[l] == LEN)
				assert_true(n < LEN / 2);
		}
}

static void
what_cannot_shrink_stays_raw(void **state)
{
	static uint8_t noise[65536], room[65536];
	struct err e;
	uint64_t seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(test_random(&seed) >> 33);
	for (size_t c = 0; c < ARRAY_LEN(choices); c++) {
		enum codec_id used;
		size_t n;

		assert_ok(codec_encode(set, choices[c], noise, sizeof(noise),
				       room, &n, &used, &e),
			  &e);
		assert_int_equal(used, CODEC_RAW);
		assert_int_equal(n, sizeof(noise));
	}
}

static void
damage_is_an_error_and_stays_in_bounds(void **state)
{
	struct err e;
	uint64_t seed = 9;

	(void)state;
	for (size_t c = 1; c < ARRAY_LEN(choices); c++) {
		enum codec_id used;
		size_t n;

		assert_ok(codec_encode(set, choices[c], in, 65536, coded, &n,
				       &used, &e),
			  &e);
		memset(out, 0xee, LEN + 1);
		/* cut short, one byte too many wanted, one too few */
		assert_err(
			codec_decode(set, used, coded, n / 2, out, 65536, &e),
			&e, ERR_PROTOCOL);
		assert_err(codec_decode(set, used, coded, n, out, 65537, &e),
			   &e, ERR_PROTOCOL);
		assert_err(codec_decode(set, used, coded, n, out, 65535, &e),
			   &e, ERR_PROTOCOL);
		for (int i = 0; i < 200; i++) {
			size_t at = test_random(&seed) % n;
			uint8_t was = coded[at];

			coded[at] ^= (uint8_t)(1u << (i & 7));
			(void)!codec_decode(set, used, coded, n, out, 65536,
					    &e);
			coded[at] = was;
		}
		for (size_t i = 65537; i < LEN + 1; i++)
			assert_int_equal(out[i], 0xee);
	}
}

static void
unknown_codecs_and_large_blocks_are_refused(void **state)
{
	struct err e;

	(void)state;
	assert_err(codec_decode(set, CODEC__MAX, coded, 1, out, 1, &e), &e,
		   ERR_PROTOCOL);
	assert_err(codec_decode(set, CODEC_RAW, coded, 1, out,
				CODEC_BLOCK_MAX + 1, &e),
		   &e, ERR_PROTOCOL);
	assert_null(codec_name(CODEC__MAX));
}

static void
a_codec_is_named_with_its_level(void **state)
{
	static const char *const wrong[] = { "",       "arj",     "zst",
					     "zstd:",  "zstd:20", "zstd:3x",
					     "page:3", "zlib:0",  "zstd3" };
	struct codec_choice c;
	struct err e;

	(void)state;
	assert_ok(codec_parse("zstd:-7", &c, &e), &e);
	assert_int_equal(c.id, CODEC_ZSTD);
	assert_int_equal(c.level, -7);
	assert_ok(codec_parse("page", &c, &e), &e);
	assert_int_equal(c.id, CODEC_PAGE);
	assert_int_equal(c.level, 1);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_err(codec_parse(wrong[i], &c, &e), &e, ERR_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_come_back),
		cmocka_unit_test(what_cannot_shrink_stays_raw),
		cmocka_unit_test(damage_is_an_error_and_stays_in_bounds),
		cmocka_unit_test(unknown_codecs_and_large_blocks_are_refused),
		cmocka_unit_test(a_codec_is_named_with_its_level),
	};

	return cmocka_run_group_tests_name("codec", tests, setup, teardown);
}
