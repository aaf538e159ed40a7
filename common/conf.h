/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CONF_H
#define MIG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Files of settings: '[section]', 'key = value', '# comment' and empty lines.
 * A key may come again; what that means is the reader's business.  Spaces
 * around names and values do not count.  Text, not bytes: a '\0' is an error.
 */
#define CONF_LINE_MAX 1024
#define CONF_FILE_MAX (256u << 10)

/* One setting; -1 with *e filled if it makes no sense.  The texts live until
 * it returns.
 */
typedef int conf_fn(void *arg, const char *section, const char *key,
		    const char *value, struct err *e);

/* Reads settings from text; every error is ERR_USAGE and begins with
 * "NAME:LINE: ".
 */
int conf_parse(const char *text, size_t len, const char *name, conf_fn *fn,
	       void *arg, struct err *e)
	__attribute__((nonnull(1, 3, 4, 6), warn_unused_result));
int conf_read(const char *path, conf_fn *fn, void *arg, struct err *e)
	__attribute__((nonnull(1, 2, 4), warn_unused_result));

/* Values: "yes" or "no"; a number from min to max. */
int conf_bool(const char *value, bool *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int conf_number(const char *value, unsigned long min, unsigned long max,
		unsigned long *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
