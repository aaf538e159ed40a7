/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_GUEST_H
#define MIG_BENCH_GUEST_H

#include <stdio.h>

#include "classify/guest.h"
#include "common/err.h"
#include "tools/bench-options.h"
#include "tools/bench-result.h"

/* What the report says of a guest; 'drops': its free pages are dropped. */
void bench_guest_note(const struct guest *g, bool drops,
		      struct bench_guest *out) __attribute__((nonnull));

#define BENCH_GUEST_TEXT 200

/* A line for people: which system, and what follows from its tables. */
const char *bench_guest_text(const struct bench_guest *g,
			     char out[BENCH_GUEST_TEXT])
	__attribute__((nonnull));

/* Writes what was found in each memory, which checks passed, how many pages
 * have which class and which files are cached most: for who wants to know why.
 */
int bench_guest_explain(const struct bench_options *o, FILE *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
