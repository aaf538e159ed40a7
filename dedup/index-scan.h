/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_SCAN_H
#define MIG_INDEX_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-file.h"
#include "dedup/index.h"

/* Reads an image region by region and hashes what it reads, several regions
 * side by side; gives them back in order.  One thread, the owner, calls.
 */
#define INDEX_REGION_WORDS (INDEX_REGION_BLOCKS / 64)

struct index_region {
	uint64_t number;
	unsigned nblocks;
	/* Which blocks hold data, and of which of these the backing file's
	 * index told all that there is to know.
	 */
	uint64_t data[INDEX_REGION_WORDS], known[INDEX_REGION_WORDS];
	struct index_piece piece;
	uint64_t kernels[INDEX_REGION_WORDS]; /* which blocks begin one */
	bool is_zero;                         /* all of the piece is */
	uint64_t cpu_ns;
};

struct index_scan;

/* backing, which may be NULL, is the index of the backing file of img, or
 * anything else: then it is not used.  threads: as in index_how.
 */
struct index_scan *index_scan_new(struct image *img,
				  const struct index *backing, unsigned threads,
				  struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
void index_scan_free(struct index_scan *s);

/* The next region that holds data, NULL after the last; it lives until the
 * next call.  -1 on error.
 */
int index_scan_next(struct index_scan *s, const struct index_region **r,
		    struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
