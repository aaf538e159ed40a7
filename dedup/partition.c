/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/partition.h"

#define SECTOR_BYTES    512
#define MBR_ENTRIES     4
#define MBR_ENTRY_BYTES 16
#define MBR_ENTRIES_AT  446
#define GPT_ENTRY_MIN   128
#define GPT_ENTRY_MAX   4096
#define GPT_TABLE_MAX   (128u << 10)

/* Each partition makes at most two parts: itself and what follows it. */
#define RANGES_MAX ((PARTITION_PARTS_MAX - 1) / 2)

/* A partition, in bytes. */
struct range {
	uint64_t start, end;
};

struct ranges {
	struct range at[RANGES_MAX];
	size_t n;
};

struct mbr_entry {
	uint8_t type;
	uint64_t start, len; /* sectors */
};

static void
add_range(struct ranges *r, const struct disk *d, uint64_t first,
	  uint64_t nsectors)
{
	uint64_t sectors = d->size / SECTOR_BYTES;

	if (first == 0 || first >= sectors || nsectors == 0 ||
	    r->n == RANGES_MAX)
		return;
	nsectors = MIN(nsectors, sectors - first);
	r->at[r->n++] = (struct range){ first * SECTOR_BYTES,
					(first + nsectors) * SECTOR_BYTES };
}

static bool
is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* False: no table here.  A boot sector of a file system ends like an MBR, but
 * has code where the flags of the entries must be 0 or 0x80.
 */
static bool
mbr_parse(const uint8_t *sector, struct mbr_entry entries[MBR_ENTRIES])
{
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	for (unsigned i = 0; i < MBR_ENTRIES; i++) {
		struct span s = span_of(sector + MBR_ENTRIES_AT +
						(size_t)i * MBR_ENTRY_BYTES,
					MBR_ENTRY_BYTES);
		uint8_t head[8];
		uint32_t start, len;
		struct err e;

		if (span_get(&s, head, sizeof(head), &e) < 0 ||
		    span_get_u32(&s, &start, &e) < 0 ||
		    span_get_u32(&s, &len, &e) < 0 || (head[0] & 0x7f) != 0)
			return false;
		entries[i] = (struct mbr_entry){ head[4], start, len };
	}
	return true;
}

/* The logical partitions: a chain of tables, each with one partition and the
 * place of the next table, which counts from the start of the first.
 */
static int
extended_parse(struct disk *d, uint64_t first, struct ranges *r, struct err *e)
{
	uint64_t at = first;

	for (unsigned hops = 0; hops < RANGES_MAX; hops++) {
		struct mbr_entry entries[MBR_ENTRIES];
		uint8_t sector[SECTOR_BYTES];
		uint64_t next = 0;

		if (at >= d->size / SECTOR_BYTES)
			return 0;
		if (disk_read(d, at * SECTOR_BYTES, sector, sizeof(sector), e) <
		    0)
			return -1;
		if (!mbr_parse(sector, entries))
			return 0;
		for (unsigned i = 0; i < MBR_ENTRIES; i++) {
			if (is_extended(entries[i].type))
				next = entries[i].start;
			else if (entries[i].type)
				add_range(r, d, at + entries[i].start,
					  entries[i].len);
		}
		if (next == 0)
			return 0;
		at = first + next;
	}
	return 0;
}

struct gpt {
	uint64_t table_sector;
	uint32_t entries, entry_bytes, table_crc;
};

/* False: not a header that we can follow. */
static bool
gpt_parse(const uint8_t *sector, struct gpt *g)
{
	uint8_t copy[SECTOR_BYTES];
	struct span s = span_of(sector, SECTOR_BYTES);
	const uint8_t *skipped;
	uint32_t len, crc;
	struct err e;

	if (memcmp(sector, "EFI PART", 8) != 0)
		return false;
	if (span_take(&s, 12, &skipped, &e) < 0 ||
	    span_get_u32(&s, &len, &e) < 0 || span_get_u32(&s, &crc, &e) < 0 ||
	    span_take(&s, 52, &skipped, &e) < 0 ||
	    span_get_u64(&s, &g->table_sector, &e) < 0 ||
	    span_get_u32(&s, &g->entries, &e) < 0 ||
	    span_get_u32(&s, &g->entry_bytes, &e) < 0 ||
	    span_get_u32(&s, &g->table_crc, &e) < 0)
		return false;
	if (len < 92 || len > SECTOR_BYTES)
		return false;
	memcpy(copy, sector, sizeof(copy));
	memset(copy + 16, 0, 4);
	if (crc32(0, copy, len) != crc)
		return false;
	return g->entry_bytes >= GPT_ENTRY_MIN &&
	       g->entry_bytes <= GPT_ENTRY_MAX && g->entry_bytes % 8 == 0 &&
	       g->entries <= GPT_TABLE_MAX / g->entry_bytes;
}

