/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_H
#define MIG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-file.h"
#include "dedup/index-table.h"

/* The index of one generation of a disk image: an immutable file, mapped and
 * checked when opened (virt-mig-index.5).  It answers two questions: which
 * block may hold these bytes (buckets keyed by XXH3: a hint, the caller
 * compares bytes), and what is block n known by to the other host (a flat
 * array of fingerprints, a digest per 4 MiB region over them, a root over
 * those).  Read-only once open: any thread.
 */
struct index;

/* Maps and checks every byte of the file.  ERR_CORRUPT if it was damaged; a
 * file that was made to look whole may give wrong answers but harms nothing.
 */
struct index *index_open(const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The same of an open file, which is the index's even on error. */
struct index *index_take(int fd, const char *name, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void index_close(struct index *idx);

/* Whether the files of img are still the ones that were indexed.  A block
 * device counts as unchanged while it is the same device of the same size.
 */
bool index_is_current(const struct index *idx, const struct image *img);
/* The same of an image that nobody here reads: its format and its files. */
bool index_is_of_files(const struct index *idx, const char *format,
		       const struct image_file *files, size_t n)
	__attribute__((nonnull));

/* Whether it is the index of the backing file of img, and can prove that this
 * has not changed: a block device never proves that.
 */
bool index_is_of_backing(const struct index *idx, const struct image *img);

/* Where indexes are kept by default: the folder that VIRT_MIG_INDEX_DIR names,
 * else /var/lib/virt-mig/index for root and the user's cache folder for
 * others.  Makes the folder.
 */
int index_folder(char *out, size_t cap, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Where the index of the image at path is kept by default: in that folder,
 * named by the image's real path.
 */
int index_default_path(const char *image_path, char *out, size_t cap,
		       struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Sizes, counts, and the image's path when it was indexed. */
const struct index_header *index_header(const struct index *idx);
const struct image_part *index_parts(const struct index *idx, size_t *n);
uint64_t index_nblocks(const struct index *idx);
uint64_t index_unique_blocks(const struct index *idx);
size_t index_file_bytes(const struct index *idx);
/* Another descriptor of its file; -1 where there can be no more. */
int index_dup(const struct index *idx) __attribute__((nonnull));
/* Tells the image where the guest's files stand that are in several pieces; the
 * index must stay open longer.
 */
void index_tell_extents(const struct index *idx, struct image *img)
	__attribute__((nonnull));
const struct digest *index_root(const struct index *idx);
/* SHA-256 over each region's fingerprints; the last region may be short. */
const struct digest *index_regions(const struct index *idx, size_t *n);
/* All zero bits for a block that holds no data or only zeros, or that the
 * image does not have.
 */
const struct fingerprint *index_fingerprint(const struct index *idx,
					    uint64_t block);

/* digest_hint() of a block whose fingerprint is not zero. */
uint64_t index_hint(const struct index *idx, uint64_t block);
/* The block that begins at byte offset of the disk; false if none does. */
bool index_block_at(const struct index *idx, uint64_t offset, uint64_t *block);

/* The blocks in which the file of a Linux kernel begins, as far as can be told
 * from those blocks (vmlinux.h).
 */
size_t index_kernels(const struct index *idx, uint64_t out[INDEX_KERNELS_MAX]);
bool index_has_kernel(const struct index *idx, uint64_t block);

/* Starts loading the bucket of a hint; call it some pages ahead. */
void index_prefetch(const struct index *idx, uint64_t hint);
/* Blocks whose 4096 bytes may have digest_hint() == hint, at most
 * INDEX_CANDIDATES; returns how many.
 */
size_t index_find(const struct index *idx, uint64_t hint,
		  uint32_t out[INDEX_CANDIDATES]);

#endif
