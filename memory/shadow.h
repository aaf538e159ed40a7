/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SHADOW_H
#define MIG_SHADOW_H

#include <stdint.h>

#include "common/err.h"
#include "memory/memory.h"

/* A guest's memory as it has been moved so far: a file, mapped, with every
 * page at its number, zero before it comes.  Both ends of a live migration
 * have one and write the same pages in the same order.  At the end it is the
 * guest's memory, and memory_open() reads it as a raw file.
 */
struct shadow {
	uint8_t *data; /* NULL when closed or empty */
	struct memory memory;
};

/* Makes the empty file fd as long as npages and maps it; fd is the shadow's,
 * even if this fails.  ERR_LIMIT if there is no room.
 */
int shadow_open(struct shadow *s, int fd, uint64_t npages, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void shadow_close(struct shadow *s) __attribute__((nonnull));

#endif
