/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_CLASSES_H
#define MIG_BENCH_CLASSES_H

#include "memory/memory.h"
#include "tools/bench-result.h"

/* Fills in, for tiers that were run over that memory, what its pages look like
 * and how many of each class were sent.
 */
void bench_classes(const struct memory *m, struct bench_tier *tiers,
		   size_t ntiers) __attribute__((nonnull));

#endif
