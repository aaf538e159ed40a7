/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/digest.h"
#include "dedup/normal.h"

/* Sign and page offset stay; the rest becomes that of one user address. */
#define NORMAL_KEEP 0x8000000000000fffULL
#define NORMAL_SET  0x00007f0000000000ULL

/* Without branches, so that compilers turn the loop into vector code. */
static inline __attribute__((always_inline)) unsigned
normal_reduce(const uint8_t *page, uint64_t out[PAGE_WORDS])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t w = page_word(page, i);
		uint64_t high = w >> 40;
		uint64_t is = (high == 0x55) | (high == 0x56) | (high == 0x7f) |
			      (w >> 56 == 0xff);
		uint64_t all = -is;

		out[i] = (w & ~all) | (((w & NORMAL_KEEP) | NORMAL_SET) & all);
		n += is;
	}
	return (unsigned)n;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static unsigned
normal_reduce_avx2(const uint8_t *page, uint64_t out[PAGE_WORDS])
{
	return normal_reduce(page, out);
}
#endif

unsigned
normal_hash(const uint8_t *page, uint64_t *hash)
{
	uint64_t reduced[PAGE_WORDS];
	unsigned n;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		n = normal_reduce_avx2(page, reduced);
	else
#endif
		n = normal_reduce(page, reduced);
	if (n > 0)
		*hash = digest_hint(reduced, sizeof(reduced));
	return n;
}

bool
normal_diff(const uint8_t *page, const uint8_t *ref, struct plan_move *m)
{
	m->n = 0;
	m->nslots = 0;
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t old = page_word(ref, i);
		uint64_t by = page_word(page, i) - old;
		unsigned slot = 0;

		if (!normal_is_pointer(old)) {
			if (by != 0)
				return false;
			continue;
		}
		while (slot < m->n && m->by[slot] != by)
			slot++;
		if (slot == m->n) {
			if (m->n == PLAN_MOVES_MAX)
				return false;
			m->by[m->n++] = by;
		}
		m->slots[m->nslots++] = (uint8_t)slot;
	}
	return m->n > 0;
}

unsigned
normal_count(const uint8_t *page)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i++)
		n += normal_is_pointer(page_word(page, i));
	return n;
}

void
normal_apply(const uint8_t *ref, const uint64_t *by, const uint8_t *slots,
	     uint8_t *out)
{
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t w = page_word(ref, i);

		if (normal_is_pointer(w))
			w += by[slots ? *slots++ : 0];
		memcpy(out + 8 * (size_t)i, &w, sizeof(w));
	}
}
