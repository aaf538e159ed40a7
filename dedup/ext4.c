/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/ext4.h"

/* The superblock, 1024 bytes into the file system. */
#define SUPER_AT            1024
#define SUPER_NBLOCKS       0x04
#define SUPER_FIRST_BLOCK   0x14
#define SUPER_LOG_BLOCK     0x18
#define SUPER_GROUP_BLOCKS  0x20
#define SUPER_GROUP_INODES  0x28
#define SUPER_MAGIC         0x38
#define SUPER_INODE_BYTES   0x58
#define SUPER_GROUP         0x5a /* that this copy is in */
#define SUPER_INCOMPAT      0x60
#define SUPER_DESC_BYTES    0xfe
#define SUPER_NBLOCKS_HIGH  0x150
#define INCOMPAT_META_GROUP 0x10
#define INCOMPAT_EXTENTS    0x40
#define INCOMPAT_64         0x80

/* The descriptor of a group of blocks. */
#define DESC_TABLE       0x08
#define DESC_FLAGS       0x12
#define DESC_UNUSED      0x1c
#define DESC_TABLE_HIGH  0x28
#define DESC_UNUSED_HIGH 0x32
#define DESC_NO_INODES   1

#define INODE_MODE    0x00
#define INODE_LINKS   0x1a
#define INODE_FLAGS   0x20
#define INODE_TREE    0x28
#define MODE_TYPE     0xf000
#define MODE_FILE     0x8000
#define FLAGS_EXTENTS 0x80000

/* A tree of extents: a node is a header and entries of as many bytes. */
#define TREE_MAGIC   0xf30a
#define TREE_ROOM    60 /* in an inode */
#define TREE_ENTRY   12
#define TREE_DEPTH   5
#define TREE_NODES   1024  /* of one file */
#define TREE_WRITTEN 32768 /* longer: has room, but holds nothing yet */

/* Blocks of a table of inodes that are read at a time. */
#define TABLE_CHUNK 64

struct ext4 {
	struct extents *x;
	uint64_t first, nblocks; /* where it is */
	uint64_t group_blocks;
	uint32_t group_inodes, inode_bytes, desc_bytes;
	unsigned nodes; /* of this file */
	uint8_t table[TABLE_CHUNK * PAGE_BYTES];
};

static bool
is_power(uint32_t n, uint32_t min, uint32_t max)
{
	return n >= min && n <= max && (n & (n - 1)) == 0;
}

static bool
ext4_super(struct ext4 *fs, const uint8_t *super)
{
	uint32_t incompat = load_le32(super + SUPER_INCOMPAT);
	uint64_t nblocks = load_le32(super + SUPER_NBLOCKS);

	fs->desc_bytes = 32;
	if (incompat & INCOMPAT_64) {
		nblocks |= (uint64_t)load_le32(super + SUPER_NBLOCKS_HIGH)
			   << 32;
		fs->desc_bytes = load_le16(super + SUPER_DESC_BYTES);
	}
	fs->nblocks = MIN(fs->nblocks, nblocks);
	fs->group_blocks = load_le32(super + SUPER_GROUP_BLOCKS);
	fs->group_inodes = load_le32(super + SUPER_GROUP_INODES);
	fs->inode_bytes = load_le16(super + SUPER_INODE_BYTES);
	return load_le16(super + SUPER_MAGIC) == 0xef53 &&
	       load_le32(super + SUPER_LOG_BLOCK) == 2 &&
	       load_le32(super + SUPER_FIRST_BLOCK) == 0 &&
	       load_le16(super + SUPER_GROUP) == 0 &&
	       (incompat & INCOMPAT_EXTENTS) &&
	       !(incompat & INCOMPAT_META_GROUP) && fs->group_blocks > 0 &&
	       fs->group_inodes > 0 && fs->group_inodes <= 8 * PAGE_BYTES &&
	       is_power(fs->inode_bytes, 128, PAGE_BYTES) &&
	       is_power(fs->desc_bytes, 32, 1024);
}

static bool
ext4_read(struct ext4 *fs, uint64_t block, uint64_t n, uint8_t *out)
{
	return block < fs->nblocks && n <= fs->nblocks - block &&
	       extents_read(fs->x, fs->first + block, n, out);
}

static bool
ext4_extent(struct ext4 *fs, const uint8_t *entry)
{
	uint32_t n = load_le16(entry + 4);
	uint64_t block = load_le32(entry + 8) | (uint64_t)load_le16(entry + 6)
							<< 32;

	if (n > TREE_WRITTEN)
		return true;
	return block < fs->nblocks && n <= fs->nblocks - block &&
	       extents_add(fs->x, load_le32(entry), fs->first + block, n);
}

