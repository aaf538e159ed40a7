/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DECODE_H
#define MIG_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/pool.h"
#include "receiver/rebuild.h"
#include "wire/frame.h"

/* Frames to memory, as jobs for a pool: unpacking the streams is the job's
 * early step, rebuilding the pages its turn, checking the digest its late
 * step.
 *
 *	decoding_begin() .. pool_submit() .. pool_take(): .good says whether
 *	the bytes are the ones that the sender has
 *
 * What a frame says is hostile until then: it can make pages of this output
 * wrong, which the digest tells, and nothing else.  A frame that is well
 * formed but does not fit what it refers to (a base that is not the sender's,
 * a frame before it that was wrong) is not good; it is no breach of protocol.
 */
struct decoder;

/* bases[0] is the history; the array outlives the decoder. */
struct decoder *decoder_new(const struct base *bases, size_t nbases,
			    unsigned nworkers, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void decoder_free(struct decoder *d);

struct decoding {
	struct pool_job job; /* first: a pool_job of ours is a decoding */
	struct decoder *decoder;
	struct rebuild rebuild;
	struct span coded; /* the frame as it came: the caller's */
	struct frame frame;
	uint8_t *raw; /* its streams, unpacked */
	size_t raw_cap;
	struct span streams[STREAM__MAX]; /* inside raw */
	bool failed; /* no frame: the peer broke the protocol; err says how */
	bool good;   /* rebuilt, and the digest agrees */
	bool again;  /* framed: sent a second time, with all of its words */
	bool held;   /* framed: not rebuilt, since a frame before it was bad */
	struct err err;
	uint64_t unpack_ns, rebuild_ns, digest_ns; /* CPU */
};

struct decoding *decoding_new(struct decoder *d, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void decoding_free(struct decoding *x);

/* The frame's bytes, and the pages of the target, stay where they are until
 * the job is done.
 */
void decoding_begin(struct decoding *x, struct span frame,
		    const struct rebuild_target *target)
	__attribute__((nonnull));
/* As decoding_begin(), for a framed target, to which every frame is right or
 * was never there: the digest is part of the turn, and once a frame is not
 * good, those after it come back .held, to be begun anew when that frame came
 * a second time ('again') and was good.
 */
void decoding_begin_framed(struct decoding *x, struct span frame,
			   const struct rebuild_target *target, bool again)
	__attribute__((nonnull));

#endif
