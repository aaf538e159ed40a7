/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_SCAN_H
#define MIG_INDEX_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-file.h"

/* Reads an image region by region and hashes what it reads, several regions
 * side by side; gives them back in order.  One thread, the owner, calls.
 */
struct index_region {
	uint64_t number;
	unsigned nblocks;
	uint64_t data[INDEX_REGION_BLOCKS / 64]; /* which blocks hold data */
	/* Of blocks that hold data but zeros, and of those that hold none, the
	 * print is zero; the hint is then unset.
	 */
	struct fingerprint prints[INDEX_REGION_BLOCKS];
	uint64_t hints[INDEX_REGION_BLOCKS];
	bool is_zero; /* all prints are */
	uint64_t cpu_ns;
};

struct index_scan;

struct index_scan *index_scan_new(struct image *img, unsigned threads,
				  struct err *e)
	__attribute__((nonnull, warn_unused_result));
void index_scan_free(struct index_scan *s);

/* The next region that holds data, NULL after the last; it lives until the
 * next call.  -1 on error.
 */
int index_scan_next(struct index_scan *s, const struct index_region **r,
		    struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
