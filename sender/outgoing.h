/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_OUTGOING_H
#define MIG_OUTGOING_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "common/tls.h"
#include "dedup/held.h"
#include "memory/memory.h"
#include "sender/control.h"
#include "sender/effort.h"
#include "wire/plan.h"

/* The sender's side of one session: from connecting to the receiver's word
 * that the file is whole and on disk, or to an error.  On the thread of the
 * loop; frames are encoded by a pool of workers.
 */
struct outgoing;

struct outgoing_config {
	struct event_base *loop;
	const struct endpoint_addr *addrs;
	size_t naddrs;
	const struct tls *tls; /* NULL: plain, on this host only */
	const char *host;      /* that the certificate must be for */
	const struct memory *memory;
	const struct held *held; /* that the receiver may hold too */
	size_t nheld;
	const struct effort *effort; /* NULL: chosen frame by frame */
	unsigned threads;
	uint64_t rate; /* bytes a second; 0: what the link takes */
};

struct outgoing_stats {
	uint64_t pages, bytes; /* that arrived; opaque bytes apart */
	uint64_t frames, refused;
	uint64_t plans[PLAN__MAX]; /* pages that arrived, by what they were */
	uint64_t asked, found;     /* pages, of the receiver */
	uint64_t wire_bytes;       /* that went out */
	double link_rate;          /* bytes a second, measured; 0: not yet */
	const char *effort;        /* of the last frame */
	uint64_t efforts[CONTROL_EFFORTS]; /* frames, by effort_number() */
	size_t nbases;                     /* that frames could refer to */
	size_t nwhole;                     /* of these, the same on both ends */
};

struct outgoing *outgoing_new(const struct outgoing_config *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Outside of the loop's callbacks.  Waits for workers. */
void outgoing_free(struct outgoing *o);

/* Whether it has ended; *why then says how, ERR_NONE if the file arrived. */
bool outgoing_is_over(const struct outgoing *o, struct err *why)
	__attribute__((nonnull));
void outgoing_cancel(struct outgoing *o, const struct err *why)
	__attribute__((nonnull));
/* Call this some times a second; it measures the link, too. */
const struct outgoing_stats *outgoing_stats(struct outgoing *o)
	__attribute__((nonnull));

#endif
