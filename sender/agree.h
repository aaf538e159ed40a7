/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_AGREE_H
#define MIG_AGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/base.h"
#include "dedup/held.h"
#include "wire/offer.h"

/* Finds out which of the receiver's bases this end holds too: those of equal
 * roots wholly, of others the regions of equal digests.  No I/O:
 *
 *	agree_offer(), then while agree_want(): say it, agree_regions(),
 *	then agree_finish()
 */
struct agree {
	const struct held *held; /* ours */
	size_t nheld;
	struct offer offer;
	struct agree_pair {
		const struct held *ours; /* NULL: only the receiver holds it */
		bool whole;
		size_t equal;     /* regions */
		uint8_t *regions; /* bit r: region r is equal */
	} pairs[PLAN_BASES_MAX - 1];
	size_t asking; /* the base whose regions come in */
	struct digest *theirs;
	uint32_t nwanted, nhave;
	/* Out: what frames refer to; [0] is the history. */
	struct base bases[PLAN_BASES_MAX];
	size_t nbases;
	uint8_t numbers[PLAN_BASES_MAX - 1]; /* in the offer, of bases[1 ..] */
	bool ask; /* the receiver holds more than what is shared */
};

void agree_init(struct agree *a, const struct held *held, size_t nheld)
	__attribute__((nonnull(1)));
void agree_fini(struct agree *a) __attribute__((nonnull));

int agree_offer(struct agree *a, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The next thing to want: 1, or 0 when there is none. */
int agree_want(struct agree *a, struct want *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* What came for the last want. */
int agree_regions(struct agree *a, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* npages: of the memory that will be sent. */
void agree_finish(struct agree *a, uint64_t npages) __attribute__((nonnull));

#endif
