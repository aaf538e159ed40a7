/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_INPUT_H
#define MIG_BENCH_INPUT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "dedup/image.h"
#include "dedup/index.h"
#include "memory/memory.h"

/* How far one tool has come.  The tool looks at .cancelled now and then and
 * gives up with ERR_CANCELLED once it is set.
 */
struct bench_progress {
	void (*report)(void *arg, uint64_t done_pages, uint64_t all_pages);
	void *arg; /* of .report, which may be NULL */
	const volatile sig_atomic_t *cancelled; /* may be NULL */
};

/* What every tool is measured on: borrowed, read-only. */
struct bench_input {
	const struct memory *memory;
	struct image *const *images;
	struct index *const *indexes; /* of images[i] */
	size_t nimages;
	unsigned threads;
	struct bench_progress progress;
};

#endif
