/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_COVERAGE_H
#define MIG_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Which of n numbered things have arrived, as ranges in ascending order that
 * do not touch.  Frames come nearly in order, so there are few; a sender that
 * makes many is refused.
 */
#define COVERAGE_RANGES_MAX 1024

struct coverage {
	uint64_t n;
	struct coverage_range {
		uint64_t first, end;
	} ranges[COVERAGE_RANGES_MAX];
	size_t nranges;
};

void coverage_init(struct coverage *c, uint64_t n) __attribute__((nonnull));
/* first .. first+n-1 have arrived, be it again.  ERR_PROTOCOL where there is
 * no such thing, or there would be too many ranges.
 */
int coverage_add(struct coverage *c, uint64_t first, uint64_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
bool coverage_is_whole(const struct coverage *c) __attribute__((nonnull));

#endif
