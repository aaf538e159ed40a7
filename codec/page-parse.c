/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "codec/page-parse.h"
#include "common/mem.h"

uint32_t
page_equal(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *from = a;

	for (; end - a >= 8; a += 8, b += 8) {
		uint64_t differ = page_get8(a) ^ page_get8(b);

		if (differ)
			return (uint32_t)(a - from) +
			       (uint32_t)(__builtin_ctzll(differ) >> 3);
	}
	while (a < end && *a == *b) {
		a++;
		b++;
	}
	return (uint32_t)(a - from);
}

void
page_parser_put(struct page_parser *p, struct page_chunk *c,
		struct page_match m)
{
	uint32_t i = c->nseqs++;

	/* A distance that is among the last ones is coded as such. */
	for (unsigned k = 0; m.rep < 0 && k < REPS; k++)
		if (p->rep[k] == m.dist)
			m.rep = (int)k;
	c->run[i] = p->at - p->anchor;
	c->nlits += c->run[i];
	c->len[i] = m.len;
	if (m.rep < 0) {
		bool words = m.dist % 8 == 0;

		c->type[i] = words ? MATCH_WORDS : MATCH_BYTES;
		c->which[c->nnew] = (uint8_t)i;
		c->dist[c->nnew++] = words ? m.dist / 8 : m.dist;
		m.rep = REPS - 1;
	} else {
		c->type[i] = (uint8_t)(MATCH_REP + m.rep);
	}
	for (int k = m.rep; k > 0; k--)
		p->rep[k] = p->rep[k - 1];
	p->rep[0] = m.dist;
	p->at += m.len;
	p->anchor = p->at;
}

void
page_parser_rest(struct page_parser *p, struct page_chunk *c, uint32_t limit)
{
	c->run[c->nseqs] = 0;
	if (c->nseqs == CHUNK_SEQS)
		return;
	if (p->at >= limit)
		p->at = p->len;
	c->run[c->nseqs] = p->at - p->anchor;
	p->anchor = p->at;
}
