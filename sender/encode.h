/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ENCODE_H
#define MIG_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/pool.h"
#include "sender/effort.h"
#include "sender/planner.h"
#include "sender/source.h"
#include "wire/frame.h"

/* Memory to frames, as jobs for a pool: planning is the job's turn, digest
 * and codecs its late step.
 *
 *	encoding_begin() .. pool_submit() .. pool_take(): .frame is ready
 *
 * An encoder outlives its encodings; an encoding is used again and again.
 */
struct encoder;

/* c->memory may be NULL: then all frames are plain until encoder_plan(). */
struct encoder *encoder_new(const struct planner_config *c, unsigned nworkers,
			    struct err *e)
	__attribute__((nonnull, warn_unused_result));
void encoder_free(struct encoder *enc);
/* Plans from now on, with the bases that the encoder was made with; in a turn,
 * or while there is no encoding under way.
 */
int encoder_plan(struct encoder *enc, const struct planner_config *c,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

struct encoding {
	struct pool_job job; /* first: a pool_job of ours is an encoding */
	struct encoder *encoder;
	const struct effort *effort;
	bool plain;                 /* sending a range again */
	bool keep;                  /* live: its pages enter the history */
	struct source_range range;  /* of it; what is left afterwards */
	struct source_cursor start; /* where the batch stands */
	struct batch *batch;        /* its pages and bytes */
	struct batch *own;          /* for pages of a memory image */
	struct plan_writer writer;
	struct planned planned;
	struct frame frame; /* points into coded */
	uint8_t *coded;
	size_t coded_cap;
	bool failed; /* then err says why, and there is no frame */
	struct err err;
	/* CPU time of each stage; matching is part of no other. */
	uint64_t plan_ns, match_ns, digest_ns, codec_ns;
	/* And how long both steps took, with what else the CPUs did. */
	uint64_t turn_wall_ns, late_wall_ns;
};

struct encoding *encoding_new(struct encoder *enc, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void encoding_free(struct encoding *x);

/* Makes the next frame of the memory. */
void encoding_begin(struct encoding *x, const struct effort *effort)
	__attribute__((nonnull));
/* Makes the next frame of a range that must be sent again, without
 * references; x->range then says what is left of it.
 */
void encoding_begin_again(struct encoding *x, const struct effort *effort,
			  const struct source_range *range)
	__attribute__((nonnull));
/* Makes a frame of all of a framed batch, which stays where it is until the
 * job is done: a piece of a channel, from that byte of it on.  keep: its pages
 * enter the history, at both ends.  plain: again, without references.
 */
void encoding_begin_batch(struct encoding *x, const struct effort *effort,
			  struct batch *b, unsigned channel, uint64_t byte,
			  bool keep, bool plain) __attribute__((nonnull));
/* Nothing was left to plan: this frame is empty and need not be sent. */
bool encoding_is_end(const struct encoding *x) __attribute__((nonnull));
/* What to hand to encoding_begin_again() should this frame be refused. */
struct source_range encoding_range(const struct encoding *x)
	__attribute__((nonnull));

#endif
