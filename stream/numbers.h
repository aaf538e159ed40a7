/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_NUMBERS_H
#define MIG_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "stream/blocks.h"

/* The pages of all RAM blocks, numbered through: those of block 0 first.  A
 * block that ends inside a page ends with all of it.
 */
struct stream_numbers {
	uint64_t *first; /* of each block; one more, the end of all */
	uint32_t nblocks;
	uint64_t npages;
};

/* For a table that is complete.  ERR_LIMIT if there are too many pages. */
int stream_numbers_init(struct stream_numbers *n,
			const struct stream_blocks *blocks, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void stream_numbers_fini(struct stream_numbers *n) __attribute__((nonnull));

/* The number of the page at that offset; false if there is none. */
bool stream_number_of(const struct stream_numbers *n, uint32_t block,
		      uint64_t offset, uint64_t *page) __attribute__((nonnull));
/* Where page number 'page' is; false if there is none. */
bool stream_number_find(const struct stream_numbers *n, uint64_t page,
			uint32_t *block, uint64_t *offset)
	__attribute__((nonnull));

#endif