static void
gpt_add_entry(struct disk *d, const uint8_t *entry, struct ranges *r)
{
	static const uint8_t unused[16];
	struct span s = span_of(entry + 32, 16);
	uint64_t first, last;
	struct err e;

	if (memcmp(entry, unused, sizeof(unused)) == 0 ||
	    span_get_u64(&s, &first, &e) < 0 ||
	    span_get_u64(&s, &last, &e) < 0 || last < first ||
	    last == UINT64_MAX)
		return;
	add_range(r, d, first, last - first + 1);
}

static int
gpt_read(struct disk *d, struct ranges *r, struct err *e)
{
	uint8_t sector[SECTOR_BYTES];
	auto_free uint8_t *table = NULL;
	struct gpt g;
	size_t len;

	if (d->size < 2 * SECTOR_BYTES)
		return 0;
	if (disk_read(d, SECTOR_BYTES, sector, sizeof(sector), e) < 0)
		return -1;
	if (!gpt_parse(sector, &g))
		return 0;
	len = (size_t)g.entries * g.entry_bytes;
	if (g.table_sector > d->size / SECTOR_BYTES ||
	    len > d->size - g.table_sector * SECTOR_BYTES)
		return 0;
	table = malloc(len + 1);
	if (!table)
		return err_sys(e, "partition table");
	if (disk_read(d, g.table_sector * SECTOR_BYTES, table, len, e) < 0)
		return -1;
	if (crc32(0, table, (uInt)len) != g.table_crc)
		return 0;
	for (uint32_t i = 0; i < g.entries; i++)
		gpt_add_entry(d, table + (size_t)i * g.entry_bytes, r);
	return 0;
}

static int
read_tables(struct disk *d, struct ranges *r, struct err *e)
{
	struct mbr_entry entries[MBR_ENTRIES];
	uint8_t sector[SECTOR_BYTES];

	if (d->size < SECTOR_BYTES)
		return 0;
	if (disk_read(d, 0, sector, sizeof(sector), e) < 0)
		return -1;
	if (!mbr_parse(sector, entries))
		return 0;
	for (unsigned i = 0; i < MBR_ENTRIES; i++)
		if (entries[i].type == 0xee)
			return gpt_read(d, r, e);
	for (unsigned i = 0; i < MBR_ENTRIES; i++) {
		if (is_extended(entries[i].type)) {
			if (extended_parse(d, entries[i].start, r, e) < 0)
				return -1;
		} else if (entries[i].type) {
			add_range(r, d, entries[i].start, entries[i].len);
		}
	}
	return 0;
}

static int
by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Adds the blocks between two bytes that count from 'origin'. */
static void
add_part(struct image_part *parts, size_t *n, struct range bytes,
	 uint64_t origin)
{
	struct image_part *last = *n ? &parts[*n - 1] : NULL;
	uint64_t phase = origin % PAGE_BYTES;
	uint64_t offset, nblocks;

	offset = bytes.start +
		 (phase + PAGE_BYTES - bytes.start % PAGE_BYTES) % PAGE_BYTES;
	nblocks = offset < bytes.end ? (bytes.end - offset) / PAGE_BYTES : 0;
	/* A block that begins before a neighbour that counts alike goes on
	 * into it.
	 */
	if (last && last->offset % PAGE_BYTES == phase) {
		last->nblocks = (bytes.end - last->offset) / PAGE_BYTES;
		return;
	}
	if (nblocks == 0)
		return;
	parts[(*n)++] = (struct image_part){
		.offset = offset,
		.first_block = last ? last->first_block + last->nblocks : 0,
		.nblocks = nblocks,
	};
}

int
partition_parts(struct disk *d, struct image_part parts[PARTITION_PARTS_MAX],
		size_t *n, struct err *e)
{
	struct ranges r = { .n = 0 };
	uint64_t at = 0;

	*n = 0;
	if (read_tables(d, &r, e) < 0)
		return -1;
	qsort(r.at, r.n, sizeof(r.at[0]), by_start);
	for (size_t i = 0; i < r.n; i++) {
		uint64_t end = r.at[i].end;

		if (i + 1 < r.n)
			end = MIN(end, r.at[i + 1].start);
		if (at < r.at[i].start)
			add_part(parts, n, (struct range){ at, r.at[i].start },
				 0);
		add_part(parts, n, (struct range){ r.at[i].start, end },
			 r.at[i].start);
		at = end;
	}
	if (at < d->size)
		add_part(parts, n, (struct range){ at, d->size }, 0);
	return 0;
}
