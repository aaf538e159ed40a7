/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PAGE_NIBBLE_H
#define MIG_PAGE_NIBBLE_H

/* The entropy coder: symbols of four bits with adaptive models, by rANS with
 * 32-bit states and 16-bit words, four states on one sequence of words.  Every
 * function works in both directions, so that they cannot differ: 'put' is
 * always a constant.  The includer says for which CPU: CODE_TARGET, CODE_AVX2.
 */
#include <endian.h>
#include <string.h>

#include "codec/page-impl.h"

#define CODE_INLINE                                                            \
	CODE_TARGET static inline __attribute__((always_inline))               \
	__attribute__((unused))

#define NIBBLE_RATE 6

typedef int16_t page_row __attribute__((vector_size(32), may_alias));
typedef uint16_t page_sums __attribute__((vector_size(32), may_alias));

/* What changes with every symbol, for the compiler to keep in registers. */
struct page_state {
	uint32_t x[LANES];
	const uint8_t *at;
	uint32_t *items;
};

CODE_INLINE struct page_state
page_state_load(const struct page_coder *k)
{
	return (struct page_state){ { k->x[0], k->x[1], k->x[2], k->x[3] },
				    k->at,
				    k->items };
}

CODE_INLINE void
page_state_store(struct page_coder *k, const struct page_state *s)
{
	memcpy(k->x, s->x, sizeof(k->x));
	k->at = s->at;
	k->items = s->items;
}

/* Which symbol's part of the range 'slot' is in: the sums rise. */
CODE_INLINE unsigned
page_find(const page_row *sum, uint32_t slot)
{
#if CODE_AVX2
	__m256i above = _mm256_cmpgt_epi16((__m256i)*sum,
					   _mm256_set1_epi16((int16_t)slot));
	uint64_t mask = (uint32_t)_mm256_movemask_epi8(above);

	return (unsigned)(__builtin_ctzll(mask | 1ull << 32) >> 1) - 1;
#else
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += (*sum)[i] <= (int16_t)slot;
	return n - 1;
#endif
}

CODE_INLINE void
page_learn(struct page_coder *k, unsigned model, unsigned symbol)
{
	page_row *sum = (page_row *)(void *)k->models.sum[model];
	const page_row *to =
		(const page_row *)(const void *)k->models.target[symbol];

	*sum += (*to - *sum) >> NIBBLE_RATE;
}

/* Codes the part [start, start + size) of the range.  No branch depends on
 * what is coded; a hostile state only gives other symbols.
 */
CODE_INLINE void
page_part(bool put, struct page_state *s, unsigned lane, uint32_t start,
	  uint32_t size)
{
	uint32_t x = s->x[lane], more, mask;
	uint16_t word;

	if (put) {
		*s->items++ = start | size << 15 | (uint32_t)lane << 30;
		return;
	}
	x = size * (x >> RANS_BITS) + (x & ((1u << RANS_BITS) - 1)) - start;
	memcpy(&word, s->at, 2);
	more = x < RANS_MIN;
	mask = -more;
	s->at += 2 * more;
	s->x[lane] = x ^ ((x ^ (x << 16 | le16toh(word))) & mask);
}

CODE_INLINE uint32_t
page_slot(const struct page_state *s, unsigned lane)
{
	return s->x[lane] & ((1u << RANS_BITS) - 1);
}

/* A symbol with one model. */
CODE_INLINE unsigned
page_nibble(bool put, struct page_coder *k, struct page_state *s, unsigned lane,
	    unsigned model, unsigned symbol)
{
	const uint16_t *sum = k->models.sum[model];
	uint32_t start;

	CODE_SEEN(model, symbol);
	if (!put)
		symbol = page_find((const page_row *)(const void *)sum,
				   page_slot(s, lane));
	start = sum[symbol];
	/* The next row begins with 0, which is 32768 here. */
	page_part(put, s, lane, start, (sum[symbol + 1] - start) & 0x7fff);
	page_learn(k, model, symbol);
	return symbol;
}

