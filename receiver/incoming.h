/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_INCOMING_H
#define MIG_INCOMING_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/tls.h"
#include "dedup/held.h"

/* The receiver's side of one session: from an accepted connection to a file
 * that is whole and on disk, or to an error and no file.  On the thread of
 * the loop; frames are decoded by a pool of workers.
 */
struct incoming;

struct incoming_config {
	struct event_base *loop;
	const struct tls *tls; /* of this connection; NULL: plain */
	const char *output;
	const struct held *held; /* what the sender may refer to */
	size_t nheld;            /* at most PLAN_BASES_MAX - 1 */
	unsigned threads;
};

struct incoming_stats {
	uint64_t npages, nbytes; /* what was announced */
	uint64_t pages, bytes;   /* what has arrived, opaque bytes apart */
	uint64_t frames, refused;
	uint64_t queried, found; /* pages asked about, and held */
	uint64_t wire_bytes;     /* that came in */
	uint64_t began_ns;       /* clock_wall_ns() when the sender came */
	bool unconfirmed;        /* the sender was gone before it heard */
};

/* fd is the session's even if this fails. */
struct incoming *incoming_new(const struct incoming_config *c, int fd,
			      struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Outside of the loop's callbacks.  Waits for workers. */
void incoming_free(struct incoming *in);

/* Whether the sender got as far as a HELLO that we agree with. */
bool incoming_is_open(const struct incoming *in) __attribute__((nonnull));
/* Whether it has ended; *why then says how, ERR_NONE if the file is there. */
bool incoming_is_over(const struct incoming *in, struct err *why)
	__attribute__((nonnull));
/* Ends it, unless the file is whole already and on its way to the disk. */
void incoming_cancel(struct incoming *in, const struct err *why)
	__attribute__((nonnull));
const struct incoming_stats *incoming_stats(struct incoming *in)
	__attribute__((nonnull));

#endif
