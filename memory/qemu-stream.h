/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_QEMU_STREAM_H
#define MIG_QEMU_STREAM_H

#include "memory/decoded.h"
#include "stream/parse.h"

/* The memory in a migration stream that was written to a file: of each page
 * what came last.  Fed with the stream in pieces.
 */
struct qemu_stream {
	struct stream_blocks blocks;
	struct stream_parser parser;
	struct decoded memory;
	uint64_t *first_page; /* of each block; NULL until all are known */
	uint64_t fed;         /* bytes of the stream */
	struct buf held;      /* the beginning of an item */
	struct buf opaque;    /* all that is no page */
	bool ended;
};

void qemu_stream_init(struct qemu_stream *q) __attribute__((nonnull));
int qemu_stream_feed(struct qemu_stream *q, const uint8_t *bytes, size_t n,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* All was fed: makes it the memory in place of the file that m has mapped. */
int qemu_stream_lay_out(struct qemu_stream *q, struct memory *m, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void qemu_stream_fini(struct qemu_stream *q) __attribute__((nonnull));

#endif
