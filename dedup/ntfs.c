/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/ntfs.h"

/* The boot sector. */
#define BOOT_SECTOR  11 /* bytes of one */
#define BOOT_CLUSTER 13 /* sectors; above 128: minus the power of 2 */
#define BOOT_SECTORS 40
#define BOOT_MFT     48 /* cluster */
#define BOOT_RECORD  64 /* clusters; if negative, minus the power of 2 */

/* A record of the $MFT, whose sectors end with a number of its own in place of
 * two bytes, which stand behind the header.
 */
#define RECORD_FIXUPS  4
#define RECORD_NFIXUPS 6
#define RECORD_ATTRS   20
#define RECORD_FLAGS   22
#define RECORD_LEN     24
#define RECORD_BASE    32 /* the record that it continues */
#define RECORD_IN_USE  1
#define RECORD_FOLDER  2
#define RECORD_MAX     4096
#define SECTOR_BYTES   512

/* An attribute of a file that is kept in clusters. */
#define ATTR_DATA      0x80
#define ATTR_END       UINT32_MAX
#define ATTR_ELSEWHERE 8
#define ATTR_NAME      9
#define ATTR_FLAGS     12
#define ATTR_FIRST     16
#define ATTR_LAST      24
#define ATTR_RUNS      32
#define ATTR_ROOM      40 /* bytes of all clusters */
#define ATTR_MIN       64
#define ATTR_PACKED    0x40ff /* flags: compressed, encrypted */

/* Blocks of the $MFT that are read at a time. */
#define TABLE_CHUNK 64

struct ntfs {
	struct extents *x;
	uint64_t first, nblocks; /* where it is */
	uint32_t cluster_blocks, record_bytes;
	uint8_t mft[RECORD_MAX]; /* its own record */
	uint8_t table[TABLE_CHUNK * PAGE_BYTES];
};

/* Where the clusters of a file are, as its runs say one after the other. */
struct ntfs_runs {
	struct span left;
	uint64_t at, cluster, n;
	bool is_hole;
};

/* A number of so many bytes, signed. */
static bool
runs_number(struct span *s, unsigned nbytes, int64_t *v)
{
	uint8_t bytes[8] = { 0 };
	struct err ignored;

	if (nbytes > 8 || span_get(s, bytes, nbytes, &ignored) < 0)
		return false;
	if (nbytes > 0 && bytes[nbytes - 1] & 0x80)
		memset(bytes + nbytes, 0xff, 8 - nbytes);
	*v = (int64_t)load_le64(bytes);
	return true;
}

/* The next run: 1, else 0 after the last; -1 if it makes no sense. */
static int
runs_next(const struct ntfs *fs, struct ntfs_runs *r)
{
	uint64_t max = fs->nblocks / fs->cluster_blocks;
	int64_t n, by;
	uint8_t head;
	struct err ignored;

	r->at += r->n;
	r->n = 0;
	if (span_get_u8(&r->left, &head, &ignored) < 0 || head == 0)
		return 0;
	if (!runs_number(&r->left, head & 15, &n) ||
	    !runs_number(&r->left, head >> 4, &by) || n <= 0 ||
	    (uint64_t)n > UINT32_MAX || r->at > UINT32_MAX)
		return -1;
	r->n = (uint64_t)n;
	r->is_hole = head >> 4 == 0;
	r->cluster += (uint64_t)by;
	if (!r->is_hole && (r->cluster >= max || r->n > max - r->cluster))
		return -1;
	return 1;
}

/* Puts back what its sectors end with; false if it is no record. */
static bool
record_mend(const struct ntfs *fs, uint8_t *record)
{
	size_t at = load_le16(record + RECORD_FIXUPS);
	size_t n = load_le16(record + RECORD_NFIXUPS);

	if (memcmp(record, "FILE", 4) != 0 ||
	    n != fs->record_bytes / SECTOR_BYTES + 1 ||
	    at + 2 * n > SECTOR_BYTES - 2)
		return false;
	for (size_t i = 1; i < n; i++) {
		uint8_t *end = record + i * SECTOR_BYTES - 2;

		if (memcmp(end, record + at, 2) != 0)
			return false;
		memcpy(end, record + at + 2 * i, 2);
	}
	return true;
}

/* The runs of an attribute, if it is data that is all in them as it is. */
static bool
attr_runs(const struct ntfs *fs, const uint8_t *attr, size_t len,
	  struct ntfs_runs *r)
{
	uint64_t cluster = (uint64_t)fs->cluster_blocks * PAGE_BYTES;
	uint16_t runs;

	if (len < ATTR_MIN || !attr[ATTR_ELSEWHERE] || attr[ATTR_NAME] ||
	    load_le16(attr + ATTR_FLAGS) & ATTR_PACKED ||
	    load_le64(attr + ATTR_FIRST) != 0 ||
	    load_le64(attr + ATTR_LAST) + 1 <
		    load_le64(attr + ATTR_ROOM) / cluster)
		return false;
	runs = load_le16(attr + ATTR_RUNS);
	if (runs > len)
		return false;
	*r = (struct ntfs_runs){ .left = span_of(attr + runs, len - runs) };
	return true;
}

