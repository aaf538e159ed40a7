/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_FILE_H
#define MIG_INDEX_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/page.h"
#include "dedup/disk.h"
#include "dedup/extents.h"
#include "dedup/partition.h"

/* The index file as bytes (virt-mig-index.5): a header page, then sections.
 * Each section is padded with zeros to whole pages; its checksum covers the
 * padding.  Where a section stands follows from the counts in the header.
 * All numbers are little-endian.
 */
#define INDEX_MAGIC         "virtmigx"
#define INDEX_VERSION       2
#define INDEX_HEADER        4096
#define INDEX_PATH_MAX      3072
#define INDEX_REGION_BLOCKS 1024 /* 4 MiB */
#define INDEX_FILE_BYTES    48
#define INDEX_PART_BYTES    24
#define INDEX_KERNELS_MAX   64
#define INDEX_BUCKET_BYTES  64
#define INDEX_SPILL_MAX     8 /* buckets that one may spill into */
#define INDEX_BLOCKS_MAX    (1ull << 32)

enum index_section {
	INDEX_FILES = 0,   /* what the image is made of */
	INDEX_PARTS = 1,   /* where its blocks begin */
	INDEX_REGIONS = 2, /* SHA-256 over the fingerprints of each region */
	INDEX_SLOTS = 3,   /* number of each region's piece, from 1; 0: none */
	INDEX_PIECES = 4,  /* of the regions that are not all zero */
	INDEX_BUCKETS = 5, /* which blocks have a given hash */
	INDEX_KERNELS = 6, /* blocks in which a Linux kernel's file begins */
	INDEX_EXTENTS = 7, /* of the guest's files in several pieces */
	INDEX__MAX
};

struct index_header {
	uint32_t nfiles, nparts, nkernels;
	uint64_t image_size, nblocks;
	uint64_t data_blocks, unique_blocks;
	uint64_t npieces, nbuckets, nextents;
	struct digest root;
	char format[16];
	uint64_t sums[INDEX__MAX]; /* XXH3 of each section */
	char path[INDEX_PATH_MAX]; /* of the image when it was indexed */
};

static inline uint64_t
index_nregions(const struct index_header *h)
{
	return (h->nblocks + INDEX_REGION_BLOCKS - 1) / INDEX_REGION_BLOCKS;
}

/* What is known of the blocks of one region: all zero bits where a block
 * holds no data, or only zeros.  Lookups never touch the hints; they are for
 * whoever builds the index of an image on top of this one.
 */
struct index_piece {
	struct fingerprint prints[INDEX_REGION_BLOCKS];
	uint64_t hints[INDEX_REGION_BLOCKS];
};

/* Bytes that a section really uses, before its padding. */
uint64_t index_section_bytes(const struct index_header *h, enum index_section s)
	__attribute__((nonnull));
/* Where section s begins; INDEX__MAX: where the file ends. */
uint64_t index_section_start(const struct index_header *h, enum index_section s)
	__attribute__((nonnull));

int index_header_put(const struct index_header *h, uint8_t page[INDEX_HEADER],
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* ERR_VERSION for an index of another version, ERR_CORRUPT for anything else
 * that is wrong.  What it accepts is small enough that the places of the
 * sections cannot overflow.
 */
int index_header_get(const uint8_t page[INDEX_HEADER], struct index_header *h,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));

int index_part_put(struct buf *b, const struct image_part *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int index_part_get(struct span *s, struct image_part *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int index_file_put(struct buf *b, const struct image_file *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int index_file_get(struct span *s, struct image_file *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* What two hosts compare: equal roots mean equal parts and fingerprints. */
int index_root_of(const struct index_header *h, const struct image_part *parts,
		  const struct digest *regions, struct digest *root,
		  struct err *e) __attribute__((nonnull, warn_unused_result));

/* The pieces by block number, wherever they are mapped. */
struct index_pieces {
	const uint32_t *slots;
	const struct index_piece *at;
};

const struct fingerprint *index_pieces_print(const struct index_pieces *p,
					     uint64_t block)
	__attribute__((nonnull));
uint64_t index_pieces_hint(const struct index_pieces *p, uint64_t block)
	__attribute__((nonnull));
/* Whether it is the one of blocks without data. */
bool index_print_is_zero(const struct fingerprint *f) __attribute__((nonnull));

#endif
