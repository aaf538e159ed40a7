/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_TABLE_H
#define MIG_INDEX_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "dedup/index-file.h"

/* Hash -> candidate blocks.  A hint's upper 32 bits choose its home bucket,
 * its lower 16 are its tag.  A bucket is one cache line; what does not fit
 * goes to one of the next few, and buckets it was carried past say so.
 */
#define INDEX_BUCKET_SLOTS 10
#define INDEX_CANDIDATES   4

struct index_bucket {
	uint16_t tags[INDEX_BUCKET_SLOTS];
	uint32_t blocks[INDEX_BUCKET_SLOTS];
	uint8_t used;
	uint8_t spilled; /* not 0: look in the next bucket, too */
	uint8_t zero[2];
};

struct index_table {
	struct index_bucket *buckets;
	uint64_t nhomes;
};

/* Home buckets for that many entries: 5.8 each, 2.8 MB for 1 GiB of blocks. */
uint64_t index_table_homes(uint64_t entries);

enum index_added {
	INDEX_ADDED,
	INDEX_EQUAL,  /* a block with the same fingerprint is there */
	INDEX_NO_ROOM /* home and spill buckets are full */
};

/* Enters a block that is not zero. */
enum index_added index_table_add(struct index_table *t,
				 const struct index_pieces *pieces,
				 uint64_t hint, uint32_t block)
	__attribute__((nonnull));
void index_table_prefetch(const struct index_table *t, uint64_t hint)
	__attribute__((nonnull));
/* Trusts nothing in the buckets; the blocks may be any number. */
size_t index_table_find(const struct index_table *t, uint64_t hint,
			uint32_t out[INDEX_CANDIDATES])
	__attribute__((nonnull));

#endif
