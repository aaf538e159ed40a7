/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PAGE_PARSE_H
#define MIG_PAGE_PARSE_H

#include "codec/page-impl.h"

/* Cuts a block into sequences, some at a time.  How is the encoder's choice:
 * the decoder does not care.
 */
struct page_parser {
	const uint8_t *in;
	uint32_t len;
	uint32_t at;     /* where to look next */
	uint32_t anchor; /* what stands before it is in sequences */
	uint32_t rep[REPS];
	/* Where words of 8 and of 4 bytes were last seen, plus 1. */
	uint32_t *seen8, *seen4;
	unsigned bits8, bits4; /* of their sizes */
};

/* Fills a chunk but for .start and the literals: CHUNK_SEQS sequences, or
 * less where there are many literals or the block ends.
 */
typedef void page_parse_fn(struct page_parser *p, struct page_chunk *c);

page_parse_fn page_parse_fast;    /* takes what it finds */
page_parse_fn page_parse_lazy;    /* weighs, and looks one byte ahead */
page_parse_fn page_parse_patient; /* the same, in more places */

/* Below: what parsers share. */

/* The distances that a block begins with do not reach back beyond it from
 * here on, and those that follow never do.
 */
#define PARSE_REPS_FROM (8 * REPS)

static inline uint64_t
page_get8(const uint8_t *at)
{
	uint64_t v;

	__builtin_memcpy(&v, at, 8);
	return v;
}

static inline uint32_t
page_get4(const uint8_t *at)
{
	uint32_t v;

	__builtin_memcpy(&v, at, 4);
	return v;
}

/* There is room for another sequence with the literals before it. */
static inline bool
page_parser_goes_on(const struct page_parser *p, const struct page_chunk *c,
		    uint32_t limit)
{
	return p->at < limit && c->nseqs < CHUNK_SEQS &&
	       c->nlits + (p->at - p->anchor) < CHUNK_LITS / 2;
}

/* Ends a chunk: unless it is full, the literals so far are its last ones. */
void page_parser_rest(struct page_parser *p, struct page_chunk *c,
		      uint32_t limit);

/* How many bytes at a and b are equal, up to 'end' for a. */
uint32_t page_equal(const uint8_t *a, const uint8_t *b, const uint8_t *end);

/* A match: .rep is which of the last distances, or -1. */
struct page_match {
	uint32_t len, dist;
	int rep, score;
};

/* Appends the match at p->at, and goes on behind it. */
void page_parser_put(struct page_parser *p, struct page_chunk *c,
		     struct page_match m);

#endif
