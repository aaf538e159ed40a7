/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SOURCE_H
#define MIG_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "memory/memory.h"
#include "sender/batch.h"

/* A memory image as batches, which point into its mapping. */

/* Where in the image one stands. */
struct source_cursor {
	size_t segment;
	uint64_t done; /* bytes of that segment */
	uint64_t page, byte;
};

/* Pages and opaque bytes in a row. */
struct source_range {
	struct source_cursor at;
	uint32_t npages, nbytes;
};

/* Fills b with what stands at the cursor, as much as a frame may hold but no
 * more pages and bytes than those.  At the end of the image b stays empty.
 */
void source_fill(const struct memory *m, const struct source_cursor *at,
		 uint32_t npages, uint32_t nbytes, struct batch *b)
	__attribute__((nonnull));
/* Moves past so many pages and bytes, which a batch from here held. */
void source_advance(const struct memory *m, struct source_cursor *at,
		    uint32_t npages, uint32_t nbytes) __attribute__((nonnull));

#endif
