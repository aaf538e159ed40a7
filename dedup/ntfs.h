/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_NTFS_H
#define MIG_NTFS_H

#include "dedup/extents.h"

/* Lists the files of the NTFS that begins at that block of the image, if one
 * does, and has at most nblocks: what the records of its $MFT say of the
 * unnamed data of each.  File systems whose clusters are no whole blocks, and
 * files that are compressed, encrypted, or so scattered that one record does
 * not say it all, are passed over.  Fails if memory is short.
 */
int ntfs_files(struct extents *x, uint64_t first, uint64_t nblocks,
	       struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
