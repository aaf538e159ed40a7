/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PEER_PIPE_H
#define MIG_PEER_PIPE_H

#include "tools/peer.h"

/* What a run has taken so far, over all its pipes. */
struct peer_totals {
	uint64_t begun_ns;             /* wall clock */
	uint64_t encode_ns, decode_ns; /* CPU */
	uint64_t wire_bytes;
};

/* A coder and its decoder, back to back.  What comes out goes to the sink,
 * whose time is nobody's: it compares.
 */
struct peer_pipe {
	const struct peer_coder *coder;
	void *encoder, *decoder;
	struct buf coded;
	uint8_t *decoded;
	int (*sink)(void *arg, const uint8_t *bytes, size_t n, struct err *e);
	void *arg;
	struct peer_totals *sum; /* the caller's */
};

/* The caller then sets .sink and .arg.  fini is due after a failure, too. */
int peer_pipe_init(struct peer_pipe *p, const struct peer *peer, uint64_t total,
		   struct peer_totals *sum, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void peer_pipe_fini(struct peer_pipe *p) __attribute__((nonnull));

int peer_pipe_put(struct peer_pipe *p, const uint8_t *bytes, size_t n,
		  enum peer_flush flush, struct err *e)
	__attribute__((nonnull(1, 5), warn_unused_result));

/* Says how far the peer has come; ERR_CANCELLED once the user said stop. */
int peer_progress(const struct bench_input *in, uint64_t done_pages,
		  struct err *e) __attribute__((nonnull, warn_unused_result));

/* The error of a page that came back different. */
int peer_differs(const struct peer *p, uint64_t page, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The verified result of a run that is over. */
void peer_finish(const struct peer *p, const struct peer_totals *sum,
		 struct bench_result *out) __attribute__((nonnull));

#endif
