/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAP_H
#define MIG_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A whole file or block device mapped read-only.  A file that shrinks while
 * mapped raises SIGBUS on access: callers map only files that nobody else
 * truncates, or handle that signal.
 */
struct map {
	const uint8_t *data; /* NULL when len is 0 */
	size_t len;
	int fd; /* kept open; -1 when closed */
};

/* Opens and maps path.  A block device is mapped over its whole size. */
int map_open(struct map *m, const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Maps what fd is open on, and takes fd, also on failure; path is for errors.
 */
int map_take(struct map *m, int fd, const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void map_close(struct map *m) __attribute__((nonnull));

#endif
