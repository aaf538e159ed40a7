/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLACE_H
#define MIG_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct plan_reader;
struct plan_writer;

/* Live: how a page stands in QEMU's stream. */
struct plan_place {
	uint64_t number;
	bool bare;  /* without a head: a page of multifd */
	bool names; /* the head names its block, not "the one of before" */
};

/* Runs of places: each page but the first follows the one before it in the
 * guest and is as bare as it, and none of them names its block.
 */
struct plan_places {
	struct plan_place last;
	uint64_t next; /* number that a run without a jump begins at */
	uint64_t run;  /* writer: pages of the open run; reader: left of it */
	bool jumps;    /* the open run does */
};

/* Live: where the next page stands; once for each page. */
int plan_put_place(struct plan_writer *w, const struct plan_place *p,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
int plan_get_place(struct plan_reader *r, struct plan_place *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
