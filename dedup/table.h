/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_TABLE_H
#define MIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Which page had this hash first?  An open-addressed table of 8-byte entries,
 * half of the hash and a page number, sized once.  A find may lie (it compares
 * 32 bits of the hash): the caller compares bytes.  One thread at a time.
 */
struct table {
	uint64_t *entries; /* tag << 32 | page + 1; 0 is empty */
	size_t mask;
	size_t used, most;
};

/* Room for 'most' pages; memory is touched only as pages come. */
int table_init(struct table *t, size_t most, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void table_fini(struct table *t) __attribute__((nonnull));

/* Starts loading the slot of this hash; call it some pages ahead. */
void table_prefetch(const struct table *t, uint64_t hash)
	__attribute__((nonnull));
/* The page with this hash, if there is one. */
bool table_find(const struct table *t, uint64_t hash, uint32_t *page)
	__attribute__((nonnull));
/* Enters the page unless the hash is there already or the table is full. */
void table_add(struct table *t, uint64_t hash, uint32_t page)
	__attribute__((nonnull));

#endif
