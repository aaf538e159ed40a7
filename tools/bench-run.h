/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_RUN_H
#define MIG_BENCH_RUN_H

#include "tools/bench-options.h"

/* Opens what the options name, runs every tool on every memory, and fills the
 * report, for bench_report_fini() whatever is returned.  Shows how far it has
 * come; Ctrl-C ends it with ERR_CANCELLED.  Strings in it stay
 * the options'.
 */
int bench_run(const struct bench_options *o, struct bench_report *r,
	      struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
