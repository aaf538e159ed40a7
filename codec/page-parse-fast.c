/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "codec/page-parse.h"
#include "common/mem.h"

/* Takes the first match it finds: at some of the last distances, then where
 * the same eight bytes were last seen, or the same four if six are equal.
 */
#define TAIL 16 /* bytes at the end that are not searched */
#define BACK 4  /* of the last distances are looked at: the others cost more */

struct seen {
	uint32_t *at8, *at4;
};

static inline struct seen
seen_of(const struct page_parser *p, uint64_t v)
{
	return (struct seen){
		&p->seen8[v * 0x9e3779b185ebca87ull >> (64 - p->bits8)],
		&p->seen4[(uint32_t)v * 2654435761u >> (32 - p->bits4)],
	};
}

static inline struct page_match
found(const struct page_parser *p, uint32_t from, uint32_t same)
{
	const uint8_t *at = p->in + p->at + same;

	return (struct page_match){
		.len = same +
		       page_equal(at, p->in + from + same, p->in + p->len),
		.dist = p->at - from,
		.rep = -1,
	};
}

/* Four bytes and more at a distance not long ago, or three at the last one.
 * All are looked at: which one it is cannot be foreseen.
 */
static inline bool
look_back(const struct page_parser *p, uint32_t word, struct page_match *m)
{
	const uint8_t *in = p->in + p->at;
	uint32_t at = 0, d;

	if (p->at < PARSE_REPS_FROM)
		return false;
#pragma GCC unroll 8
	for (unsigned i = 0; i < BACK; i++)
		at |= (uint32_t)((page_get4(in - p->rep[i]) ^ word)
					 << (i > 0 ? 0 : 8) ==
				 0)
		      << i;
	if (!at)
		return false;
	m->rep = __builtin_ctz(at);
	d = m->dist = p->rep[m->rep];
	m->len = page_get4(in - d) == word ? found(p, p->at - d, 4).len : 3;
	return true;
}

static inline uint32_t
back(const struct page_parser *p, uint32_t dist)
{
	uint32_t most = MIN(p->at - p->anchor, p->at - dist), n = 0;
	const uint8_t *at = p->in + p->at;

	while (n < most && at[-1 - (int32_t)n] == (at - dist)[-1 - (int32_t)n])
		n++;
	return n;
}

static inline bool
look(struct page_parser *p, struct page_match *m)
{
	uint64_t v = page_get8(p->in + p->at);
	struct seen s = seen_of(p, v);
	uint32_t from8 = *s.at8, from4 = *s.at4;

	*s.at8 = *s.at4 = p->at + 1;
	if (look_back(p, (uint32_t)v, m))
		return true;
	if (from8 && page_get8(p->in + from8 - 1) == v) {
		*m = found(p, from8 - 1, 8);
		return true;
	}
	if (!from4 || (page_get8(p->in + from4 - 1) ^ v) << 16)
		return false;
	*m = found(p, from4 - 1, 6);
	return true;
}

void
page_parse_fast(struct page_parser *p, struct page_chunk *c)
{
	uint32_t limit = p->len > TAIL ? p->len - TAIL : 0;

	while (page_parser_goes_on(p, c, limit)) {
		struct page_match m;
		uint32_t n, step, end;

		if (!look(p, &m)) {
			p->at += 1 + ((p->at - p->anchor) >> 5);
			continue;
		}
		n = back(p, m.dist);
		p->at -= n;
		m.len += n;
		step = m.len > 64 ? 32 : 8;
		end = MIN(p->at + m.len, limit);
		for (uint32_t i = (p->at + step) & ~(step - 1); i < end;
		     i += step) {
			struct seen s = seen_of(p, page_get8(p->in + i));

			*s.at8 = *s.at4 = i + 1;
		}
		page_parser_put(p, c, m);
	}
	page_parser_rest(p, c, limit);
}
