/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MMU_H
#define MIG_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/physical.h"

/* The page tables of an x86-64 guest.  They are read like everything else of
 * the guest: a walk reads at most five entries, whatever they say.
 */
struct mmu {
	const struct physical *memory; /* borrowed */
	uint64_t root;                 /* physical, of the top table */
	unsigned levels;               /* 4 or 5 */
	uint64_t encrypted;            /* address bits that are not (SME) */
};

/* What maps one virtual address. */
struct mmu_walk {
	uint64_t physical;
	uint64_t size;  /* of the mapping: 4 KiB, 2 MiB or 1 GiB */
	uint64_t entry; /* the last entry that was read, present or not */
	uint64_t table; /* physical, of the table that holds it */
};

/* False where the guest maps nothing; w->entry is then what said so, and 0
 * where a table itself is not in the memory; w->size is of the hole around va,
 * and 0 where va is no address at all.
 */
bool mmu_walk(const struct mmu *m, uint64_t va, struct mmu_walk *w)
	__attribute__((nonnull, warn_unused_result));
bool mmu_translate(const struct mmu *m, uint64_t va, uint64_t *physical)
	__attribute__((nonnull, warn_unused_result));
/* Copies n bytes from va on; false when some of them are not mapped. */
bool mmu_read(const struct mmu *m, uint64_t va, void *out, size_t n)
	__attribute__((nonnull, warn_unused_result));
/* A little-endian word; false as above. */
bool mmu_read_u64(const struct mmu *m, uint64_t va, uint64_t *out)
	__attribute__((nonnull, warn_unused_result));

#endif
