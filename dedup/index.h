/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_H
#define MIG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "dedup/image.h"

/* The index of one generation of a disk image: an immutable file, mapped and
 * checked when opened (virt-mig-index.5).  It answers two questions: which
 * block may hold these bytes (buckets keyed by XXH3: a hint, the caller
 * compares bytes), and what is block n known by to the other host (a flat
 * array of fingerprints, a digest per 4 MiB region over them, a root over
 * those).  Read-only once open: any thread.
 */
struct index;

#define INDEX_REGION_BLOCKS 1024 /* 4 MiB */
/* A lookup never yields more candidates than this. */
#define INDEX_CANDIDATES 4

struct index_progress {
	void (*report)(void *arg, uint64_t done_blocks, uint64_t all_blocks);
	void *arg;
	const volatile int *cancelled; /* may be NULL */
};

struct index_build_stats {
	uint64_t data_blocks;   /* blocks with data */
	uint64_t unique_blocks; /* of these, different and not zero */
	uint64_t read_blocks;   /* read now; the rest came from the old index */
	uint64_t cpu_ns, wall_ns;
};

/* Writes the index of img to path: temporary file, fsync, rename, so that no
 * half-written index ever has that name.  'old', NULL or an index of an
 * earlier generation of the same image, gives the fingerprints of regions
 * that can be proved unchanged; only the others are read.
 */
int index_build(struct image *img, const char *path, const struct index *old,
		const struct index_progress *progress,
		struct index_build_stats *stats, struct err *e)
	__attribute__((nonnull(1, 2, 5, 6), warn_unused_result));

/* Maps and checks every byte that lookups rely on (header, checksums). */
struct index *index_open(const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void index_close(struct index *idx);

/* Whether the files of img are still the ones that were indexed. */
bool index_is_current(const struct index *idx, const struct image *img);

/* Where the index of the image at path is kept by default: under
 * /var/lib/virt-mig/index for root, else in the user's cache folder; named by
 * the image's real path.  Makes the folder.
 */
int index_default_path(const char *image_path, char *out, size_t cap,
		       struct err *e)
	__attribute__((nonnull, warn_unused_result));

uint64_t index_nblocks(const struct index *idx);
uint64_t index_unique_blocks(const struct index *idx);
size_t index_file_bytes(const struct index *idx);
const struct digest *index_root(const struct index *idx);
/* SHA-256 over each region's fingerprints; the last region may be short. */
const struct digest *index_regions(const struct index *idx, size_t *n);
/* All zero bits for a block that holds no data or only zeros. */
const struct fingerprint *index_fingerprint(const struct index *idx,
					    uint64_t block);

/* Starts loading the bucket of a hint; call it some pages ahead. */
void index_prefetch(const struct index *idx, uint64_t hint);
/* Blocks whose 4096 bytes may have digest_hint() == hint, at most
 * INDEX_CANDIDATES; returns how many.
 */
size_t index_find(const struct index *idx, uint64_t hint,
		  uint32_t out[INDEX_CANDIDATES]);

#endif
