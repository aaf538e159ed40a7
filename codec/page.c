/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "codec/page-chunk.h"
#include "codec/page-impl.h"
#include "codec/page-parse.h"
#include "common/load.h"
#include "common/mem.h"

/* Our own codec, for memory that no reference explains: heap, in the main.
 * LZ77 made for words of 8 bytes, with literals as differences from the byte
 * at the distance last used, and adaptive models for all symbols that are good
 * from the start.  virt-mig-codec(7) is the format.
 */
struct page_ctx {
	struct page_models start; /* what every block begins with */
	struct page_coder coder;
	struct page_chunk chunk;
	const struct page_code *code;
	uint32_t *seen8, *seen4; /* of the parser: made by the first encoding */
	uint32_t *items; /* of the encoder, as many as the largest block had */
	size_t items_cap;
};

#define SEEN_BITS_MAX 18

static const struct page_level {
	page_parse_fn *parse;
	bool two_models;
	unsigned bits8, bits4;
} levels[] = {
	{ page_parse_fast, false, 13, 13 },
	{ page_parse_lazy, true, 14, 14 },
	{ page_parse_patient, true, 18, 18 },
};

static void
page_free(void *ctx)
{
	struct page_ctx *c = ctx;

	free(c->seen8);
	free(c->items);
	free(c);
}

static void *
page_new(void)
{
	struct page_ctx *c = aligned_alloc(32, sizeof(*c));

	static_assert(sizeof(*c) % 32 == 0, "as aligned_alloc() wants it");
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	page_models_init(&c->start);
	c->code = page_code_best();
	return c;
}

void
page_use_code(void *ctx, const struct page_code *code)
{
	struct page_ctx *c = ctx;

	c->code = code;
}

static void
page_begin(struct page_ctx *c, bool two_models)
{
	c->coder.models = c->start;
	c->coder.two_models = two_models;
}

/* Most symbols of a block, but for its last chunk: two for every literal, and
 * some for the lengths of long runs of them.
 */
#define ITEMS_MAX(len) (2 * (len) + (len) / 4)
#define ITEMS_CHUNK    (2 * CHUNK_LITS + 64 * CHUNK_SEQS)

/* Tables of the parser and room for the symbols. */
static int
page_room(struct page_ctx *c, size_t len, struct err *e)
{
	size_t items = ITEMS_MAX(len) + ITEMS_CHUNK;

	if (!c->seen8)
		c->seen8 = malloc(2 * sizeof(*c->seen8) << SEEN_BITS_MAX);
	if (!c->seen8)
		return err_sys(e, "page: tables");
	c->seen4 = c->seen8 + (1u << SEEN_BITS_MAX);
	if (items <= c->items_cap)
		return 0;
	free(c->items);
	c->items_cap = 0;
	c->items = malloc(items * sizeof(*c->items));
	if (!c->items)
		return err_sys(e, "page: %zu symbols", items);
	c->items_cap = items;
	return 0;
}

/* What was noted, last first, so that the decoder finds it first first.
 * Returns how many bytes at the end of [out, out + cap), or 0: it does not fit.
 */
static size_t
page_flush(const struct page_coder *k, const uint32_t *items, uint8_t *out,
	   size_t cap)
{
	uint32_t x[LANES] = { RANS_MIN, RANS_MIN, RANS_MIN, RANS_MIN };
	uint8_t *at = out + cap, *floor = out + BLOCK_HEAD + 2;

	for (const uint32_t *i = k->items; i > items;) {
		uint32_t item = *--i, start = item & 0x7fff;
		uint32_t size = item >> 15 & 0x7fff, lane = item >> 30;
		uint32_t y = x[lane], full = y >= (uint64_t)size << 17;
		uint16_t word = htole16((uint16_t)y);

		if (at < floor)
			return 0;
		/* No branch: whether it is full cannot be foreseen. */
		memcpy(at - 2, &word, 2);
		at -= 2 * full;
		y >>= 16 * full;
		x[lane] = ((y / size) << 15) + y % size + start;
	}
	for (unsigned lane = LANES; lane-- > 0;) {
		uint32_t y = htole32(x[lane]);

		at -= 4;
		memcpy(at, &y, 4);
	}
	return (size_t)(out + cap - at);
}