/* A node of so many bytes and all below it; false if any makes no sense. */
static bool
ext4_tree(struct ext4 *fs, const uint8_t *node, size_t len, unsigned depth)
{
	uint16_t n = load_le16(node + 2);
	uint8_t below[PAGE_BYTES];

	if (load_le16(node) != TREE_MAGIC || load_le16(node + 6) != depth ||
	    n > len / TREE_ENTRY - 1)
		return false;
	for (uint16_t i = 1; i <= n; i++) {
		const uint8_t *entry = node + (size_t)i * TREE_ENTRY;
		uint64_t block = load_le32(entry + 4) |
				 (uint64_t)load_le16(entry + 8) << 32;

		if (depth == 0) {
			if (!ext4_extent(fs, entry))
				return false;
		} else if (++fs->nodes > TREE_NODES ||
			   !ext4_read(fs, block, 1, below) ||
			   !ext4_tree(fs, below, PAGE_BYTES, depth - 1)) {
			return false;
		}
	}
	return true;
}

static int
ext4_inode(struct ext4 *fs, const uint8_t *inode, struct err *e)
{
	const uint8_t *tree = inode + INODE_TREE;
	uint16_t depth = load_le16(tree + 6);

	if ((load_le16(inode + INODE_MODE) & MODE_TYPE) != MODE_FILE ||
	    load_le16(inode + INODE_LINKS) == 0 ||
	    !(load_le32(inode + INODE_FLAGS) & FLAGS_EXTENTS) ||
	    depth > TREE_DEPTH)
		return 0;
	fs->nodes = 0;
	extents_begin(fs->x);
	if (!ext4_tree(fs, tree, TREE_ROOM, depth))
		return 0;
	return extents_end(fs->x, e);
}

static int
ext4_table(struct ext4 *fs, uint64_t table, uint32_t ninodes, struct err *e)
{
	uint32_t per_block = PAGE_BYTES / fs->inode_bytes, n;
	uint32_t nblocks = (ninodes + per_block - 1) / per_block;

	for (uint32_t at = 0; at < nblocks; at += n) {
		n = MIN(nblocks - at, (uint32_t)TABLE_CHUNK);
		if (!ext4_read(fs, table + at, n, fs->table))
			return 0;
		for (uint32_t i = 0; i < n * per_block; i++)
			if (ext4_inode(fs,
				       fs->table + (size_t)i * fs->inode_bytes,
				       e) < 0)
				return -1;
	}
	return 0;
}

static int
ext4_group(struct ext4 *fs, const uint8_t *desc, struct err *e)
{
	uint64_t table = load_le32(desc + DESC_TABLE);
	uint32_t unused = load_le16(desc + DESC_UNUSED);

	if (load_le16(desc + DESC_FLAGS) & DESC_NO_INODES)
		return 0;
	if (fs->desc_bytes >= 64) {
		table |= (uint64_t)load_le32(desc + DESC_TABLE_HIGH) << 32;
		unused |= (uint32_t)load_le16(desc + DESC_UNUSED_HIGH) << 16;
	}
	return ext4_table(fs, table,
			  fs->group_inodes - MIN(unused, fs->group_inodes), e);
}

static int
ext4_groups(struct ext4 *fs, struct err *e)
{
	uint64_t n = (fs->nblocks + fs->group_blocks - 1) / fs->group_blocks;
	uint32_t per_block = PAGE_BYTES / fs->desc_bytes;
	uint8_t descs[PAGE_BYTES];

	for (uint64_t i = 0; i < n; i++) {
		if (i % per_block == 0 &&
		    !ext4_read(fs, 1 + i / per_block, 1, descs))
			return 0;
		if (ext4_group(fs, descs + i % per_block * fs->desc_bytes, e) <
		    0)
			return -1;
	}
	return 0;
}

int
ext4_files(struct extents *x, uint64_t first, uint64_t nblocks, struct err *e)
{
	uint8_t head[PAGE_BYTES];
	struct ext4 *fs;
	int ret = 0;

	if (!extents_read(x, first, 1, head) ||
	    load_le16(head + SUPER_AT + SUPER_MAGIC) != 0xef53)
		return 0;
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return err_sys(e, "a file system");
	fs->x = x;
	fs->first = first;
	fs->nblocks = nblocks;
	if (ext4_super(fs, head + SUPER_AT))
		ret = ext4_groups(fs, e);
	free(fs);
	return ret;
}
