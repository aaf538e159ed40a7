/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_MAP_H
#define MIG_BENCH_MAP_H

#include "common/buf.h"
#include "common/err.h"
#include "tools/bench-result.h"

/* Memory as a picture: rows of cells in the order of the pages, each cell the
 * plan that most of its pages had.
 */
struct bench_map {
	unsigned width, height;
	uint64_t cell_pages; /* in one cell */
	uint8_t *cells;      /* plan codes; PLAN__MAX past the last page */
};

/* At most this many cells, whatever the size of the memory. */
#define BENCH_MAP_CELLS (512u * 256u)

int bench_map_init(struct bench_map *m, const struct bench_tier *t,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
void bench_map_fini(struct bench_map *m) __attribute__((nonnull));

/* Appends a PNG of it to out.  Cells of a colour of 0 are transparent;
 * colours are 0xrrggbb by plan code.
 */
int bench_map_png(const struct bench_map *m, const uint32_t colours[PLAN__MAX],
		  struct buf *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
