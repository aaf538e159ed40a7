/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_GUEST_IMPL_H
#define MIG_GUEST_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct guest;
struct guest_file;
struct guest_volume;

/* What one operating system gives to guest.c. */
struct guest_kind {
	unsigned os; /* enum guest_os */
	/* Finds the tables in g->memory and fills g->release and g->tables:
	 * true when they are this system's.  Otherwise nothing is left in
	 * g->tables and e->code is not ERR_NONE only if a call failed.
	 */
	bool (*find)(struct guest *g, struct err *e);
	/* Fills g->pages, which are all CLASS_UNKNOWN, and files and volumes;
	 * says what it checked.
	 */
	int (*classify)(struct guest *g, struct err *e);
	/* Releases g->tables. */
	void (*close)(struct guest *g);
};

extern const struct guest_kind guest_linux;
extern const struct guest_kind guest_windows;

/* Says of one more thing whether it holds. */
void guest_check(struct guest *g, bool passed, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull));

/* One more file, volume: its place; 0 with *e filled, ERR_LIMIT when there are
 * too many.
 */
uint32_t guest_add_file(struct guest *g, const struct guest_file *f,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));
uint32_t guest_add_volume(struct guest *g, const struct guest_volume *v,
			  struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
