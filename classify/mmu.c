/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>

#include "classify/mmu.h"
#include "common/mem.h"
#include "common/page.h"

#define MMU_PRESENT UINT64_C(1)
#define MMU_LARGE   UINT64_C(0x80)
#define MMU_FRAME   UINT64_C(0x000ffffffffff000)

/* Sign-extended from the highest bit that the levels can translate. */
static bool
mmu_is_canonical(const struct mmu *m, uint64_t va)
{
	uint64_t top = va >> (11 + 9 * m->levels);

	return top == 0 || top == UINT64_MAX >> (11 + 9 * m->levels);
}

bool
mmu_walk(const struct mmu *m, uint64_t va, struct mmu_walk *w)
{
	uint64_t mask = MMU_FRAME & ~m->encrypted;

	*w = (struct mmu_walk){ .table = m->root & mask };
	if (!mmu_is_canonical(m, va))
		return false;
	for (unsigned level = m->levels; level > 0; level--) {
		unsigned shift = 3 + 9 * level;
		uint64_t at = w->table + (va >> shift & 511) * 8;

		w->entry = 0;
		w->size = UINT64_C(1) << shift;
		if (!physical_read(m->memory, at, &w->entry, 8))
			return false;
		w->entry = le64toh(w->entry);
		if (!(w->entry & MMU_PRESENT))
			return false;
		if (level == 1 || (level <= 3 && (w->entry & MMU_LARGE))) {
			w->physical = (w->entry & mask & ~(w->size - 1)) +
				      (va & (w->size - 1));
			return true;
		}
		w->table = w->entry & mask;
	}
	return false;
}

bool
mmu_translate(const struct mmu *m, uint64_t va, uint64_t *physical)
{
	struct mmu_walk w;

	if (!mmu_walk(m, va, &w))
		return false;
	*physical = w.physical;
	return true;
}

bool
mmu_read(const struct mmu *m, uint64_t va, void *out, size_t n)
{
	uint8_t *to = out;

	for (size_t part; n > 0; va += part, to += part, n -= part) {
		uint64_t physical;

		part = MIN(PAGE_BYTES - (va & (PAGE_BYTES - 1)), n);
		if (!mmu_translate(m, va, &physical) ||
		    !physical_read(m->memory, physical, to, part))
			return false;
	}
	return true;
}

bool
mmu_read_u64(const struct mmu *m, uint64_t va, uint64_t *out)
{
	uint64_t word;

	if (!mmu_read(m, va, &word, sizeof(word)))
		return false;
	*out = le64toh(word);
	return true;
}
