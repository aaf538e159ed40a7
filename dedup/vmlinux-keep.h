/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VMLINUX_KEEP_H
#define MIG_VMLINUX_KEEP_H

#include <stddef.h>

#include "common/err.h"
#include "memory/memory.h"

/* Unpacking a kernel takes a second; so it is kept beside the indexes, as an
 * ELF core named by the digest of the file it came from.  What is kept is
 * mapped, and hashed by whoever offers it: a damaged one agrees with nobody.
 */

/* The kernel of the bzImage that 'file' begins with: kept, or unpacked now and
 * kept if that can be done.  For memory_close().
 */
int vmlinux_kept(struct memory *m, const uint8_t *file, size_t len,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
