/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <string.h>

#include "codec/page-chunk.h"
#include "common/mem.h"

typedef uint8_t page_bytes8 __attribute__((vector_size(8)));

/* Copies go by so many bytes where the block goes on for as many. */
#define STEP 16

void
page_reps_init(uint32_t rep[REPS])
{
	for (unsigned i = 0; i < REPS; i++)
		rep[i] = 8 * (i + 1);
}

/* The distance of a match becomes the last one used. */
static uint32_t
reps_use(uint32_t rep[REPS], unsigned type, uint32_t dist)
{
	unsigned i = type < MATCH_REP ? REPS - 1 : type - MATCH_REP;

	if (type >= MATCH_REP)
		dist = rep[i];
	for (; i > 0; i--)
		rep[i] = rep[i - 1];
	rep[0] = dist;
	return dist;
}

static uint32_t
new_dist(const struct page_chunk *c, uint32_t i, uint32_t next)
{
	if (c->type[i] >= MATCH_REP)
		return 0;
	return c->type[i] == MATCH_WORDS ? c->dist[next] << 3 : c->dist[next];
}

/* Contexts of n literals at 'at', written by eights. */
static void
place_run(uint8_t *out, uint32_t at, uint32_t n)
{
	const uint64_t early0 = 0x1716151413121110, turn = 8 * (at & 7);
	const uint64_t last = 0x1008; /* less, of the last but one and last */
	uint64_t early = early0 >> turn | early0 << (-turn & 63);
	uint64_t v = early | WHERE_FIRST;

	if (n < 7) {
		v = htole64(v - (last << 8 * n >> 16));
		memcpy(out, &v, 8);
		return;
	}
	v = htole64(v);
	early = htole64(early);
	memcpy(out, &v, 8);
	for (uint32_t k = 8; k < n; k += 8)
		memcpy(out + k, &early, 8);
	out[n - 2] = (uint8_t)(out[n - 2] - 0x08);
	out[n - 1] = (uint8_t)(out[n - 1] - 0x10);
}

int
page_chunk_place(struct page_chunk *c, const struct page_window *w)
{
	uint32_t at = w->at, each = c->nseqs / LANES;
	uint32_t more = c->nseqs % LANES, lane = 0, begin = 0;

	c->nlits = 0;
	for (uint32_t i = 0; i <= c->nseqs; i++) {
		uint32_t run = c->run[i];

		for (; lane < LANES && begin == i; lane++) {
			c->start[lane] = at & 7;
			begin += each + (lane < more);
		}
		if (run > w->len - at || run > CHUNK_LITS - c->nlits)
			return -1;
		place_run(c->where + c->nlits, at, run);
		c->nlits += run;
		at += run;
		if (i == c->nseqs)
			break;
		if (c->len[i] > w->len - at)
			return -1;
		at += c->len[i];
	}
	return at > w->at ? 0 : -1;
}

/* Literals of both kinds, number 'to' and on, before a match at distance d. */
static void
take_run(struct page_chunk *c, uint32_t to, const uint8_t *block,
	 const struct page_window *w, uint32_t n, uint32_t d)
{
	uint8_t *lits = c->lits[0] + to, *plain = c->lits[1] + to;
	const uint8_t *in = block + w->at;

	if (w->at < d || w->len - w->at < n + 8) {
		for (uint32_t k = 0; k < n; k++) {
			plain[k] = in[k];
			lits[k] = (uint8_t)(in[k] -
					    (w->at + k < d ? 0 : (in - d)[k]));
		}
		return;
	}
	for (uint32_t k = 0; k == 0 || k < n; k += 8) {
		page_bytes8 a, b;

		memcpy(&a, in + k, 8);
		memcpy(&b, in - d + k, 8);
		memcpy(plain + k, &a, 8);
		a -= b;
		memcpy(lits + k, &a, 8);
	}
}

/* The distance of sequence i becomes the last one used; the literals that
 * follow the last sequence go by what it left.
 */
static uint32_t
next_dist(const struct page_chunk *c, struct page_window *w, uint32_t i,
	  uint32_t *next)
{
	uint32_t d;

	if (i == c->nseqs)
		return w->rep[0];
	d = reps_use(w->rep, c->type[i], new_dist(c, i, *next));
	*next += c->type[i] < MATCH_REP;
	return d;
}

