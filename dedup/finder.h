/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FINDER_H
#define MIG_FINDER_H

#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "dedup/base.h"
#include "wire/plan.h"

/* Which page of the bases has this fingerprint?  The receiver's side of a
 * query.  One thread at a time.
 */
struct finder;

/* Enters every page of bases[1 ..] whose fingerprint is at hand: about 0.1 s
 * and 16 MiB for a million of them.  The bases stay the caller's.
 */
struct finder *finder_new(const struct base *bases, size_t nbases,
			  struct err *e)
	__attribute__((nonnull, warn_unused_result));
void finder_free(struct finder *f);

/* What holds each of n fingerprints; base PLAN_BASE_HISTORY: nothing does. */
void finder_find(const struct finder *f, const struct fingerprint *fps,
		 size_t n, struct plan_ref *out) __attribute__((nonnull));

#endif
