/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"
#include "tests/made-heap.h"
#include "tests/slow-page.h"

#define MIB (1u << 20)

static uint8_t *in, *coded, *other, *out;
static void *best, *base;

static int
setup(void **state)
{
	(void)state;
	in = malloc(CODEC_BLOCK_MAX);
	coded = malloc(CODEC_BLOCK_MAX);
	other = malloc(CODEC_BLOCK_MAX);
	out = malloc(CODEC_BLOCK_MAX + 1);
	best = codec_page.ctx_new();
	base = codec_page.ctx_new();
	page_use_code(base, &page_code_base);
	made_heap(in, CODEC_BLOCK_MAX, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	codec_page.ctx_free(best);
	codec_page.ctx_free(base);
	free(in);
	free(coded);
	free(other);
	free(out);
	return 0;
}

static size_t
encode(void *ctx, int level, const uint8_t *block, size_t len, uint8_t *to)
{
	struct err e;
	size_t n;

	assert_ok(
		codec_page.encode(ctx, level, block, len, to, len - 1, &n, &e),
		&e);
	return n;
}

static void
comes_back(void *ctx, const uint8_t *block, size_t len, size_t n)
{
	struct err e;

	memset(out, 0xee, len + 1);
	assert_ok(codec_page.decode(ctx, coded, n, out, len, &e), &e);
	assert_memory_equal(out, block, len);
	assert_int_equal(out[len], 0xee);
}

static void
every_cpu_writes_and_reads_the_same_bytes(void **state)
{
	static const size_t lens[] = { 64,     100, 4096,   65536,
				       300001, MIB, 3 * MIB };

	(void)state;
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++)
		for (size_t l = 0; l < ARRAY_LEN(lens); l++) {
			size_t n = encode(best, level, in, lens[l], coded);
			size_t m = encode(base, level, in, lens[l], other);

			assert_int_equal(n, m);
			assert_memory_equal(coded, other, n);
			if (n == 0)
				continue;
			comes_back(best, in, lens[l], n);
			comes_back(base, in, lens[l], n);
		}
}

/* Written from the manual page, sharing no code with the decoder under test:
 * it makes the same of good blocks and refuses what that refuses.
 */
static void
a_slow_decoder_agrees(void **state)
{
	static const size_t lens[] = { 200, 4096, 65543, 400000 };
	uint64_t seed = 8;
	struct err e;

	(void)state;
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++)
		for (size_t l = 0; l < ARRAY_LEN(lens); l++) {
			size_t n = encode(best, level, in, lens[l], coded);

			assert_int_equal(
				slow_page_decode(coded, n, other, lens[l]), 0);
			assert_memory_equal(other, in, lens[l]);
			for (unsigned i = 0; i < 50 && l < 3; i++) {
				size_t at = test_random(&seed) % n;
				int ret;

				coded[at] ^= (uint8_t)(1u << i % 8);
				ret = codec_page.decode(best, coded, n, out,
							lens[l], &e);
				assert_int_equal(slow_page_decode(coded, n,
								  other,
								  lens[l]),
						 ret);
				if (ret == 0)
					assert_memory_equal(out, other,
							    lens[l]);
				coded[at] ^= (uint8_t)(1u << i % 8);
			}
		}
}

static void
heap_of_any_size_comes_back_smaller(void **state)
{
	(void)state;
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++)
		for (size_t len = 65536; len <= CODEC_BLOCK_MAX; len *= 2) {
			size_t n = encode(best, level, in, len, coded);

			assert_in_range(n, 1, len / 2);
			comes_back(best, in, len, n);
		}
}

/* Long runs of literals, long matches, both at the very end, and none. */
static void
extremes_come_back(void **state)
{
	uint64_t seed = 3;
	auto_free uint8_t *block = malloc(CODEC_BLOCK_MAX);

	(void)state;
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++)
		for (unsigned kind = 0; kind < 5; kind++) {
			size_t len = kind < 4 ? MIB + 13 : CODEC_BLOCK_MAX, n;

			memset(block, 0, len);
			for (size_t i = 0; i < len; i++)
				if (kind == 1 || (kind == 2 && i > len / 2) ||
				    (kind == 3 && i < len / 2))
					block[i] =
						(uint8_t)(test_random(&seed) >>
							  58);
			n = encode(best, level, block, len, coded);
			assert_in_range(n, 1, len - 1);
			comes_back(best, block, len, n);
		}
}

static void
noise_is_left_alone(void **state)
{
	static uint8_t noise[MIB];
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(test_random(&seed) >> 40);
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++)
		assert_int_equal(
			encode(best, level, noise, sizeof(noise), coded), 0);
}

/* The coder must end where it began and with all bytes read: that tells of
 * damage, but where it is in bits that no model stands for.
 */
static void
damage_is_found_and_stays_in_bounds(void **state)
{
	const size_t len = 65536;
	uint64_t seed = 11;
	struct err e;

	(void)state;
	for (int level = 0; level < CODEC_PAGE_LEVELS; level++) {
		size_t n = encode(best, level, in, len, coded), passed = 0;

		for (size_t cut = 0; cut < n; cut += 1 + cut / 8)
			assert_err(codec_page.decode(best, coded, cut, out, len,
						     &e),
				   &e, ERR_PROTOCOL);
		assert_err(codec_page.decode(best, coded, n, out, len + 1, &e),
			   &e, ERR_PROTOCOL);
		assert_err(codec_page.decode(best, coded, n, out, len - 1, &e),
			   &e, ERR_PROTOCOL);
		for (unsigned i = 0; i < 1000; i++) {
			size_t at = test_random(&seed) % n;
			uint8_t bit = (uint8_t)(1u << (i & 7));

			coded[at] ^= bit;
			memset(out + len, 0xee, 1);
			if (codec_page.decode(i & 8 ? best : base, coded, n,
					      out, len, &e) == 0)
				passed++;
			else
				assert_int_equal(e.code, ERR_PROTOCOL);
			assert_int_equal(out[len], 0xee);
			coded[at] ^= bit;
		}
		assert_in_range(passed, 0, 50);
		comes_back(best, in, len, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cpu_writes_and_reads_the_same_bytes),
		cmocka_unit_test(a_slow_decoder_agrees),
		cmocka_unit_test(heap_of_any_size_comes_back_smaller),
		cmocka_unit_test(extremes_come_back),
		cmocka_unit_test(noise_is_left_alone),
		cmocka_unit_test(damage_is_found_and_stays_in_bounds),
	};

	return cmocka_run_group_tests_name("page", tests, setup, teardown);
}
