/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"

/* Raw deflate (negative window bits): the gzip header parser is a part of
 * zlib that bytes from the wire need not reach.
 */
#define ZLIB_WINDOW (-15)

struct zlib_ctx {
	z_stream deflate, inflate;
	int level; /* of .deflate; 0 while it is not set up */
	bool inflate_ready;
};

static void *
zlib_new(void)
{
	return calloc(1, sizeof(struct zlib_ctx));
}

static void
zlib_free(void *ctx)
{
	struct zlib_ctx *c = ctx;

	if (c->level)
		deflateEnd(&c->deflate);
	if (c->inflate_ready)
		inflateEnd(&c->inflate);
	free(c);
}

static int
zlib_deflate_ready(struct zlib_ctx *c, int level)
{
	if (c->level == level)
		return deflateReset(&c->deflate);
	if (c->level)
		deflateEnd(&c->deflate);
	c->level = 0;
	if (deflateInit2(&c->deflate, level, Z_DEFLATED, ZLIB_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return Z_MEM_ERROR;
	c->level = level;
	return Z_OK;
}

static int
zlib_encode(void *ctx, int level, const uint8_t *in, size_t len, uint8_t *out,
	    size_t cap, size_t *out_len, struct err *e)
{
	struct zlib_ctx *c = ctx;

	if (zlib_deflate_ready(c, level) != Z_OK)
		return err_set(e, ERR_SYSTEM, "zlib: cannot set up level %d",
			       level);
	c->deflate.next_in = (z_const Bytef *)in;
	c->deflate.avail_in = (uInt)len;
	c->deflate.next_out = out;
	c->deflate.avail_out = (uInt)cap;
	*out_len = 0;
	if (deflate(&c->deflate, Z_FINISH) == Z_STREAM_END)
		*out_len = cap - c->deflate.avail_out;
	return 0;
}

static int
zlib_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	    size_t out_len, struct err *e)
{
	struct zlib_ctx *c = ctx;

	if (!c->inflate_ready) {
		if (inflateInit2(&c->inflate, ZLIB_WINDOW) != Z_OK)
			return err_set(e, ERR_SYSTEM, "zlib: out of memory");
		c->inflate_ready = true;
	}
	inflateReset(&c->inflate);
	c->inflate.next_in = (z_const Bytef *)in;
	c->inflate.avail_in = (uInt)len;
	c->inflate.next_out = out;
	c->inflate.avail_out = (uInt)out_len;
	if (len > CODEC_BLOCK_MAX ||
	    inflate(&c->inflate, Z_FINISH) != Z_STREAM_END ||
	    c->inflate.avail_out != 0 || c->inflate.avail_in != 0)
		return codec_bad_block("zlib", len, e);
	return 0;
}

const struct codec_impl codec_zlib = {
	.name = "zlib",
	.least = 1,
	.usual = 6,
	.most = 9,
	.ctx_new = zlib_new,
	.ctx_free = zlib_free,
	.encode = zlib_encode,
	.decode = zlib_decode,
};