static int
page_encode(void *ctx, int level, const uint8_t *in, size_t len, uint8_t *out,
	    size_t cap, size_t *out_len, struct err *e)
{
	struct page_ctx *c = ctx;
	const struct page_level *l =
		&levels[MIN((size_t)MAX(level, 0), ARRAY_LEN(levels) - 1)];
	struct page_parser p = { .in = in,
				 .len = (uint32_t)len,
				 .bits8 = l->bits8,
				 .bits4 = l->bits4 };
	struct page_window w = { .len = (uint32_t)len };

	*out_len = 0;
	if (cap <= BLOCK_HEAD)
		return 0;
	if (page_room(c, len, e) < 0)
		return -1;
	page_begin(c, l->two_models);
	c->coder.items = c->items;
	p.seen8 = c->seen8;
	p.seen4 = c->seen4;
	memset(p.seen8, 0, sizeof(*p.seen8) << p.bits8);
	memset(p.seen4, 0, sizeof(*p.seen4) << p.bits4);
	page_reps_init(p.rep);
	page_reps_init(w.rep);
	while (w.at < len) {
		/* So many symbols would not have become less bytes. */
		if (c->coder.items > c->items + ITEMS_MAX(len))
			return 0;
		c->chunk.nseqs = c->chunk.nnew = c->chunk.nlits = 0;
		l->parse(&p, &c->chunk);
		if (page_chunk_place(&c->chunk, &w) < 0)
			return err_set(e, ERR_SYSTEM, "page: bad sequences");
		page_chunk_take(&c->chunk, &w, in);
		page_chunk_choose(&c->chunk, &c->coder.models);
		c->code->put_seqs(&c->coder, &c->chunk);
		c->code->put_lits(&c->coder, &c->chunk);
	}
	len = page_flush(&c->coder, c->items, out, cap);
	if (len == 0)
		return 0;
	out[0] = BLOCK_PRIORS | (l->two_models ? BLOCK_TWO_MODELS : 0);
	memmove(out + 1, out + cap - len, len);
	*out_len = len + 1;
	return 0;
}

static int
page_get_chunks(struct page_ctx *c, uint8_t *out, size_t out_len)
{
	struct page_window w = { .len = (uint32_t)out_len };

	page_reps_init(w.rep);
	while (w.at < w.len) {
		c->chunk.start[0] = w.at & 7;
		if (c->code->get_seqs(&c->coder, &c->chunk) < 0 ||
		    page_chunk_place(&c->chunk, &w) < 0 ||
		    c->code->get_lits(&c->coder, &c->chunk) < 0 ||
		    page_chunk_give(&c->chunk, &w, out) < 0)
			return -1;
	}
	/* The states end where the encoder began. */
	for (unsigned lane = 0; lane < LANES; lane++)
		if (c->coder.x[lane] != RANS_MIN)
			return -1;
	return c->coder.at == c->coder.end ? 0 : -1;
}

static int
page_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	    size_t out_len, struct err *e)
{
	struct page_ctx *c = ctx;

	if (len < BLOCK_HEAD || len >= out_len || (len - BLOCK_HEAD) % 2 ||
	    (in[0] & ~BLOCK_TWO_MODELS) != BLOCK_PRIORS)
		return codec_bad_block("page", len, e);
	page_begin(c, in[0] & BLOCK_TWO_MODELS);
	for (unsigned lane = 0; lane < LANES; lane++)
		c->coder.x[lane] = load_le32(in + 1 + 4 * lane);
	c->coder.at = in + BLOCK_HEAD;
	c->coder.end = in + len;
	c->coder.in_tail = false;
	if (page_get_chunks(c, out, out_len) < 0)
		return codec_bad_block("page", len, e);
	return 0;
}

const struct codec_impl codec_page = {
	.name = "page",
	.least = 0,
	.usual = 1,
	.most = CODEC_PAGE_LEVELS - 1,
	.ctx_new = page_new,
	.ctx_free = page_free,
	.encode = page_encode,
	.decode = page_decode,
};
