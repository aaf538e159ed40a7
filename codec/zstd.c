/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"

struct zstd_ctx {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
};

static void
zstd_free(void *ctx)
{
	struct zstd_ctx *z = ctx;

	ZSTD_freeCCtx(z->c);
	ZSTD_freeDCtx(z->d);
	free(z);
}

static void *
zstd_new(void)
{
	struct zstd_ctx *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->c = ZSTD_createCCtx();
	z->d = ZSTD_createDCtx();
	if (!z->c || !z->d) {
		zstd_free(z);
		return NULL;
	}
	return z;
}

static int
zstd_encode(void *ctx, int level, const uint8_t *in, size_t len, uint8_t *out,
	    size_t cap, size_t *out_len, struct err *e)
{
	struct zstd_ctx *z = ctx;
	size_t n;

	*out_len = 0;
	n = ZSTD_compressCCtx(z->c, out, cap, in, len, level);
	if (!ZSTD_isError(n)) {
		*out_len = n;
		return 0;
	}
	if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		return 0;
	return err_set(e, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(n));
}

static int
zstd_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	    size_t out_len, struct err *e)
{
	struct zstd_ctx *z = ctx;

	if (ZSTD_decompressDCtx(z->d, out, out_len, in, len) != out_len)
		return codec_bad_block("zstd", len, e);
	return 0;
}

const struct codec_impl codec_zstd = {
	.name = "zstd",
	.least = -7,
	.usual = 3,
	.most = 19,
	.ctx_new = zstd_new,
	.ctx_free = zstd_free,
	.encode = zstd_encode,
	.decode = zstd_decode,
};
