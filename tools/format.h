/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FORMAT_H
#define MIG_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_LEN 32

/* Numbers for people, in out[FORMAT_LEN], which is also what is returned. */
char *format_bytes(char *out, uint64_t n); /* "98.2 MiB" */
char *format_count(char *out, uint64_t n); /* "524,288" */
char *format_time(char *out, double s);    /* "8.24 s", "12m31s" */
char *format_age(char *out, uint64_t s);   /* "8s", "12m31s" */
char *format_ratio(char *out, double r);   /* "4.62x" */

/* Text from outside as valid UTF-8 without control characters, for a
 * terminal, JSON or a page alike: other bytes become \xNN.  The caller frees
 * it; NULL when there is no memory.
 */
char *format_printable(const char *text)
	__attribute__((nonnull, warn_unused_result));

#endif
