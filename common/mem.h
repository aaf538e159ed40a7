/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MEM_H
#define MIG_MEM_H

#include <stdlib.h>
#include <unistd.h>

/* Scope-end cleanup.  auto_free releases what malloc gave, auto_fd closes a
 * descriptor that is not -1.
 */
static inline void
mem_free_at(void *at)
{
	free(*(void **)at);
}

static inline void
mem_close_at(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_free __attribute__((cleanup(mem_free_at)))
#define auto_fd   __attribute__((cleanup(mem_close_at)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
