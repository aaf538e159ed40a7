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
	const uint64_t later0 = 0x1716151413121110, turn = 8 * (at & 7);
	uint64_t later = later0 >> turn | later0 << (-turn & 63);
	uint64_t v = htole64(later - 0x0810);

	for (uint32_t k = 0; k == 0 || k < n; k += 8) {
		memcpy(out + k, &v, 8);
		v = htole64(later);
	}
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

static void
take_run(uint8_t *lits, const uint8_t *block, const struct page_window *w,
	 uint32_t n)
{
	uint32_t at = w->at, d = w->rep[0];

	if (at < d || w->len - at < n + 8) {
		for (uint32_t k = 0; k < n; k++)
			lits[k] =
				(uint8_t)(block[at + k] -
					  (at + k < d ? 0 : block[at + k - d]));
		return;
	}
	for (uint32_t k = 0; k == 0 || k < n; k += 8) {
		page_bytes8 a, b;

		memcpy(&a, block + at + k, 8);
		memcpy(&b, block + at + k - d, 8);
		a -= b;
		memcpy(lits + k, &a, 8);
	}
}

void
page_chunk_take(struct page_chunk *c, struct page_window *w,
		const uint8_t *block)
{
	uint8_t *lits = c->lits;
	uint32_t next = 0;

	for (uint32_t i = 0; i <= c->nseqs; i++) {
		take_run(lits, block, w, c->run[i]);
		lits += c->run[i];
		w->at += c->run[i];
		if (i == c->nseqs)
			break;
		reps_use(w->rep, c->type[i], new_dist(c, i, next));
		next += c->type[i] < MATCH_REP;
		w->at += c->len[i];
	}
}

static void
give_run(uint8_t *block, const struct page_window *w, const uint8_t *lits,
	 uint32_t n)
{
	uint32_t at = w->at, d = w->rep[0];

	if (at < d || d < 8 || w->len - at < n + 8) {
		for (uint32_t k = 0; k < n; k++)
			block[at + k] =
				(uint8_t)(lits[k] +
					  (at + k < d ? 0 : block[at + k - d]));
		return;
	}
	for (uint32_t k = 0; k == 0 || k < n; k += 8) {
		page_bytes8 a, b;

		memcpy(&a, lits + k, 8);
		memcpy(&b, block + at + k - d, 8);
		a += b;
		memcpy(block + at + k, &a, 8);
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
	const uint8_t *lits = c->lits;
	uint32_t next = 0;

	for (uint32_t i = 0; i <= c->nseqs; i++) {
		uint32_t d;

		give_run(block, w, lits, c->run[i]);
		lits += c->run[i];
		w->at += c->run[i];
		if (i == c->nseqs)
			break;
		d = reps_use(w->rep, c->type[i], new_dist(c, i, next));
		next += c->type[i] < MATCH_REP;
		if (d > w->at)
			return -1;
		give_match(block, w, d, c->len[i]);
		w->at += c->len[i];
	}
	return 0;
}
