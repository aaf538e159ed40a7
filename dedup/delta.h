/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DELTA_H
#define MIG_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/plan.h"

/* A page as the words in which it differs from an older one.  The new words
 * are sent as they are: their differences from the old ones compress worse.
 */

/* false if more than PLAN_DELTA_MAX words differ. */
bool delta_make(const uint8_t *page, const uint8_t *old, struct plan_delta *d)
	__attribute__((nonnull, warn_unused_result));

/* old with the masked words replaced; words holds them, unaligned. */
void delta_apply(const uint8_t *old, const uint64_t mask[PAGE_WORDS / 64],
		 const uint8_t *words, uint8_t *out) __attribute__((nonnull));

#endif
