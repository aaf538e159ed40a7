/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lz4.h>
#include <stdlib.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"

static void *
lz4_new(void)
{
	return malloc((size_t)LZ4_sizeofState());
}

static int
lz4_encode(void *ctx, int level, const uint8_t *in, size_t len, uint8_t *out,
	   size_t cap, size_t *out_len, struct err *e)
{
	int n = LZ4_compress_fast_extState(ctx, (const char *)in, (char *)out,
					   (int)len, (int)cap, 1 - level);

	(void)e;
	*out_len = n > 0 ? (size_t)n : 0;
	return 0;
}

static int
lz4_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	   size_t out_len, struct err *e)
{
	(void)ctx;
	if (len > CODEC_BLOCK_MAX ||
	    LZ4_decompress_safe((const char *)in, (char *)out, (int)len,
				(int)out_len) != (int)out_len)
		return codec_bad_block("lz4", len, e);
	return 0;
}

const struct codec_impl codec_lz4 = {
	.name = "lz4",
	.ctx_new = lz4_new,
	.ctx_free = free,
	.encode = lz4_encode,
	.decode = lz4_decode,
};
