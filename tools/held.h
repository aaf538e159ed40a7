/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_HELD_H
#define MIG_HELD_H

#include <stddef.h>

#include "common/err.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index.h"

/* A disk image with an index of what it holds now: the one kept for it where
 * that is current, else one that is built and kept.
 */
struct held {
	struct image *image;
	struct index *index;
};

int held_open(struct held *h, const char *path, const struct index_how *how,
	      struct err *e) __attribute__((nonnull, warn_unused_result));
void held_close(struct held *h) __attribute__((nonnull));

#endif
