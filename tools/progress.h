/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PROGRESS_H
#define MIG_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* How far long work has come, for whoever waits: one line on a terminal,
 * rewritten ten times a second, or lines of JSON for a program, two a second.
 * Never on standard output, which is for the result.
 */
enum progress_kind {
	PROGRESS_NONE,
	PROGRESS_BAR,
	PROGRESS_JSON,
};

struct progress {
	const char *what; /* "indexing disk.img" */
	enum progress_kind kind;
	int fd;
	bool stands; /* a line of ours is on the terminal */
	uint64_t began_ns, last_ns;
};

struct progress_at {
	uint64_t done, all; /* bytes of what is worked on */
	uint64_t wire;      /* bytes it became so far; 0: not said */
	const char *more;   /* words for the end of the line, or NULL */
};

/* A bar on stderr if that is a terminal, else nothing. */
void progress_init(struct progress *p, const char *what)
	__attribute__((nonnull));
void progress_init_to(struct progress *p, const char *what,
		      enum progress_kind kind, int fd) __attribute__((nonnull));
/* "auto" (as progress_init()), "none", "bar" or "json", to descriptor fd. */
int progress_parse(const char *choice, int fd, enum progress_kind *kind,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

/* done of all bytes are done. */
void progress_show(struct progress *p, uint64_t done, uint64_t all)
	__attribute__((nonnull));
/* The same with more to say. */
void progress_show_at(struct progress *p, const struct progress_at *at)
	__attribute__((nonnull));
/* At once and, where nothing else is shown, as a line on stderr: SIGUSR1. */
void progress_show_now(struct progress *p, const struct progress_at *at)
	__attribute__((nonnull));
/* Removes the line. */
void progress_fini(struct progress *p) __attribute__((nonnull));

/* "3.8 GiB"; gives out. */
char *size_text(uint64_t bytes, char *out, size_t cap) __attribute__((nonnull));

/* Not 0 once the user pressed Ctrl-C or somebody sent SIGTERM.  The first
 * call makes it so; a second signal ends the process.
 */
const volatile sig_atomic_t *interrupted(void);

#endif
