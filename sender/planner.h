/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLANNER_H
#define MIG_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classify/guest.h"
#include "common/digest.h"
#include "dedup/base.h"
#include "memory/memory.h"
#include "memory/shadow.h"
#include "sender/batch.h"
#include "sender/free-pages.h"
#include "wire/plan.h"

/* Says what becomes of each page of a guest's memory: whether the receiver has
 * it, can make it from what it has, or needs its words.  Batches are planned
 * in order, since a page may refer to any earlier one.
 * One thread at a time (the turn of a pool job).
 */
struct planner;

struct planner_config {
	const struct memory *memory; /* the history: pages by number */
	/* Where the history is a shadow: it holds what was planned, page by
	 * page.  NULL: the memory is there and does not change.
	 */
	struct shadow *shadow;
	/* What both ends hold; [0] is the history.  At most one BASE_MEMORY.
	 * The array and what it points at outlive the planner.
	 */
	const struct base *bases;
	size_t nbases;
	/* May say, of a page that nothing here explains, where the receiver
	 * alone holds it (answers to queries).  NULL: nobody asks.
	 */
	bool (*ask)(void *arg, uint64_t page, struct plan_ref *ref);
	void *ask_arg;
	/* Pages that it drops (guest_drops()) become PLAN_FREE and arrive as
	 * zeros, but for those of one repeated word.  NULL: every page
	 * arrives as it is.
	 */
	const struct guest *guest;
	/* Live, likewise, with the pages that the guest has free now. */
	struct free_pages *free;
};

/* What the plan of a batch says, as far as its digest needs it: of each page. */
struct planned {
	uint8_t codes[FRAME_PAGES_MAX];
	uint64_t fills[FRAME_PAGES_MAX];
	/* Fingerprints at hand without hashing: known[i] says of which. */
	bool known[FRAME_PAGES_MAX];
	struct fingerprint fps[FRAME_PAGES_MAX];
	uint64_t match_cpu_ns; /* of the time spent planning */
};

struct planner_limits {
	bool match; /* look for long matches */
	bool keep;  /* in the shadow, and where pages are looked for */
	uint32_t block_bytes; /* end the frame after so many words */
};

struct planner *planner_new(const struct planner_config *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void planner_free(struct planner *p);

/* Plans the batch into w and out, and cuts it to what fits into one frame: the
 * rest is for another.  An empty batch becomes an empty frame.
 */
int planner_frame(struct planner *p, const struct planner_limits *limits,
		  struct batch *b, struct plan_writer *w, struct planned *out,
		  struct err *e) __attribute__((nonnull, warn_unused_result));

/* The same, with pages as fill or data and no references at all: what it says
 * is right whatever the receiver holds.  Any thread.
 */
int planner_frame_plain(struct batch *b, struct plan_writer *w,
			struct planned *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
