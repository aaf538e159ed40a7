/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SEAL_H
#define MIG_SEAL_H

#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"

/* What both ends must agree on before a session counts: the SHA-256 over the
 * digests of all frames that were acknowledged, in the order in which they
 * were sent, and how many there were.
 *
 * SEAL: frames (u32), digest.
 */
#define SEAL_BYTES (4 + DIGEST_BYTES)

struct seal {
	struct digest_stream chain;
	uint32_t nframes;
};

int seal_init(struct seal *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void seal_fini(struct seal *s) __attribute__((nonnull));
/* The next frame that was acknowledged. */
int seal_add(struct seal *s, const struct digest *frame, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Ends the seal and puts the whole message. */
int seal_put(struct buf *b, struct seal *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Ends ours and compares it with what the body says; ERR_CORRUPT. */
int seal_check(struct span body, struct seal *ours, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
