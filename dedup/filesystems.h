/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FILESYSTEMS_H
#define MIG_FILESYSTEMS_H

#include "dedup/extents.h"

/* Where the programs, kernels and modules of an image stand whose files are in
 * more than one piece, as its file systems (ext4.h, ntfs.h) say: all pieces, in
 * order, as an index has them.  What is read for it is bounded by how many of
 * the image's blocks hold data: a disk may be as large as its guest likes.
 */
int filesystems_find(struct image *img, uint64_t ndata, struct buf *out,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
