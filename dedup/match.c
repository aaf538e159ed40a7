/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/page.h"
#include "dedup/match.h"

#define MATCH_WORDS  4 /* hashed together */
#define MATCH_SAMPLE 5 /* one position in 2^5 */

#define MIX1 0x9e3779b97f4a7c15ULL
#define MIX2 0xc2b2ae3d27d4eb4fULL

int
match_init(struct match *m, size_t most,
	   const uint8_t *(*page)(void *arg, struct plan_ref ref), void *arg,
	   struct err *e)
{
	*m = (struct match){ .page = page, .arg = arg, .bits = 16 };
	/* Positions are 32 bits: 8 Mi pages, 32 GiB of unmatched memory. */
	m->most =
		most < UINT32_MAX / PAGE_WORDS ? most : UINT32_MAX / PAGE_WORDS;
	while (m->bits < 26 && (1ull << m->bits) < m->most * 16)
		m->bits++;
	m->slots = calloc(1ull << m->bits, sizeof(*m->slots));
	m->pages = calloc(m->most ? m->most : 1, sizeof(*m->pages));
	if (m->slots && m->pages)
		return 0;
	match_fini(m);
	return err_sys(e, "match table of %zu pages", most);
}

void
match_fini(struct match *m)
{
	free(m->slots);
	free(m->pages);
	m->slots = NULL;
	m->pages = NULL;
}

static inline bool
match_sampled(uint64_t w)
{
	return w != 0 && (w * MIX1) >> (64 - MATCH_SAMPLE) == 0;
}

static inline uint32_t *
match_slot(struct match *m, const uint8_t *page, unsigned w)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < MATCH_WORDS; i++) {
		h = (h ^ page_word(page, w + i)) * MIX2;
		h ^= h >> 32;
	}
	return &m->slots[h * MIX1 >> (64 - m->bits)];
}

/* The longest run of equal words around page[to] and other[from] that stays
 * inside both pages and does not reach back before page[floor].
 */
static struct plan_copy
match_extend(const uint8_t *page, unsigned to, unsigned floor,
	     const uint8_t *other, unsigned from)
{
	unsigned end = to, src = from;

	while (end < PAGE_WORDS && src < PAGE_WORDS &&
	       page_word(page, end) == page_word(other, src))
		end++, src++;
	while (to > floor && from > 0 &&
	       page_word(page, to - 1) == page_word(other, from - 1))
		to--, from--;
	return (struct plan_copy){ .to = (uint16_t)to,
				   .len = (uint16_t)(end - to),
				   .from = (uint16_t)from };
}

static bool
match_enter(struct match *m, struct plan_ref ref)
{
	if (m->npages == m->most)
		return false;
	m->pages[m->npages++] = ref;
	return true;
}

unsigned
match_page(struct match *m, const uint8_t *page, struct plan_ref ref,
	   struct plan_copy copies[PLAN_COPIES_MAX])
{
	uint32_t at = (uint32_t)(m->npages * PAGE_WORDS);
	bool entered = match_enter(m, ref);
	unsigned n = 0, floor = 0;

	for (unsigned w = 0; w + MATCH_WORDS <= PAGE_WORDS; w++) {
		uint32_t *slot, found;
		struct plan_copy c;

		if (!match_sampled(page_word(page, w)))
			continue;
		slot = match_slot(m, page, w);
		found = *slot;
		if (entered)
			*slot = at + w + 1;
		/* Only earlier pages; what stands in this one is the codec's.
		 */
		if (w < floor || found == 0 || found > at)
			continue;
		c = match_extend(
			page, w, floor,
			m->page(m->arg, m->pages[(found - 1) / PAGE_WORDS]),
			(found - 1) % PAGE_WORDS);
		if (c.len < PLAN_COPY_MIN)
			continue;
		c.ref = m->pages[(found - 1) / PAGE_WORDS];
		copies[n++] = c;
		floor = c.to + c.len;
	}
	return n;
}
