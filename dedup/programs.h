/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PROGRAMS_H
#define MIG_PROGRAMS_H

#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "memory/memory.h"

/* The programs that a disk image holds, laid out as in memory: those of their
 * pages that are no blocks of the image (pe.h, elf-program.h), one behind the
 * other in the order of the disk, and a list of the modules of kernels
 * (modules.h).  Both ends make the same of the same image.
 * They are kept beside the index, until the image is of another generation.
 * What is kept is mapped, and hashed by whoever offers it: a damaged one agrees
 * with nobody.
 */

/* Beyond this, programs are left out: 1 GiB of pages. */
#define PROGRAMS_PAGES_MAX (1u << 18)

/* The programs of the image with that root: kept, or looked for now, which
 * reads all of it once, and kept.  No pages if it holds no file system of
 * Windows or Linux: little is read then.  For memory_close().
 */
int programs_kept(struct memory *m, struct image *img,
		  const struct digest *root, const struct index_how *how,
		  struct err *e) __attribute__((nonnull, warn_unused_result));

/* The file of the programs of that image, open, for memory_take_core(); -1
 * where none are kept of that generation.
 */
int programs_lend(const char *image, const struct digest *root)
	__attribute__((nonnull, warn_unused_result));

#endif
