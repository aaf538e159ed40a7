/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BATCH_H
#define MIG_BATCH_H

#include <stdint.h>

#include "wire/frame.h"

/* What is planned at a time: numbered pages in order, and the opaque bytes
 * that stand between them.  It points at bytes that somebody else keeps.
 */
#define BATCH_RUNS_MAX 64

struct batch {
	struct batch_page {
		uint64_t number;
		const uint8_t *bytes;
	} pages[FRAME_PAGES_MAX];
	struct batch_run {
		const uint8_t *at;
		uint32_t n, before; /* they stand before that page */
	} runs[BATCH_RUNS_MAX];
	uint32_t npages, nruns;
	uint32_t nbytes; /* of all runs */
};

#endif
