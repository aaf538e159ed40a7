/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PAGE_CHUNK_H
#define MIG_PAGE_CHUNK_H

#include "codec/page-impl.h"

/* Between the bytes of a block and the sequences of its chunks. */
struct page_window {
	uint32_t len; /* of the block */
	uint32_t at;  /* where the next chunk begins */
	uint32_t rep[REPS];
};

/* At the beginning of a block. */
void page_reps_init(uint32_t rep[REPS]) __attribute__((nonnull));

/* Sets the contexts of the literals, their number, and where lanes begin.
 * -1: the chunk is empty, has too many literals, or is longer than the block.
 */
int page_chunk_place(struct page_chunk *c, const struct page_window *w)
	__attribute__((nonnull, warn_unused_result));

/* Encoding: takes the literals from the block, and goes on. */
void page_chunk_take(struct page_chunk *c, struct page_window *w,
		     const uint8_t *block) __attribute__((nonnull));
/* Then: whether literals shall be plain, by what they would cost now. */
void page_chunk_choose(struct page_chunk *c, const struct page_models *m)
	__attribute__((nonnull));
/* Decoding: writes the bytes of the chunk, and goes on.  Nothing is touched
 * beyond the block.  -1: a match begins before it.
 */
int page_chunk_give(const struct page_chunk *c, struct page_window *w,
		    uint8_t *block)
	__attribute__((nonnull, warn_unused_result));

#endif
