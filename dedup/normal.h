/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_NORMAL_H
#define MIG_NORMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/page.h"
#include "wire/plan.h"

/* Pages that are equal but for where their pointers point.  The same library
 * data, mapped by two processes at two addresses, differs by one constant in
 * each pointer word.  A word counts as a pointer by its value alone: an
 * x86-64 user address as Linux and Windows hand them out (top byte of 48 bits
 * 0x55, 0x56 or 0x7f) or a kernel address (top byte of 64 bits 0xff; with
 * five-level paging the next byte is not 0xff).
 */
static inline bool
normal_is_pointer(uint64_t w)
{
	uint64_t high = w >> 40;

	return high == 0x55 || high == 0x56 || high == 0x7f || w >> 56 == 0xff;
}

/* A hash of the page with each pointer reduced to its offset in its page.
 * Returns the number of pointer words; with none *hash is not set.
 */
unsigned normal_hash(const uint8_t *page, uint64_t *hash)
	__attribute__((nonnull));

/* How to make 'page' out of 'ref': false if words that are no pointers in ref
 * differ, or the pointers moved by more than PLAN_MOVES_MAX differences.
 */
bool normal_diff(const uint8_t *page, const uint8_t *ref, struct plan_move *m)
	__attribute__((nonnull, warn_unused_result));

/* The number of pointer words in a page. */
unsigned normal_count(const uint8_t *page) __attribute__((nonnull));
/* Builds the page from ref: every pointer word of ref plus by[0], or with
 * slots, its i-th pointer word plus by[slots[i]].
 */
void normal_apply(const uint8_t *ref, const uint64_t *by, const uint8_t *slots,
		  uint8_t *out) __attribute__((nonnull(1, 2, 4)));

#endif
