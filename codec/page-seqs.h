/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How sequences are coded, in both directions; part of page-code.h. */
#ifndef MIG_PAGE_SEQS_H
#define MIG_PAGE_SEQS_H

#include "codec/page-nibble.h"
#include "common/mem.h"

/* What the models of a sequence go by: the sequences before, in its lane. */
struct page_before {
	unsigned at;  /* low 3 bits of the position */
	unsigned one; /* kind of the last match: none, words, bytes, repeated */
	unsigned two; /* and of the one before */
	unsigned len, run;
};

CODE_INLINE void
page_seq(bool put, bool two, struct page_coder *k, struct page_state *s,
	 unsigned lane, struct page_before *b, struct page_chunk *c, uint32_t i)
{
	uint32_t run = put ? c->run[i] : 0;
	uint32_t len = put ? c->len[i] - MATCH_MIN : 0;
	unsigned type = put ? c->type[i] : 0, n, rep;
	unsigned len15 = MIN(b->len, 15u), run15 = MIN(b->run, 15u);

	n = page_nibble2(put, two, k, s, lane, MODEL_RUN_A + b->one * 8 + b->at,
			 MODEL_RUN_B + len15 * 16 + run15, MIN(run, 15u));
	run = n < 15 ? n
		     : 15 + page_number(put, k, s, lane, MODEL_RUN_MORE,
					run - 15);
	b->at = (b->at + run) & 7;
	type = page_nibble2(
		put, two, k, s, lane,
		MODEL_TYPE_A + (b->one * 8 + b->at) * 2 + (run > 0),
		MODEL_TYPE_B + (MIN(run, 7u) * 16 + len15) * 4 + b->two, type);
	type = MIN(type, MATCH_TYPES - 1u);
	rep = type < MATCH_REP ? 0 : 1;
	n = page_nibble2(put, two, k, s, lane, MODEL_LEN_A + type * 8 + b->at,
			 MODEL_LEN_B + (MIN(run, 7u) * 16 + len15) * 2 + 1 -
				 rep,
			 MIN(len, 15u));
	len = n < 15 ? n
		     : 15 + page_number(put, k, s, lane,
					MODEL_LEN_MORE + (8 * rep + b->at) *
								 MODELS_NUMBER,
					len - 15);
	len += MATCH_MIN;
	b->at = (b->at + len) & 7;
	b->two = b->one;
	b->one = type < MATCH_REP ? 1 + type : 3;
	b->len = len;
	b->run = run;
	if (!put) {
		c->run[i] = run;
		c->len[i] = len;
		c->type[i] = (uint8_t)type;
	}
}

CODE_INLINE void
page_dist(bool put, struct page_coder *k, struct page_state *s, unsigned lane,
	  struct page_chunk *c, uint32_t i)
{
	unsigned type = c->type[c->which[i]];
	unsigned len = MIN(c->len[c->which[i]] - MATCH_MIN, 7u);
	uint32_t v = put ? c->dist[i] : 1, low = 0, model;
	unsigned log = page_log2(v), n;

	n = page_nibble(put, k, s, lane, MODEL_DIST_LOG + type * 8 + len,
			MIN(log, 15u));
	model = type * 16 + n;
	log = n < 15 ? n : 15 + page_bits(put, s, lane, 3, log - 15);
	if (log == 0) {
		v = 1;
	} else if (log <= 4) {
		low = page_nibble(put, k, s, lane, MODEL_DIST_TOP + model,
				  v & ((1u << log) - 1));
		v = 1u << log | (low & ((1u << log) - 1));
	} else {
		uint32_t top =
			page_nibble(put, k, s, lane, MODEL_DIST_TOP + model,
				    v >> (log - 4) & 15);
		uint32_t mid = 0;

		n = MIN(log - 4, 4u);
		low = page_nibble(put, k, s, lane, MODEL_DIST_LOW + model,
				  v & ((1u << n) - 1)) &
		      ((1u << n) - 1);
		if (log > 8)
			mid = page_bits(put, s, lane, log - 8,
					v >> 4 & ((1u << (log - 8)) - 1));
		v = 1u << log | top << (log - 4) | mid << 4 | low;
	}
	if (!put)
		c->dist[i] = v;
}

/* How many sequences there are, what follows them, what literals are, and
 * where in a word each lane begins.
 */
CODE_INLINE void
page_chunk_head(bool put, struct page_coder *k, struct page_state *s,
		struct page_chunk *c)
{
	uint32_t n = c->nseqs, rest = put ? c->run[n] : 0;
	unsigned kind = (n == CHUNK_SEQS ? 1 : 0) | (c->plain ? 2 : 0);

	kind = page_nibble(put, k, s, 0, MODEL_CHUNK, kind);
	c->plain = kind & 2;
	if (kind & 1) {
		n = CHUNK_SEQS;
		rest = 0;
	} else {
		n = page_bits(put, s, 0, 8, n);
		rest = page_number(put, k, s, 0, MODEL_RUN_MORE, rest);
	}
	for (unsigned lane = 1; lane < LANES; lane++)
		c->start[lane] =
			page_nibble(put, k, s, 0, MODEL_START, c->start[lane]) &
			7;
	c->nseqs = n;
	c->run[n] = rest;
}

/* Which sequences bring a new distance. */
CODE_INLINE void
page_chunk_new(struct page_chunk *c)
{
	c->nnew = 0;
	for (uint32_t i = 0; i < c->nseqs; i++) {
		c->which[c->nnew] = (uint8_t)i;
		c->nnew += c->type[i] < MATCH_REP;
	}
}

CODE_INLINE int
page_seqs(bool put, bool two, struct page_coder *k, struct page_chunk *c)
{
	struct page_state s = page_state_load(k);
	struct page_before before[LANES] = { { 0 } };

	if (!put)
		page_refill(k, &s);
#define ITEM(lane, i) page_seq(put, two, k, &s, lane, &before[lane], c, i)
	page_chunk_head(put, k, &s, c);
	for (unsigned lane = 0; lane < LANES; lane++)
		before[lane].at = c->start[lane];
	LANES_EACH(c->nseqs, ITEM);
#undef ITEM
	if (!put && s.at > k->end)
		return -1;
	if (!put) {
		page_chunk_new(c);
		page_refill(k, &s);
	}
#define ITEM(lane, i) page_dist(put, k, &s, lane, c, i)
	LANES_EACH(c->nnew, ITEM);
#undef ITEM
	if (!put && s.at > k->end)
		return -1;
	page_state_store(k, &s);
	return 0;
}

#endif
