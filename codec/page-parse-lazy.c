/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "codec/page-parse.h"
#include "common/mem.h"

/* Looks for the match that saves most, in about a bit a unit; where that is a
 * short one, also one byte on.  With more than one place in a bucket there is
 * time to go on like that, and to remember every byte.
 */
#define WORTH       5  /* of a byte that need not be sent */
#define SHORT       16 /* a longer match is taken at once */
#define SHORT_REP   12 /* the same of one at the last distance */
#define LONG_ENOUGH 64 /* the same for who is patient */
#define LONG        32 /* a longer repeated one ends the search */
#define TAIL        16 /* bytes at the end that are not searched */

/* How many places a bucket has is a constant in all of them. */
#define INLINE static inline __attribute__((always_inline))

static int
score_rep(uint32_t len, int rep)
{
	return (int)len * WORTH - (rep == 0 ? 4 : rep == 1 ? 7 : 9);
}

static int
score_new(uint32_t len, uint32_t dist)
{
	return (int)len * WORTH - 8 - (31 - __builtin_clz(dist >> 3 | 1)) -
	       (dist % 8 ? 5 : 0);
}

static void
better(struct page_match *m, uint32_t len, uint32_t dist, int rep)
{
	int score = rep < 0 ? score_new(len, dist) : score_rep(len, rep);

	if (score > m->score)
		*m = (struct page_match){ len, dist, rep, score };
}

/* At the last distances: four bytes and more, or two and three at the last
 * one.
 */
static void
look_back(const struct page_parser *p, uint32_t at, uint32_t word,
	  struct page_match *m)
{
	const uint8_t *in = p->in + at, *end = p->in + p->len;
	uint32_t found = 0, differ;

	if (at < PARSE_REPS_FROM)
		return;
#pragma GCC unroll 8
	for (unsigned i = 0; i < REPS; i++)
		found |= (uint32_t)(page_get4(in - p->rep[i]) == word) << i;
	if (found) {
		for (; found; found &= found - 1) {
			int i = __builtin_ctz(found);
			uint32_t d = p->rep[i];

			better(m, 4 + page_equal(in + 4, in + 4 - d, end), d,
			       i);
		}
		return;
	}
	differ = page_get4(in - p->rep[0]) ^ word;
	if ((differ & 0xffff) == 0)
		better(m, (uint32_t)__builtin_ctz(differ) >> 3, p->rep[0], 0);
}

/* The places in a bucket, the latest first; another goes in front. */
INLINE void
note(uint32_t *bucket, unsigned ways, uint32_t at)
{
	for (unsigned i = ways - 1; i > 0; i--)
		bucket[i] = bucket[i - 1];
	bucket[0] = at + 1;
}

INLINE uint32_t *
bucket8(const struct page_parser *p, unsigned ways, uint64_t v)
{
	return &p->seen8[(v * 0x9e3779b185ebca87ull >> (64 - p->bits8)) &
			 ~(ways - 1)];
}

INLINE uint32_t *
bucket4(const struct page_parser *p, unsigned ways, uint64_t v)
{
	return &p->seen4[((uint32_t)v * 2654435761u >> (32 - p->bits4)) &
			 ~(ways - 1)];
}

INLINE void
look_at(const struct page_parser *p, unsigned ways, const uint32_t *bucket,
	uint32_t at, uint32_t word, struct page_match *m)
{
	const uint8_t *in = p->in + at, *end = p->in + p->len;

	for (unsigned i = 0; m->len < LONG && i < ways; i++) {
		uint32_t from = bucket[i] - 1;

		if (bucket[i] && from < at && page_get4(p->in + from) == word)
			better(m, 4 + page_equal(in + 4, p->in + from + 4, end),
			       at - from, -1);
	}
}

INLINE struct page_match
look(struct page_parser *p, unsigned ways, uint32_t at)
{
	uint64_t v = page_get8(p->in + at);
	uint32_t *s8 = bucket8(p, ways, v), *s4 = bucket4(p, ways, v);
	struct page_match m = { .rep = -1 };

	look_back(p, at, (uint32_t)v, &m);
	look_at(p, ways, s8, at, (uint32_t)v, &m);
	look_at(p, ways, s4, at, (uint32_t)v, &m);
	if (s4[0] != at + 1) {
		note(s8, ways, at);
		note(s4, ways, at);
	}
	return m;
}

INLINE void
remember(struct page_parser *p, unsigned ways, uint32_t from, uint32_t end)
{
	uint32_t step = (end - from > 64 ? 4 : 1) * (ways > 1 ? 1 : 4);

	for (uint32_t i = (from + step) & ~(step - 1); i < end; i += step) {
		uint64_t v = page_get8(p->in + i);

		note(bucket8(p, ways, v), ways, i);
		note(bucket4(p, ways, v), ways, i);
	}
}

/* Goes one byte on for as long as that makes a better match of a short one. */
INLINE struct page_match
wait_for_better(struct page_parser *p, unsigned ways, struct page_match m,
		uint32_t limit)
{
	uint32_t enough = ways > 1     ? LONG_ENOUGH
			  : m.rep == 0 ? SHORT_REP
				       : SHORT;

	while (m.len < enough && p->at + 1 < limit) {
		struct page_match next = look(p, ways, p->at + 1);

		if (next.score <= m.score + WORTH - 2)
			break;
		p->at++;
		m = next;
		if (ways == 1)
			break;
	}
	return m;
}

INLINE void
parse(struct page_parser *p, unsigned ways, struct page_chunk *c)
{
	uint32_t limit = p->len > TAIL ? p->len - TAIL : 0;

	while (page_parser_goes_on(p, c, limit)) {
		struct page_match m = look(p, ways, p->at);

		if (m.score <= 0) {
			p->at += 1 + ((p->at - p->anchor) >> 8);
			continue;
		}
		m = wait_for_better(p, ways, m, limit);
		while (m.rep < 0 && p->at > p->anchor && p->at > m.dist &&
		       p->in[p->at - 1] == p->in[p->at - 1 - m.dist]) {
			p->at--;
			m.len++;
		}
		page_parser_put(p, c, m);
		remember(p, ways, p->at - m.len, MIN(p->at, limit));
	}
	page_parser_rest(p, c, limit);
}

void
page_parse_lazy(struct page_parser *p, struct page_chunk *c)
{
	parse(p, 1, c);
}

void
page_parse_patient(struct page_parser *p, struct page_chunk *c)
{
	parse(p, 4, c);
}
