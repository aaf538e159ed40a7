/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/page.h"
#include "dedup/delta.h"

/* Which of 64 words differ.  Without branches: vector code. */
static inline uint64_t
delta_mask(const uint8_t *a, const uint8_t *b)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < 64; i++)
		mask |= (uint64_t)(page_word(a, i) != page_word(b, i)) << i;
	return mask;
}

bool
delta_make(const uint8_t *page, const uint8_t *old, struct plan_delta *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS / 64; i++) {
		d->mask[i] = delta_mask(page + 512 * (size_t)i,
					old + 512 * (size_t)i);
		n += (unsigned)__builtin_popcountll(d->mask[i]);
	}
	if (n > PLAN_DELTA_MAX)
		return false;
	d->nwords = 0;
	for (unsigned i = 0; i < PAGE_WORDS / 64; i++)
		for (uint64_t m = d->mask[i]; m; m &= m - 1)
			d->words[d->nwords++] = page_word(
				page, 64 * i + (unsigned)__builtin_ctzll(m));
	return true;
}

void
delta_apply(const uint8_t *old, const uint64_t mask[PAGE_WORDS / 64],
	    const uint8_t *words, uint8_t *out)
{
	memcpy(out, old, PAGE_BYTES);
	for (unsigned i = 0; i < PAGE_WORDS / 64; i++)
		for (uint64_t m = mask[i]; m; m &= m - 1) {
			unsigned w = 64 * i + (unsigned)__builtin_ctzll(m);

			memcpy(out + 8 * (size_t)w, words, 8);
			words += 8;
		}
}
