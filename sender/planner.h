/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLANNER_H
#define MIG_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "dedup/base.h"
#include "memory/memory.h"
#include "wire/frame.h"
#include "wire/plan.h"

/* Says what becomes of each page of a memory image: whether the receiver has
 * it, can make it from what it has, or needs its words.  Pages are planned in
 * order, since a page may refer to any earlier one.
 * One thread at a time (the turn of a pool job).
 */
struct planner;

struct planner_config {
	const struct memory *memory;
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
};

/* Where in the memory image planning stands. */
struct planner_cursor {
	size_t segment;
	uint64_t done; /* bytes of that segment */
	uint64_t page, byte;
};

#define PLANNED_BYTES_MAX 64

/* What one frame says, as far as its digest needs it. */
struct planned {
	struct planner_cursor start;
	uint32_t npages, nbytes;
	uint8_t codes[FRAME_PAGES_MAX];
	uint64_t fills[FRAME_PAGES_MAX];
	/* Fingerprints at hand without hashing: known[i] says of which. */
	bool known[FRAME_PAGES_MAX];
	struct fingerprint fps[FRAME_PAGES_MAX];
	struct planned_bytes {
		const uint8_t *at;
		uint32_t n, before; /* they stand before that page */
	} bytes[PLANNED_BYTES_MAX];
	unsigned nruns;        /* of .bytes */
	uint64_t match_cpu_ns; /* of the time spent planning */
};

struct planner_limits {
	bool match;           /* look for long matches */
	uint32_t block_bytes; /* end the frame after so many words */
};

struct planner *planner_new(const struct planner_config *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void planner_free(struct planner *p);

/* Plans the next frame into w and out.  At the end of the memory both npages
 * and nbytes are 0.
 */
int planner_frame(struct planner *p, const struct planner_limits *limits,
		  struct plan_writer *w, struct planned *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Pages and opaque bytes in a row, to be planned again. */
struct planner_range {
	struct planner_cursor at;
	uint32_t npages, nbytes;
};

/* Plans the next frame of a range, with pages as fill or data and no
 * references at all: what it says is right whatever the receiver holds.  The
 * range shrinks by what the frame says; it is done when both counts are 0.
 * Nothing of the planner changes, so any thread may.
 */
int planner_frame_plain(const struct planner *p, struct planner_range *range,
			struct plan_writer *w, struct planned *out,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
