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

CODE_INLINE void
page_lit(bool put, bool two, struct page_coder *k, struct page_state *s,
	 unsigned lane, unsigned before[LANES], struct page_chunk *c,
	 uint32_t i)
{
	unsigned where = c->where[i], kind = where >> 3;
	unsigned prev = kind ? before[lane] : 0;
	unsigned lit = put ? c->lits[i] : 0, high, low;

	unsigned b = prev + (kind == 2 ? 256 : 0);

	if (two && kind > 0) {
		high = page_nibble2(put, k, s, lane, MODEL_HIGH_A + where,
				    MODEL_HIGH_B + b, lit >> 4);
		low = page_nibble2(put, k, s, lane,
				   MODEL_LOW_A + where * 16 + high,
				   MODEL_LOW_B + (b & ~15u) + high, lit & 15);
	} else {
		high = page_nibble(put, k, s, lane,
				   kind ? MODEL_HIGH_B + b
					: MODEL_HIGH_A + where,
				   lit >> 4);
		low = page_nibble(put, k, s, lane,
				  MODEL_LOW_A + where * 16 + high, lit & 15);
	}
	lit = high << 4 | low;
	before[lane] = lit;
	if (!put)
		c->lits[i] = (uint8_t)lit;
}

CODE_INLINE int
page_lits(bool put, bool two, struct page_coder *k, struct page_chunk *c)
{
	struct page_state s = page_state_load(k);

	for (uint32_t base = 0; base < c->nlits; base += CHUNK_PIECE) {
		uint32_t n = MIN(c->nlits - base, CHUNK_PIECE);
		unsigned before[LANES] = { 0 };

		if (!put)
			page_refill(k, &s);
#define ITEM(lane, i) page_lit(put, two, k, &s, lane, before, c, base + (i))
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
	(void)page_seqs(true, k, c);
}

CODE_TARGET static int
page_get_seqs(struct page_coder *k, struct page_chunk *c)
{
	return page_seqs(false, k, c);
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