static bool
record_runs(const struct ntfs *fs, const uint8_t *record, struct ntfs_runs *r)
{
	size_t at = load_le16(record + RECORD_ATTRS);
	size_t end = MIN(load_le32(record + RECORD_LEN), fs->record_bytes);
	uint32_t type, len;

	for (; at + 8 <= end; at += len) {
		type = load_le32(record + at);
		len = load_le32(record + at + 4);
		if (type == ATTR_END || len < 8 || len > end - at)
			return false;
		if (type == ATTR_DATA && attr_runs(fs, record + at, len, r))
			return true;
	}
	return false;
}

static int
ntfs_record(struct ntfs *fs, uint8_t *record, struct err *e)
{
	uint32_t blocks = fs->cluster_blocks;
	struct ntfs_runs r;
	int more;

	if (!record_mend(fs, record) ||
	    (load_le16(record + RECORD_FLAGS) &
	     (RECORD_IN_USE | RECORD_FOLDER)) != RECORD_IN_USE ||
	    load_le64(record + RECORD_BASE) != 0 ||
	    !record_runs(fs, record, &r))
		return 0;
	extents_begin(fs->x);
	while ((more = runs_next(fs, &r)) > 0)
		if (!r.is_hole &&
		    !extents_add(fs->x, r.at * blocks,
				 fs->first + r.cluster * blocks, r.n * blocks))
			return 0;
	return more < 0 ? 0 : extents_end(fs->x, e);
}

/* A run of the $MFT. */
static int
ntfs_table(struct ntfs *fs, uint64_t block, uint64_t nblocks, struct err *e)
{
	uint64_t n;

	for (uint64_t at = 0; at < nblocks; at += n) {
		n = MIN(nblocks - at, (uint64_t)TABLE_CHUNK);
		if (!extents_read(fs->x, fs->first + block + at, n, fs->table))
			return 0;
		for (size_t i = 0; i < n * PAGE_BYTES; i += fs->record_bytes)
			if (ntfs_record(fs, fs->table + i, e) < 0)
				return -1;
	}
	return 0;
}

static int
ntfs_tables(struct ntfs *fs, struct err *e)
{
	uint32_t blocks = fs->cluster_blocks;
	struct ntfs_runs r;

	if (!record_mend(fs, fs->mft) || !record_runs(fs, fs->mft, &r))
		return 0;
	while (runs_next(fs, &r) > 0)
		if (!r.is_hole &&
		    ntfs_table(fs, r.cluster * blocks, r.n * blocks, e) < 0)
			return -1;
	return 0;
}

/* Reads the boot sector and the first record of the $MFT. */
static bool
ntfs_boot(struct ntfs *fs, const uint8_t *boot)
{
	uint32_t sector = load_le16(boot + BOOT_SECTOR);
	uint32_t sectors = boot[BOOT_CLUSTER];
	int8_t record = (int8_t)boot[BOOT_RECORD];
	uint64_t mft = load_le64(boot + BOOT_MFT), cluster;
	uint8_t page[PAGE_BYTES];

	if (sectors > 128)
		sectors = 256 - sectors < 16 ? 1u << (256 - sectors) : 0;
	cluster = (uint64_t)sector * sectors;
	if (cluster == 0 || cluster % PAGE_BYTES != 0 ||
	    (record != -10 && record != -12 &&
	     (record != 1 || cluster != PAGE_BYTES)))
		return false;
	fs->cluster_blocks = (uint32_t)(cluster / PAGE_BYTES);
	fs->record_bytes = record == -10 ? 1024 : RECORD_MAX;
	fs->nblocks = MIN(fs->nblocks, load_le64(boot + BOOT_SECTORS) /
					       sectors * fs->cluster_blocks);
	if (mft >= fs->nblocks / fs->cluster_blocks ||
	    !extents_read(fs->x, fs->first + mft * fs->cluster_blocks, 1, page))
		return false;
	memcpy(fs->mft, page, fs->record_bytes);
	return true;
}

int
ntfs_files(struct extents *x, uint64_t first, uint64_t nblocks, struct err *e)
{
	uint8_t head[PAGE_BYTES];
	struct ntfs *fs;
	int ret = 0;

	if (!extents_read(x, first, 1, head) ||
	    memcmp(head + 3, "NTFS    ", 8) != 0)
		return 0;
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return err_sys(e, "a file system");
	fs->x = x;
	fs->first = first;
	fs->nblocks = nblocks;
	if (ntfs_boot(fs, head))
		ret = ntfs_tables(fs, e);
	free(fs);
	return ret;
}
