/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"
#include "tests/made-heap.h"

/* One byte: the level.  One byte: how many bits to flip; for each, where, as
 * four bytes.  The rest is encoded, must come back, and is then decoded with
 * those bits flipped.
 */
static void *ctx;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	auto_free uint8_t *coded = NULL, *exact = NULL, *out = NULL;
	uint32_t where[255];
	uint8_t level, flips;
	struct err e;
	size_t n;

	ctx = ctx ? ctx : codec_page.ctx_new();
	fuzz_check(ctx != NULL);
	if (span_get_u8(&in, &level, &e) < 0 ||
	    span_get_u8(&in, &flips, &e) < 0)
		return 0;
	for (unsigned i = 0; i < flips; i++)
		if (span_get_u32(&in, &where[i], &e) < 0)
			return 0;
	coded = malloc(in.left + 1);
	out = malloc(in.left + 1);
	fuzz_check(coded && out);
	fuzz_ok(codec_page.encode(ctx, level % CODEC_PAGE_LEVELS, in.at,
				  in.left, coded, in.left ? in.left - 1 : 0, &n,
				  &e),
		&e);
	if (n == 0)
		return 0;
	exact = malloc(n);
	fuzz_check(exact != NULL);
	memcpy(exact, coded, n);
	fuzz_ok(codec_page.decode(ctx, exact, n, out, in.left, &e), &e);
	fuzz_check(memcmp(out, in.at, in.left) == 0);
	for (unsigned i = 0; i < flips; i++)
		exact[where[i] / 8 % n] ^= (uint8_t)(1u << where[i] % 8);
	if (codec_page.decode(ctx, exact, n, out, in.left, &e) < 0)
		fuzz_check(e.code == ERR_PROTOCOL);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "intact", "one", "many" };
	static const uint8_t flips[] = { 0, 1, 40 };
	static uint8_t plain[3000];
	uint64_t seed = 4;
	struct err e;

	if (i >= ARRAY_LEN(names))
		return NULL;
	made_heap(plain, sizeof(plain), i + 1);
	fuzz_ok(buf_put_u8(out, (uint8_t)i, &e), &e);
	fuzz_ok(buf_put_u8(out, flips[i], &e), &e);
	for (unsigned k = 0; k < flips[i]; k++)
		fuzz_ok(buf_put_u32(out, (uint32_t)test_random(&seed), &e), &e);
	fuzz_ok(buf_put(out, plain, sizeof(plain), &e), &e);
	return names[i];
}
