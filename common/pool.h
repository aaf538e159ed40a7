/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_POOL_H
#define MIG_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct event_base;

/* Workers that run jobs side by side but keep their order.
 *
 * A job has three steps, each optional: 'early' and 'late' run whenever a
 * worker is free; 'turn' runs one at a time and in the order of submission,
 * so it may change what all jobs share (the sender's table of pages already
 * sent, the receiver's output) without a lock.  Workers start jobs in order,
 * so whoever waits for a turn waits only for jobs that are already running.
 *
 * A step gets the number of the worker that runs it, 0 .. nworkers-1, to find
 * its own scratch memory.  The owner hands a job over with pool_submit() and
 * has it back from pool_take(), again in order of submission.
 */
struct pool_job {
	void (*early)(struct pool_job *job, unsigned worker);
	void (*turn)(struct pool_job *job, unsigned worker);
	void (*late)(struct pool_job *job, unsigned worker);
	struct pool_job *next; /* the pool's */
	uint64_t seq;          /* the pool's */
	int finished;          /* the pool's */
};

struct pool;

/* Starts nworkers (1..64) threads. */
struct pool *pool_new(unsigned nworkers, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Waits for running jobs, drops the ones not begun, ends the threads. */
void pool_free(struct pool *p);

unsigned pool_nworkers(const struct pool *p) __attribute__((nonnull));

/* Once, if ever: until pool_free() the owner's loop calls on_done(arg) when
 * pool_take() may have something.
 */
int pool_watch(struct pool *p, struct event_base *loop,
	       void (*on_done)(void *arg), void *arg, struct err *e)
	__attribute__((nonnull(1, 2, 3, 5), warn_unused_result));

/* One thread, the owner, submits and takes. */
void pool_submit(struct pool *p, struct pool_job *job) __attribute__((nonnull));
/* The oldest job if it is finished, else NULL. */
struct pool_job *pool_take(struct pool *p) __attribute__((nonnull));
/* Waits for the oldest job; NULL if there is none. */
struct pool_job *pool_wait(struct pool *p) __attribute__((nonnull));

#endif
