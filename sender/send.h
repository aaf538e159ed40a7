/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SEND_H
#define MIG_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "sender/outgoing.h"

/* Sends one memory image to a receiver that waits for it. */
struct send_config {
	struct endpoint to;
	const struct memory *memory;
	const struct held *held;
	size_t nheld;
	const char *tls_dir; /* given: TLS on this host too; NULL: search */
	const struct effort *effort; /* NULL: chosen frame by frame */
	unsigned threads;
	uint64_t rate; /* bytes a second; 0: what the link takes */
	/* Some times a second; asked: by SIGUSR1.  May be NULL. */
	void (*progress)(void *arg, const struct outgoing_stats *s, bool asked);
	void *arg;
};

/* Runs an event loop until the receiver has it all, or cannot.  SIGINT and
 * SIGTERM end it with ERR_CANCELLED.
 */
int send_run(const struct send_config *c, struct outgoing_stats *stats,
	     struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
