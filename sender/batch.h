/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BATCH_H
#define MIG_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"

/* What is planned at a time: numbered pages in order, and the opaque bytes
 * that stand between them.  It points at bytes that somebody else keeps.
 * From QEMU's stream it is framed: how each page stands there is part of it,
 * and a page may come again, changed.
 */
#define BATCH_RUNS_MAX 1024

struct batch {
	struct batch_page {
		uint64_t number;
		const uint8_t *bytes; /* framed: NULL for a ZERO record */
		const uint8_t *head;  /* framed: what stands before it */
		uint16_t head_len;
		bool bare, names; /* see struct plan_place */
		bool dropped;     /* by the planner: it is FREE */
	} pages[FRAME_PAGES_MAX];
	struct batch_run {
		const uint8_t *at;
		uint32_t n, before; /* they stand before that page */
	} runs[BATCH_RUNS_MAX];
	uint32_t npages, nruns;
	uint32_t nbytes; /* of all runs */
	bool framed;
};

#endif
