/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_WORKER_H
#define MIG_WORKER_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/parcel.h"
#include "common/tls.h"
#include "dedup/held.h"
#include "wire/plan.h"

/* virt-mig-session: the confined half of one migration.  Its monitor hands
 * it a job with everything in it that is open; then it enters the sandbox,
 * and only then listens to the peer.  What it lacks it asks the monitor for.
 */
#define WORKER_FD       3
#define WORKER_TICK_MS  100
#define WORKER_STATUS   5   /* ticks between two reports */
#define WORKER_RETRY_MS 500 /* between two connections that do not come about */

enum worker_role {
	WORKER_SEND,
	WORKER_RECEIVE,
	WORKER_ANSWER, /* "yes, there is a virt-migd here" */
};

struct worker_job {
	struct parcel parcel; /* which the texts below are in */
	enum worker_role role;
	const char *host, *tls_dir, *root;
	bool plain, keep;
	unsigned uid, gid, threads, reconnect_ms;
	uint64_t rate;
	uint64_t room; /* shadow_room(), while /proc can be seen */
	const char *allow[64];
	struct tls_names names;
	int socket; /* QEMU's listening one, or the peer's */
	int shadow;
};

struct worker {
	struct worker_job job;
	struct tls *tls; /* NULL: plain */
	struct held held[PLAN_BASES_MAX - 1];
	size_t nheld;
	struct event_base *base;
	struct event *parcels, *tick;
	unsigned ticks;
	bool over;
	struct err why;
	/* What the role does; each on the loop's thread. */
	void (*on_parcel)(struct worker *w, struct parcel *p);
	void (*on_tick)(struct worker *w);
	json_t *(*report)(struct worker *w);
	void (*cancel)(struct worker *w, const struct err *why);
	void *state;
};

/* The job that the monitor sends first. */
int worker_get_job(struct worker_job *job, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Opens what the job has lent, but for what turns out not to be usable. */
void worker_open_held(struct worker *w) __attribute__((nonnull));
void worker_close_held(struct worker *w) __attribute__((nonnull));

/* The loop, until worker_end(). */
int worker_loop(struct worker *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void worker_end(struct worker *w, const struct err *why)
	__attribute__((nonnull));
/* {"say": what}, or a body of the caller's; to the monitor. */
void worker_say(struct worker *w, json_t *body) __attribute__((nonnull(1)));
/* The last word: what w->report() says, and how it ended. */
void worker_say_end(struct worker *w, const struct err *why)
	__attribute__((nonnull(1)));
/* Why the monitor did not give what was asked for. */
void worker_refusal(const struct parcel *p, struct err *why)
	__attribute__((nonnull));

/* worker-probe.c: whether a virt-migd is at the other end of fd that lets us
 * in and speaks our version; and the answer to that.  Both wait, seconds, and
 * close fd.
 */
int probe_ask(const struct worker *w, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int probe_answer(const struct worker *w, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* worker-send.c, worker-receive.c */
int worker_send(struct worker *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int worker_receive(struct worker *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
