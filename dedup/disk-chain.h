/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DISK_CHAIN_H
#define MIG_DISK_CHAIN_H

#include <stddef.h>

#include "common/err.h"

/* Finds what an image and its backing files are, so that QEMU can be told
 * each file and format and decides nothing by itself: an image may name any
 * file or network address as its backing.  Only regular files and block
 * devices pass; a backing file of unnamed format only if it is raw.
 */
struct disk;

/* Adds all files of the image to d->files and returns the --image-opts that
 * open them, which the caller frees.
 */
char *disk_chain_opts(struct disk *d, const char *path, const char *format,
		      struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
