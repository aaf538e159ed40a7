/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_REPORT_H
#define MIG_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "common/err.h"

/* How a migration goes, as our processes tell each other and the user. */

/* {"say": "end"} with the error's code and text. */
json_t *report_end(const struct err *why) __attribute__((nonnull));
/* What a session reported, but only what we know and of the right kind: it
 * may be anybody's words.
 */
json_t *report_checked(const json_t *said) __attribute__((nonnull));
/* The error that an "end" tells of. */
void report_get_end(const json_t *end, struct err *why)
	__attribute__((nonnull));

/* Sessions as metrics of Prometheus. */
void report_metrics(const json_t *sessions, FILE *out) __attribute__((nonnull));

#endif