void
page_chunk_take(struct page_chunk *c, struct page_window *w,
		const uint8_t *block)
{
	uint32_t next = 0, to = 0;

	for (uint32_t i = 0; i <= c->nseqs; i++) {
		uint32_t n = c->run[i], d = next_dist(c, w, i, &next);

		take_run(c, to, block, w, n, d);
		to += n;
		w->at += n;
		if (i < c->nseqs)
			w->at += c->len[i];
	}
}

static void
give_run(uint8_t *block, const struct page_window *w, const uint8_t *lits,
	 uint32_t n, bool plain, uint32_t d)
{
	uint32_t at = w->at;

	block += at;
	if (w->len - at < n + 8 || (!plain && (at < d || d < 8))) {
		for (uint32_t k = 0; k < n; k++)
			block[k] =
				(uint8_t)(lits[k] + (plain || at + k < d
							     ? 0
							     : (block - d)[k]));
		return;
	}
	for (uint32_t k = 0; k == 0 || k < n; k += 8) {
		page_bytes8 a, b;

		memcpy(&a, lits + k, 8);
		if (!plain) {
			memcpy(&b, block - d + k, 8);
			a += b;
		}
		memcpy(block + k, &a, 8);
	}
}

/* A copy of earlier bytes, which may overlap itself. */
static void
give_match(uint8_t *block, const struct page_window *w, uint32_t d, uint32_t n)
{
	uint8_t *to = block + w->at;
	const uint8_t *from = to - d;

	if (d >= STEP && w->len - w->at >= n + STEP)
		for (uint32_t k = 0; k < n; k += STEP)
			memcpy(to + k, from + k, STEP);
	else if (d >= 8 && w->len - w->at >= n + 8)
		for (uint32_t k = 0; k < n; k += 8)
			memcpy(to + k, from + k, 8);
	else
		for (uint32_t k = 0; k < n; k++)
			to[k] = from[k];
}

int
page_chunk_give(const struct page_chunk *c, struct page_window *w,
		uint8_t *block)
{
	const uint8_t *lits = c->lits[c->plain];
	uint32_t next = 0;

	for (uint32_t i = 0; i <= c->nseqs; i++) {
		uint32_t d = next_dist(c, w, i, &next);

		give_run(block, w, lits, c->run[i], c->plain, d);
		lits += c->run[i];
		w->at += c->run[i];
		if (i == c->nseqs)
			break;
		if (d > w->at)
			return -1;
		give_match(block, w, d, c->len[i]);
		w->at += c->len[i];
	}
	return 0;
}

static uint32_t
model_part(const struct page_models *m, unsigned model, unsigned symbol)
{
	const uint16_t *sum = m->sum[model];

	return (uint32_t)(sum[symbol + 1] - sum[symbol]) & 0x7fff;
}

/* About what the first literals cost, in bits. */
#define CHOOSE_BY 96

static unsigned
lits_cost(const struct page_chunk *c, bool plain, const struct page_models *m)
{
	const uint8_t *lits = c->lits[plain];
	unsigned set = plain ? MODEL_PLAIN - MODEL_HIGH_A : 0, cost = 0;

	for (uint32_t i = 0; i < c->nlits && i < CHOOSE_BY; i++) {
		unsigned where = c->where[i] & (WHERE_FIRST - 1);
		unsigned before = i ? lits[i - 1] : 0, lit = lits[i];
		unsigned high =
			c->where[i] & WHERE_FIRST
				? MODEL_HIGH_A + where
				: MODEL_HIGH_B + (where & 16) * 16 + before;
		unsigned low = MODEL_LOW_A + where * 16 + lit / 16;
		uint32_t a = model_part(m, set + high, lit / 16);
		uint32_t b = model_part(m, set + low, lit % 16);

		cost += (unsigned)__builtin_clz(a * b);
	}
	return cost;
}

void
page_chunk_choose(struct page_chunk *c, const struct page_models *m)
{
	c->plain = lits_cost(c, true, m) < lits_cost(c, false, m);
}
