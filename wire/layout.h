/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LAYOUT_H
#define MIG_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

/* How the file that will come is cut: runs of guest pages and of opaque bytes
 * in file order, without a gap.  Frames number pages and opaque bytes; this
 * says where in the file each one stands.  Read-only once made: any thread.
 *
 * LAYOUT: one u64 for each run, the low bit 1 for pages, above it how many
 * (pages, or bytes).
 */
#define LAYOUT_RUNS_MAX  65536
#define LAYOUT_BYTES_MIN 8
#define LAYOUT_BYTES_MAX (8 * LAYOUT_RUNS_MAX)
#define LAYOUT_FILE_MAX  (1ULL << 46) /* 64 TiB */

struct layout_run {
	bool is_pages;
	uint64_t n;      /* pages or bytes */
	uint64_t first;  /* number of its first page or opaque byte */
	uint64_t offset; /* in the file */
};

struct layout {
	struct layout_run *runs;
	size_t nruns, cap;
	uint64_t npages, nbytes; /* pages; opaque bytes */
	uint64_t len;            /* of the file */
};

void layout_init(struct layout *l) __attribute__((nonnull));
void layout_fini(struct layout *l) __attribute__((nonnull));
/* Appends n pages or bytes, to the last run where that is of the same kind.
 * None may be empty.  ERR_LIMIT where it grows too large.
 */
int layout_add(struct layout *l, bool is_pages, uint64_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The whole message. */
int layout_put(struct buf *b, const struct layout *l, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Its body, into a layout_init()ed one. */
int layout_get(struct span body, struct layout *l, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Where page n stands in the file; false: there is no such page. */
bool layout_page(const struct layout *l, uint64_t n, uint64_t *offset)
	__attribute__((nonnull));
/* Where opaque byte n stands and how many follow it in the same run; false:
 * there is no such byte.
 */
bool layout_byte(const struct layout *l, uint64_t n, uint64_t *offset,
		 uint64_t *follow) __attribute__((nonnull));

#endif
