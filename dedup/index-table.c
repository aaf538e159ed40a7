/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "common/mem.h"
#include "dedup/index-table.h"

static_assert(sizeof(struct index_bucket) == INDEX_BUCKET_BYTES,
	      "a bucket is a cache line");

uint64_t
index_table_homes(uint64_t entries)
{
	return entries ? entries * 10 / 58 + 1 : 0;
}

static struct index_bucket *
home_of(const struct index_table *t, uint64_t hint)
{
	return &t->buckets[((hint >> 32) * t->nhomes) >> 32];
}

/* Bit i: slot i has that tag. */
static unsigned
slots_with(const struct index_bucket *b, uint16_t tag)
{
	unsigned found = 0;

	for (unsigned i = 0; i < INDEX_BUCKET_SLOTS; i++)
		found |= (unsigned)(b->tags[i] == tag) << i;
	return found & ((1u << MIN(b->used, INDEX_BUCKET_SLOTS)) - 1);
}

static bool
has_equal(const struct index_bucket *b, uint16_t tag,
	  const struct index_pieces *pieces, const struct fingerprint *print)
{
	unsigned found = slots_with(b, tag);

	for (; found; found &= found - 1) {
		uint32_t block = le32toh(b->blocks[__builtin_ctz(found)]);

		if (memcmp(index_pieces_print(pieces, block), print,
			   sizeof(*print)) == 0)
			return true;
	}
	return false;
}

enum index_added
index_table_add(struct index_table *t, const struct index_pieces *pieces,
		uint64_t hint, uint32_t block)
{
	const struct fingerprint *print = index_pieces_print(pieces, block);
	struct index_bucket *b = home_of(t, hint);
	uint16_t tag = htole16((uint16_t)hint);

	for (unsigned i = 0; i <= INDEX_SPILL_MAX; i++, b++) {
		if (has_equal(b, tag, pieces, print))
			return INDEX_EQUAL;
		if (b->used < INDEX_BUCKET_SLOTS) {
			b->tags[b->used] = tag;
			b->blocks[b->used] = htole32(block);
			b->used++;
			return INDEX_ADDED;
		}
		if (i < INDEX_SPILL_MAX)
			b->spilled = 1;
	}
	return INDEX_NO_ROOM;
}

void
index_table_prefetch(const struct index_table *t, uint64_t hint)
{
	__builtin_prefetch(home_of(t, hint));
}

size_t
index_table_find(const struct index_table *t, uint64_t hint,
		 uint32_t out[INDEX_CANDIDATES])
{
	const struct index_bucket *b = home_of(t, hint);
	uint16_t tag = htole16((uint16_t)hint);
	size_t n = 0;

	if (t->nhomes == 0)
		return 0;
	for (unsigned i = 0; i <= INDEX_SPILL_MAX; i++, b++) {
		unsigned found = slots_with(b, tag);

		for (; found; found &= found - 1) {
			if (n == INDEX_CANDIDATES)
				return n;
			out[n++] = le32toh(b->blocks[__builtin_ctz(found)]);
		}
		if (!b->spilled)
			return n;
	}
	return n;
}
