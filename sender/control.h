/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CONTROL_H
#define MIG_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/effort.h"

/* How hard to try, frame by frame: the effort for which the slowest of link,
 * planning, sender and receiver is done first, or a stronger one that is about
 * as fast.  It goes by what was measured in this session, the goodput of the
 * link, and speed and ratio of each effort, and for what was not measured yet by
 * what such machines usually do.
 * One thread, the loop's.
 */
#define CONTROL_EFFORTS 8

struct control {
	const struct effort *efforts;
	size_t nefforts, current;
	unsigned workers;
	uint64_t frames; /* decided on so far */
	double link;     /* bytes a second; 0: not known */
	bool was_busy;   /* it was measured, not only bounded from below */
	uint64_t look_ns, look_sent; /* what the link had done, and when */
	bool starved;                /* since then */
	double plan; /* seconds to plan a byte of page words by "fast" */
	struct control_effort {
		double ratio;  /* bytes out for a byte of page words in */
		double encode; /* bytes in, a second of one worker */
		double decode;
		double plan;    /* time to plan, in that of "fast" */
		uint64_t frame; /* when it was last measured; 0: never */
	} tiers[CONTROL_EFFORTS], usual[CONTROL_EFFORTS];
};

/* Begins with no knowledge of the link; 'pinned' (may be NULL) is always
 * chosen.
 */
void control_init(struct control *c, unsigned workers,
		  const struct effort *pinned) __attribute__((nonnull(1)));

/* Believes so much of the link until it is measured. */
void control_assume(struct control *c, double link) __attribute__((nonnull));

/* The effort for the next frame.  One frame in 32 tries a neighbour that might
 * be better, so that its figures stay true.
 */
const struct effort *control_choose(struct control *c) __attribute__((nonnull));

/* A frame of 'in' bytes of page words became 'out' bytes; planning it, which is
 * done for one frame at a time, took plan_ns, and encoding it encode_ns: of
 * wall time, since a worker that has to share its CPU is a slow one.
 */
void control_encoded(struct control *c, const struct effort *effort,
		     uint64_t in, uint64_t out, uint64_t plan_ns,
		     uint64_t encode_ns) __attribute__((nonnull));

/* The link delivered so many bytes in so long.  'starved': there was not
 * always something to send, so it could have delivered more.
 */
void control_delivered(struct control *c, uint64_t bytes, uint64_t ns,
		       bool starved) __attribute__((nonnull));
/* The same, of a link that has sent so many bytes in all, now; when the next
 * frame is ready and the link starves, it starved.
 */
void control_look(struct control *c, uint64_t sent, bool starves,
		  uint64_t now_ns) __attribute__((nonnull));

#endif
