/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_ENGINE_H
#define MIG_BENCH_ENGINE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "classify/guest.h"
#include "common/err.h"
#include "dedup/base.h"
#include "memory/memory.h"
#include "sender/effort.h"
#include "tools/bench-result.h"

/* Sender and receiver in one process: every frame that is encoded is decoded
 * by the receiver's code from its bytes on the wire, and every byte that comes
 * out is compared with the memory.
 */
struct bench_engine {
	const struct memory *memory;
	const struct base *bases; /* [0] is the history */
	size_t nbases;
	unsigned threads; /* for each direction */
	/* CPU that each end spends before the first page, and on how many
	 * bytes: unpacking the kernels among the bases.
	 */
	uint64_t unpack_ns, unpack_bytes;
	/* Whose free pages arrive as zeros; NULL: every page arrives as it is.
	 * And the sender's CPU for reading that guest's tables.
	 */
	const struct guest *guest;
	uint64_t guest_ns;
	/* Called from the calling thread now and then; may be NULL. */
	void (*progress)(void *arg, uint64_t done_pages, uint64_t all_pages);
	void *progress_arg;
	FILE *residual; /* gets the words of pages before coding; may be NULL */
	/* Once set, the run ends with ERR_CANCELLED; may be NULL. */
	const volatile sig_atomic_t *cancelled;
};

/* Fills *out, with one sample, for bench_tier_fini().  ERR_CORRUPT when
 * something came out that did not go in: that is a bug of ours.
 */
int bench_engine_run(const struct bench_engine *b, const struct effort *effort,
		     struct bench_tier *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
