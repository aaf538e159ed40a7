/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_WINDOW_H
#define MIG_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "sender/encode.h"

/* The frames that the receiver has not acknowledged, in order, and the ranges
 * of those that it could not rebuild, which are to be sent again.
 */
#define WINDOW_FRAMES 64
/* All frames of a window may be refused, and each leave a rest to be sent. */
#define WINDOW_AGAIN (2 * WINDOW_FRAMES)

struct window_frame {
	struct source_range range;
	struct digest digest;
	uint32_t plans[PLAN__MAX]; /* pages, by what they were */
	bool plain;                /* sent without references */
};

struct window {
	struct window_frame frames[WINDOW_FRAMES];
	uint32_t sent, acked; /* frame n is in frames[n % WINDOW_FRAMES] */
	struct source_range again[WINDOW_AGAIN];
	size_t nagain;
};

static inline size_t
window_waiting(const struct window *w)
{
	return w->sent - w->acked;
}

/* The encoding's frame goes out as number w->sent. */
void window_add(struct window *w, const struct encoding *x)
	__attribute__((nonnull));
/* The frame that the body of an ACK or NAK is about: the oldest, or
 * ERR_PROTOCOL and NULL.  It is still there until the next window_add().
 */
const struct window_frame *window_take(struct window *w, struct span body,
				       struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* It was refused.  ERR_CORRUPT if it had no references that could be wrong. */
int window_refused(struct window *w, const struct window_frame *f,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
