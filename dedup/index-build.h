/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_BUILD_H
#define MIG_INDEX_BUILD_H

#include <signal.h>
#include <stdint.h>

#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index.h"

/* How to build an index; all zero is fine. */
struct index_how {
	unsigned threads; /* 0: one for each CPU, at most 8 */
	/* An index of the backing file, or NULL.  If it proves that this has
	 * not changed, only blocks of the image itself are read.
	 */
	const struct index *backing;
	void (*report)(void *arg, uint64_t done_blocks, uint64_t all_blocks);
	void *arg;
	const volatile sig_atomic_t *cancelled; /* stop when it is not 0 */
};

struct index_build_stats {
	uint64_t data_blocks;   /* blocks with data */
	uint64_t unique_blocks; /* of these, different and not zero */
	uint64_t
		read_blocks; /* of the first, not known from the backing index */
	uint64_t cpu_ns, wall_ns;
};

/* Writes the index of img to path, so that no half-written index ever has
 * that name.  Uses at most 64 MiB and the buckets.  An image that changes
 * meanwhile gives an index that is not current.
 */
int index_build(struct image *img, const char *path,
		const struct index_how *how, struct index_build_stats *stats,
		struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
