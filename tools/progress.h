/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PROGRESS_H
#define MIG_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line on stderr, rewritten ten times a second, that says how far long
 * work has come; nothing where stderr is not a terminal.
 */
struct progress {
	const char *what; /* "indexing disk.img" */
	bool shown;       /* stderr is a terminal */
	uint64_t began_ns, last_ns;
};

void progress_init(struct progress *p, const char *what)
	__attribute__((nonnull));
/* done of all bytes are done. */
void progress_show(struct progress *p, uint64_t done, uint64_t all)
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
