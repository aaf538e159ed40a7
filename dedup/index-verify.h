/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INDEX_VERIFY_H
#define MIG_INDEX_VERIFY_H

#include <stdint.h>

#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index.h"

struct index_differences {
	uint64_t blocks; /* whose fingerprint is not the one in the index */
	uint64_t first;  /* the first of them */
	uint64_t read;   /* blocks that hold data */
};

/* Reads the image again and compares every fingerprint.  -1 where that cannot
 * be done, as when the image's blocks do not begin where they did.
 */
int index_verify(const struct index *idx, struct image *img,
		 const struct index_how *how, struct index_differences *found,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
