/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ANSWER_H
#define MIG_ANSWER_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/base.h"
#include "dedup/keyed.h"
#include "wire/plan.h"

/* Answers queries, in order, on a thread of its own: a large image takes
 * seconds to be made ready for the first one.
 */
struct answerer;

struct answerer_config {
	struct event_base *loop;
	const struct base *bases; /* they outlive the answerer */
	size_t nbases;
	uint8_t key[KEYED_KEY_BYTES];
	/* The answer to the oldest query; or what failed, at the end of all.
	 */
	void (*answered)(void *arg, const struct plan_ref *refs, size_t n,
			 const struct err *failed);
	void *arg;
};

struct answerer *answerer_new(const struct answerer_config *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Waits for the query under way. */
void answerer_free(struct answerer *a);

/* The body of a QUERY; .answered follows from the loop.  ERR_PROTOCOL if it
 * is none, or one too many waits.
 */
int answerer_ask(struct answerer *a, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
