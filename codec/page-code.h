/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a chunk is coded, in both directions, for one kind of CPU: included by
 * page-code-NAME.c, which defines CODE_TARGET and CODE_AVX2.
 */
#ifndef MIG_PAGE_CODE_H
#define MIG_PAGE_CODE_H

#ifndef CODE_SEEN
#define CODE_SEEN(model, symbol)
#endif

#include "codec/page-nibble.h"
#include "codec/page-seqs.h"
#include "common/mem.h"

/* Literals of a chunk: whose models those are, and the last one of each lane.
 */
struct page_lits {
	uint8_t *lits;
	const uint8_t *where;
	unsigned set;
	unsigned before[LANES];
};

CODE_INLINE void
page_lit(bool put, bool two, struct page_coder *k, struct page_state *s,
	 unsigned lane, struct page_lits *l, uint32_t i)
{
	bool first = l->where[i] & WHERE_FIRST;
	unsigned where = l->where[i] & (WHERE_FIRST - 1);
	unsigned before = l->before[lane] + (where & 16) * 16;
	unsigned lit = put ? l->lits[i] : 0, high, low;
	unsigned high_a = l->set + MODEL_HIGH_A + where;
	unsigned high_b = l->set + MODEL_HIGH_B + before;

	high = page_nibble2(put, two && !first, k, s, lane,
			    first ? high_a : high_b, high_a, lit >> 4);
	where = l->set + MODEL_LOW_A + where * 16 + high;
	before = l->set + MODEL_LOW_B + (before & ~15u) + high;
	low = page_nibble2(put, two && !first, k, s, lane, where, before,
			   lit & 15);
	lit = high << 4 | low;
	l->before[lane] = lit;
	if (!put)
		l->lits[i] = (uint8_t)lit;
}

CODE_INLINE int
page_lits(bool put, bool two, struct page_coder *k, struct page_chunk *c)
{
	struct page_state s = page_state_load(k);

	for (uint32_t base = 0; base < c->nlits; base += CHUNK_PIECE) {
		uint32_t n = MIN(c->nlits - base, CHUNK_PIECE);
		struct page_lits l = {
			.lits = c->lits[c->plain] + base,
			.where = c->where + base,
			.set = c->plain ? MODEL_PLAIN - MODEL_HIGH_A : 0,
		};

		if (!put)
			page_refill(k, &s);
#define ITEM(lane, i) page_lit(put, two, k, &s, lane, &l, i)
		LANES_EACH(n, ITEM);
#undef ITEM
		if (!put && s.at > k->end)
			return -1;
	}
	page_state_store(k, &s);
	return 0;
}

CODE_TARGET static void
page_put_seqs(struct page_coder *k, struct page_chunk *c)
{
	if (k->two_models)
		(void)page_seqs(true, true, k, c);
	else
		(void)page_seqs(true, false, k, c);
}

CODE_TARGET static int
page_get_seqs(struct page_coder *k, struct page_chunk *c)
{
	return k->two_models ? page_seqs(false, true, k, c)
			     : page_seqs(false, false, k, c);
}

CODE_TARGET static void
page_put_lits(struct page_coder *k, struct page_chunk *c)
{
	if (k->two_models)
		(void)page_lits(true, true, k, c);
	else
		(void)page_lits(true, false, k, c);
}

CODE_TARGET static int
page_get_lits(struct page_coder *k, struct page_chunk *c)
{
	return k->two_models ? page_lits(false, true, k, c)
			     : page_lits(false, false, k, c);
}

#define CODE_FUNCTIONS                                                         \
	{                                                                      \
		page_put_seqs, page_put_lits, page_get_seqs, page_get_lits     \
	}

#endif
