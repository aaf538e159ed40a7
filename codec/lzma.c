/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lzma.h>
#include <stdlib.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "common/mem.h"

/* Raw LZMA1 with the position bits set for memory made of 8-byte words.  The
 * fast mode with a shallow search: in heap pages it is the adaptive model that
 * finds the bytes, not the search.
 */
struct lzma_ctx {
	lzma_stream encoder, decoder;
};

static const struct lzma_level {
	uint32_t nice_len, depth;
	lzma_match_finder mf;
	lzma_mode mode;
} levels[] = {
	{ 32, 2, LZMA_MF_HC3, LZMA_MODE_FAST },
	{ 128, 4, LZMA_MF_HC4, LZMA_MODE_FAST },
	{ 273, 8, LZMA_MF_HC4, LZMA_MODE_FAST },
	{ 273, 24, LZMA_MF_HC4, LZMA_MODE_FAST },
	{ 24, 4, LZMA_MF_HC4, LZMA_MODE_NORMAL },
	{ 32, 8, LZMA_MF_HC4, LZMA_MODE_NORMAL },
	{ 32, 8, LZMA_MF_BT3, LZMA_MODE_NORMAL },
	{ 64, 16, LZMA_MF_BT4, LZMA_MODE_NORMAL },
	{ 128, 32, LZMA_MF_BT4, LZMA_MODE_NORMAL },
	{ 273, 128, LZMA_MF_BT4, LZMA_MODE_NORMAL },
};

static void *
lzma_new(void)
{
	return calloc(1, sizeof(struct lzma_ctx));
}

static void
lzma_release(void *ctx)
{
	struct lzma_ctx *c = ctx;

	lzma_end(&c->encoder);
	lzma_end(&c->decoder);
	free(c);
}

/* The dictionary is never larger than the block: memory and table clearing
 * follow it.  The decoder needs the same bound, not the same value.
 */
static void
lzma_setup(lzma_options_lzma *o, int level, size_t block)
{
	const struct lzma_level *l;

	if (level < 0)
		level = 0;
	l = &levels[MIN((size_t)level, ARRAY_LEN(levels) - 1)];
	*o = (lzma_options_lzma){
		.dict_size = MAX((uint32_t)block, (uint32_t)LZMA_DICT_SIZE_MIN),
		.lc = 0,
		.lp = 3,
		.pb = 3,
		.mode = l->mode,
		.nice_len = l->nice_len,
		.mf = l->mf,
		.depth = l->depth,
	};
}

static int
lzma_encode(void *ctx, int level, const uint8_t *in, size_t len, uint8_t *out,
	    size_t cap, size_t *out_len, struct err *e)
{
	struct lzma_ctx *c = ctx;
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA1, &options },
				  { LZMA_VLI_UNKNOWN, NULL } };
	lzma_ret ret;

	*out_len = 0;
	lzma_setup(&options, level, len);
	ret = lzma_raw_encoder(&c->encoder, filters);
	if (ret != LZMA_OK)
		return err_set(e, ERR_SYSTEM, "lzma: set-up failed (%d)", ret);
	c->encoder.next_in = in;
	c->encoder.avail_in = len;
	c->encoder.next_out = out;
	c->encoder.avail_out = cap;
	if (lzma_code(&c->encoder, LZMA_FINISH) == LZMA_STREAM_END)
		*out_len = cap - c->encoder.avail_out;
	return 0;
}

static int
lzma_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	    size_t out_len, struct err *e)
{
	struct lzma_ctx *c = ctx;
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA1, &options },
				  { LZMA_VLI_UNKNOWN, NULL } };
	uint8_t none;
	lzma_ret ret;

	lzma_setup(&options, 0, out_len);
	ret = lzma_raw_decoder(&c->decoder, filters);
	if (ret != LZMA_OK)
		return err_set(e, ERR_SYSTEM, "lzma: set-up failed (%d)", ret);
	c->decoder.next_in = in;
	c->decoder.avail_in = len;
	c->decoder.next_out = out;
	c->decoder.avail_out = out_len;
	ret = lzma_code(&c->decoder, LZMA_RUN);
	/* The end marker may still be unread with all bytes out: let it. */
	if (ret == LZMA_OK && c->decoder.avail_out == 0) {
		c->decoder.next_out = &none;
		c->decoder.avail_out = 1;
		ret = lzma_code(&c->decoder, LZMA_RUN);
		if (c->decoder.avail_out != 1)
			return codec_bad_block("lzma", len, e);
		c->decoder.avail_out = 0;
	}
	if (ret != LZMA_STREAM_END || c->decoder.avail_out != 0 ||
	    c->decoder.avail_in != 0)
		return codec_bad_block("lzma", len, e);
	return 0;
}

const struct codec_impl codec_lzma = {
	.name = "lzma",
	.least = 0,
	.usual = 0,
	.most = 9,
	.ctx_new = lzma_new,
	.ctx_free = lzma_release,
	.encode = lzma_encode,
	.decode = lzma_decode,
};
