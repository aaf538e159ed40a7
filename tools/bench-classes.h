/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_CLASSES_H
#define MIG_BENCH_CLASSES_H

#include <stddef.h>

#include "classify/guest.h"
#include "memory/memory.h"
#include "tools/bench-result.h"

/* Counts the pages of each class of a memory into every tier, beside what
 * became of them there: the guest's own classes if its tables are known, with
 * those that are all zero apart, else classes by content.
 */
void bench_classes(const struct memory *m, const struct guest *g,
		   struct bench_tier *tiers, size_t ntiers)
	__attribute__((nonnull(1, 2)));

#endif
