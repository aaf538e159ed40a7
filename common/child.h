/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CHILD_H
#define MIG_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/* A program that we started, without a shell.  What it writes is kept in
 * memory files, so that it never waits for us and we never wait for it but to
 * end.  It is a process group of its own: Ctrl-C reaches us, not it.
 */
struct child {
	const char *name; /* the caller's argv[0] */
	pid_t pid;        /* 0: none */
	int out, err;     /* what it wrote to stdout and stderr; -1: none */
};

/* Starts argv[0], looked up in PATH.  listen_fd, if it is not -1, is a
 * listening socket that the child gets the way systemd would hand it over.
 */
int child_start(struct child *c, const char *const *argv, int listen_fd,
		struct err *e) __attribute__((nonnull, warn_unused_result));
/* Waits for the end.  -1, with what the program had to say, if it failed or
 * is not installed.
 */
int child_wait(struct child *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Ends the child if it still runs: asks, and after two seconds kills. */
void child_close(struct child *c) __attribute__((nonnull));

/* Runs argv to its end and gives what it wrote to stdout, at most max bytes,
 * with a '\0' after them; the caller frees it.
 */
char *child_output(const char *const *argv, size_t max, size_t *len,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
