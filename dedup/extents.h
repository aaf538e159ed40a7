/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_EXTENTS_H
#define MIG_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/image.h"

/* The pieces that files of an image stand in, as its file systems say
 * (filesystems.h).  Those are the guest's, which may say anything: what makes
 * no sense is passed over, and a list that lies makes files that help nobody.
 */

/* More pieces than that, of one file or of all, are left out. */
#define EXTENTS_FILE_MAX 4096
#define EXTENTS_MAX      (1 << 20)
/* Of one, in an index. */
#define EXTENT_BYTES 16

/* Takes n of them, of an image of so many blocks: ERR_CORRUPT if they are not
 * in order, or of other blocks.
 */
int extents_get(struct span s, size_t n, uint64_t nblocks, struct extent *out,
		struct err *e) __attribute__((nonnull(5), warn_unused_result));

/* For readers of file systems: the list under way. */
struct extents {
	struct image *img;
	struct buf found; /* struct extent */
	uint64_t work;    /* blocks that may still be read */
	struct extent file[EXTENTS_FILE_MAX];
	size_t n;
};

/* Reads blocks; false if there are none or too many were read. */
bool extents_read(struct extents *x, uint64_t block, uint64_t n, uint8_t *out)
	__attribute__((nonnull, warn_unused_result));
/* A file begins; it has n blocks from its block 'at' on, in order; it ends, and
 * is listed if it is in more than one piece and begins like a program, a kernel
 * or a module.
 */
void extents_begin(struct extents *x) __attribute__((nonnull));
bool extents_add(struct extents *x, uint64_t at, uint64_t block, uint64_t n)
	__attribute__((nonnull, warn_unused_result));
int extents_end(struct extents *x, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* All that are listed, in order. */
int extents_put(struct extents *x, struct buf *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
