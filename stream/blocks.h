/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BLOCKS_H
#define MIG_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* The RAM blocks of a guest, as QEMU lists them at the beginning of its
 * stream.  A block is named by its place in this table.
 */
#define STREAM_BLOCKS_MAX 4096
#define STREAM_NO_BLOCK   UINT32_MAX

struct stream_block {
	uint64_t used; /* bytes of it that travel */
	uint8_t name_len;
	char name[256]; /* ends with a NUL that name_len does not count */
};

struct stream_blocks {
	struct stream_block *list;
	uint32_t n, room;
};

void stream_blocks_init(struct stream_blocks *b) __attribute__((nonnull));
void stream_blocks_fini(struct stream_blocks *b) __attribute__((nonnull));
/* Appends a block.  A name that is there already is ERR_PROTOCOL, one block
 * more than STREAM_BLOCKS_MAX is ERR_LIMIT.
 */
int stream_blocks_add(struct stream_blocks *b, const void *name,
		      uint8_t name_len, uint64_t used, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The block of that name, or STREAM_NO_BLOCK. */
uint32_t stream_blocks_find(const struct stream_blocks *b, const void *name,
			    uint8_t name_len) __attribute__((nonnull));

#endif
