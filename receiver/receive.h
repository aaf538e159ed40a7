/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_RECEIVE_H
#define MIG_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "dedup/held.h"
#include "receiver/incoming.h"

/* Waits for one sender and receives one memory image.  A connection that
 * never becomes a session (a port scan, a peer without a certificate) is
 * refused and the wait goes on; the first session decides how it all ends.
 */
struct receive_config {
	struct endpoint listen;
	const char *output;
	const struct held *held;
	size_t nheld;
	const char *tls_dir; /* given: TLS on this host too; NULL: search */
	unsigned threads;
	/* Each may be NULL.  Where we wait: an error ends it. */
	int (*listening)(void *arg, const struct endpoint_addr *where,
			 struct err *e);
	void (*refused)(void *arg, const struct err *why);
	/* Some times a second; asked: by SIGUSR1. */
	void (*progress)(void *arg, const struct incoming_stats *s, bool asked);
	void *arg;
};

/* Runs an event loop until the file is there or cannot be.  SIGINT and
 * SIGTERM end it with ERR_CANCELLED.
 */
int receive_run(const struct receive_config *c, struct incoming_stats *stats,
		struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
