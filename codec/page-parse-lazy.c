/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "codec/page-parse.h"
#include "common/mem.h"

/* Looks for the match that saves most, in about fifths of a bit a byte; where
 * that is a short one, also one byte on.
 */
#define WORTH       5  /* of a byte that need not be sent */
#define SHORT       16 /* a longer match is taken at once */
#define LONG_ENOUGH 64 /* the same for who is patient */
#define LONG        32 /* a longer repeated one ends the search */
#define TAIL        16 /* bytes at the end that are not searched */

static int
score_rep(uint32_t len, int rep)
{
	return (int)len * WORTH - (rep == 0 ? 4 : rep == 1 ? 7 : 9);
}

static int
score_new(uint32_t len, uint32_t dist)
{
	return (int)len * WORTH - 8 - (31 - __builtin_clz(dist >> 3 | 1)) -
	       (dist % 8 ? 7 : 0);
}

static void
better(struct page_match *m, uint32_t len, uint32_t dist, int rep)
{
	int score = rep < 0 ? score_new(len, dist) : score_rep(len, rep);

	if (score > m->score)
		*m = (struct page_match){ len, dist, rep, score };
}

/* At the last distances: four bytes and more, or two and more at the first
 * few.
 */
static void
look_back(const struct page_parser *p, uint32_t at, uint32_t word,
	  struct page_match *m)
{
	const uint8_t *in = p->in + at, *end = p->in + p->len;
	uint32_t found = 0;

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
	for (int i = 0; i < 4; i++) {
		uint32_t d = p->rep[i], differ;

		differ = page_get4(in - d) ^ word;
		if ((differ & 0xffff) == 0)
			better(m, (uint32_t)__builtin_ctz(differ) >> 3, d, i);
	}
}

static struct page_match
look(struct page_parser *p, uint32_t at)
{
	const uint8_t *in = p->in + at, *end = p->in + p->len;
	uint64_t v = page_get8(in);
	uint32_t word = (uint32_t)v;
	uint32_t *s8 = &p->seen8[v * 0x9e3779b185ebca87ull >> (64 - p->bits8)];
	uint32_t *s4 = &p->seen4[word * 2654435761u >> (32 - p->bits4)];
	uint32_t seen[2] = { *s8, *s4 };
	struct page_match m = { .rep = -1 };

	look_back(p, at, word, &m);
	for (unsigned i = 0; m.len < LONG && i < 2; i++) {
		uint32_t from = seen[i] - 1;

		if (seen[i] && from < at && page_get4(p->in + from) == word)
			better(&m,
			       4 + page_equal(in + 4, p->in + from + 4, end),
			       at - from, -1);
	}
	*s8 = *s4 = at + 1;
	return m;
}

static void
remember(struct page_parser *p, uint32_t from, uint32_t end)
{
	uint32_t step = (end - from > 64 ? 4 : 1) * (p->patient ? 1 : 4);

	for (uint32_t i = (from + step) & ~(step - 1); i < end; i += step) {
		uint64_t v = page_get8(p->in + i);

		p->seen8[v * 0x9e3779b185ebca87ull >> (64 - p->bits8)] = i + 1;
		p->seen4[(uint32_t)v * 2654435761u >> (32 - p->bits4)] = i + 1;
	}
}

/* Goes one byte on for as long as that makes a better match of a short one. */
static struct page_match
wait_for_better(struct page_parser *p, struct page_match m, uint32_t limit)
{
	while (m.len < (p->patient ? LONG_ENOUGH : SHORT) &&
	       p->at + 1 < limit) {
		struct page_match next = look(p, p->at + 1);

		if (next.score <= m.score + WORTH - 2)
			break;
		p->at++;
		m = next;
		if (!p->patient)
			break;
	}
	return m;
}

void
page_parse_lazy(struct page_parser *p, struct page_chunk *c)
{
	uint32_t limit = p->len > TAIL ? p->len - TAIL : 0;

	while (page_parser_goes_on(p, c, limit)) {
		struct page_match m = look(p, p->at);

		if (m.score <= 0) {
			p->at += 1 + ((p->at - p->anchor) >> 8);
			continue;
		}
		m = wait_for_better(p, m, limit);
		while (m.rep < 0 && p->at > p->anchor && p->at > m.dist &&
		       p->in[p->at - 1] == p->in[p->at - 1 - m.dist]) {
			p->at--;
			m.len++;
		}
		page_parser_put(p, c, m);
		remember(p, p->at - m.len, MIN(p->at, limit));
	}
	page_parser_rest(p, c, limit);
}
