/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_EXT4_H
#define MIG_EXT4_H

#include "dedup/extents.h"

/* Lists the files of the ext4 file system that begins at that block of the
 * image, if one does, and has at most nblocks: no names and no folders, only
 * what its inodes say of their blocks (Documentation/filesystems/ext4).  Those
 * in blocks of another size than 4096, and files without a tree of extents, are
 * passed over.  Fails if memory is short.
 */
int ext4_files(struct extents *x, uint64_t first, uint64_t nblocks,
	       struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