/* A symbol with the mean of two models, or, unless 'two', with the first. */
CODE_INLINE unsigned
page_nibble2(bool put, bool two, struct page_coder *k, struct page_state *s,
	     unsigned lane, unsigned model, unsigned other, unsigned symbol)
{
	const uint16_t *a = k->models.sum[model], *b = k->models.sum[other];
	uint32_t start, end;

	if (!two)
		return page_nibble(put, k, s, lane, model, symbol);
	CODE_SEEN(model, symbol);
	CODE_SEEN(other, symbol);
	if (!put) {
		page_row mean =
			(page_row)((*(const page_sums *)(const void *)a +
				    *(const page_sums *)(const void *)b) >>
				   1);

		symbol = page_find(&mean, page_slot(s, lane));
	}
	start = ((uint32_t)a[symbol] + b[symbol]) >> 1;
	end = ((((uint32_t)a[symbol + 1] - 1) & 0x7fff) +
	       (((uint32_t)b[symbol + 1] - 1) & 0x7fff) + 2) >>
	      1;
	page_part(put, s, lane, start, end - start);
	page_learn(k, model, symbol);
	page_learn(k, other, symbol);
	return symbol;
}

/* Up to 14 bits that no model knows anything about. */
CODE_INLINE uint32_t
page_bits(bool put, struct page_state *s, unsigned lane, unsigned n,
	  uint32_t value)
{
	if (!put)
		value = page_slot(s, lane) >> (RANS_BITS - n);
	page_part(put, s, lane, value << (RANS_BITS - n),
		  1u << (RANS_BITS - n));
	return value;
}

CODE_INLINE unsigned
page_log2(uint32_t v)
{
	return 31u - (unsigned)__builtin_clz(v);
}

/* A number below 2^23 - 1: its length in bits, the four bits below the top
 * one, and the rest as it is.
 */
CODE_INLINE uint32_t
page_number(bool put, struct page_coder *k, struct page_state *s, unsigned lane,
	    unsigned models, uint32_t value)
{
	uint32_t v = put ? value + 1 : 1;
	unsigned left = page_log2(v), n;

	n = page_nibble(put, k, s, lane, models, left < 15 ? left : 15);
	if (n == 15)
		n += page_bits(put, s, lane, 3, left - 15);
	left = n;
	if (left > 0) {
		n = left < 4 ? left : 4;
		left -= n;
		v = 1u << n |
		    (page_nibble(put, k, s, lane,
				 models + (left + n < 15 ? left + n : 15),
				 v >> left & ((1u << n) - 1)) &
		     ((1u << n) - 1));
	}
	while (left > 0) {
		n = left < 9 ? left : 9;
		left -= n;
		v = v << n | page_bits(put, s, lane, n,
				       (value + 1) >> left & ((1u << n) - 1));
	}
	return v - 1;
}

/* Decoding: makes sure that CHUNK_CODED_MAX bytes can be read. */
CODE_INLINE void
page_refill(struct page_coder *k, struct page_state *s)
{
	size_t left = (size_t)(k->end - s->at);

	if (k->in_tail || left >= CHUNK_CODED_MAX)
		return;
	memcpy(k->tail, s->at, left);
	memset(k->tail + left, 0, sizeof(k->tail) - left);
	k->in_tail = true;
	s->at = k->tail;
	k->end = k->tail + left;
}

/* Items [0, n) in four lanes, each a quarter of them in a row, in turn; the
 * first lanes take what does not divide.
 */
#define LANES_EACH(n, item)                                                    \
	do {                                                                   \
		const uint32_t each_ = (n) / 4, more_ = (n) % 4;               \
		const uint32_t b1_ = each_ + (more_ > 0);                      \
		const uint32_t b2_ = b1_ + each_ + (more_ > 1);                \
		const uint32_t b3_ = b2_ + each_ + (more_ > 2);                \
                                                                               \
		for (uint32_t i_ = 0; i_ < each_; i_++) {                      \
			item(0, i_);                                           \
			item(1, b1_ + i_);                                     \
			item(2, b2_ + i_);                                     \
			item(3, b3_ + i_);                                     \
		}                                                              \
		if (more_ > 0)                                                 \
			item(0, each_);                                        \
		if (more_ > 1)                                                 \
			item(1, b1_ + each_);                                  \
		if (more_ > 2)                                                 \
			item(2, b2_ + each_);                                  \
	} while (0)

#endif
