/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ASKER_H
#define MIG_ASKER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/base.h"
#include "dedup/keyed.h"
#include "memory/memory.h"
#include "wire/plan.h"

/* Asks the receiver, well ahead of planning, about pages that nothing here is
 * likely to explain.  A thread of its own looks at the memory piece by piece;
 * each piece becomes a QUERY; answers stand in a ring until the planner has
 * passed them.
 */
#define ASKER_PIECE  1024 /* pages; at most QUERY_MAX */
#define ASKER_PIECES 64   /* 256 MiB of guest memory */

struct asker;

struct asker_config {
	struct event_base *loop;
	const struct memory *memory;
	const struct base *bases;
	size_t nbases;
	uint8_t key[KEYED_KEY_BYTES]; /* from the offer */
	/* Say this: n fingerprints, encrypted. */
	int (*query)(void *arg, const struct fingerprint *keyed, size_t n,
		     struct err *e);
	/* asker_known() has grown, or *failed tells why it never will. */
	void (*moved)(void *arg, const struct err *failed);
	void *arg;
};

struct asker *asker_new(const struct asker_config *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void asker_free(struct asker *a);

/* The body of an ANSWER. */
int asker_answer(struct asker *a, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Planning may go as far as this page. */
uint64_t asker_known(const struct asker *a) __attribute__((nonnull));
/* Planning has passed all pages before this one: their place is free. */
void asker_passed(struct asker *a, uint64_t page) __attribute__((nonnull));

/* planner_config.ask: on the planner's thread, for pages that are known and
 * not passed.
 */
bool asker_ask(void *asker, uint64_t page, struct plan_ref *ref)
	__attribute__((nonnull));

struct asker_stats {
	uint64_t asked, found; /* pages */
};

struct asker_stats asker_stats(const struct asker *a) __attribute__((nonnull));

#endif
