/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_REPORT_H
#define MIG_BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "common/err.h"
#include "tools/bench-result.h"

/* The report in the three forms it is given in.  All say the same; paths and
 * other text from outside are made harmless on the way.
 */
int bench_report_text(const struct bench_report *r, FILE *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* NULL with *e filled if there is no memory. */
json_t *bench_report_json(const struct bench_report *r, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* One page that needs nothing else, json within it. */
int bench_report_html(const struct bench_report *r, const json_t *json,
		      FILE *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* How the times over a link were reckoned: one sentence. */
extern const char bench_move_rule[];

#endif
