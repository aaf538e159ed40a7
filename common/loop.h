/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LOOP_H
#define MIG_LOOP_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/err.h"

/* The event loop of a process that runs one session: one thread, no locks,
 * the signals that concern a session, and a tick for showing progress.
 */
#define LOOP_TICK_MS 100

struct loop {
	struct event_base *base;
	struct event *events[4]; /* SIGINT, SIGTERM, SIGUSR1, tick */
	void (*stop)(void *arg);
	void (*tick)(void *arg, bool asked);
	void *arg;
};

/* stop: SIGINT or SIGTERM came.  tick: every LOOP_TICK_MS, and with asked at
 * SIGUSR1.
 */
int loop_init(struct loop *l, void (*stop)(void *arg),
	      void (*tick)(void *arg, bool asked), void *arg, struct err *e)
	__attribute__((nonnull(1, 2, 3, 5), warn_unused_result));
void loop_fini(struct loop *l) __attribute__((nonnull));

#endif
