/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PHYSICAL_H
#define MIG_PHYSICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/memory.h"

/* A guest's memory by guest-physical address, for whoever reads the guest's
 * own tables.  Addresses come from the guest and may be any number: what is
 * not there is told, nothing else happens.  Any thread, if .page allows it.
 */
struct physical {
	/* The 4096 bytes at gpa, a multiple of 4096: where they are, or read
	 * into scratch; NULL when there are none.
	 */
	const uint8_t *(*page)(void *arg, uint64_t gpa, uint8_t scratch[4096]);
	void *arg;
	/* Where there is memory, in order of gpa, and which page number what
	 * stands there has; borrowed.
	 */
	const struct memory_run *runs;
	size_t nruns;
	uint64_t npages; /* more than any page number in the runs */
	/* Memory of a guest that runs: what was read until now is read again
	 * when it is asked for.  NULL: it does not change.
	 */
	void (*forget)(void *arg);
};

/* Borrows m. */
struct physical physical_of(const struct memory *m) __attribute__((nonnull));

void physical_forget(const struct physical *p) __attribute__((nonnull));

/* Copies n bytes from gpa on; false when some of them are not there. */
bool physical_read(const struct physical *p, uint64_t gpa, void *out, size_t n)
	__attribute__((nonnull, warn_unused_result));

#endif
