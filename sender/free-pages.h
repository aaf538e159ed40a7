/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FREE_PAGES_H
#define MIG_FREE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "memory/qemu-live.h"

/* The pages of a running guest that need not be moved, because the guest has
 * them free (guest-now.h says why that is safe).  First the guest is looked
 * for in QEMU's memory, beside everything else, if that is worth it; once it has been found, proved
 * and seen to tick, pages are dropped that are free now and still hold what
 * QEMU sent: which proves that QEMU's memory is where we read; and only while no
 * page has come for a second time.  At the end, with
 * the guest stopped, its CPUs must still run that kernel; if they do not, a
 * page may be missing there, and the migration must fail.
 */
struct free_pages;

enum free_state {
	FREE_LOOKING,
	FREE_DROPS,
	FREE_NONE, /* never, or not any more; .why says why */
};

/* Looks in a thread of its own, once it is asked to.  Pages have the planner's
 * numbers; maps are its own from now on, even on error.
 */
struct free_pages *free_pages_new(struct qemu_maps *maps,
				  const struct qemu_ram *ram, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void free_pages_free(struct free_pages *f);

/* Fewer bytes would help: begins to look.  Half a second of CPU for 2 GiB, or
 * half of that where QEMU shares them: where the link waits for the CPUs,
 * leaving pages out would not be faster.  Any thread.
 */
void free_pages_begin(struct free_pages *f) __attribute__((nonnull));
/* Any thread. */
enum free_state free_pages_state(const struct free_pages *f)
	__attribute__((nonnull));
/* Not any more, for that reason; any thread. */
void free_pages_stop(struct free_pages *f, const char *why)
	__attribute__((nonnull));
/* What was found, or why nothing is dropped. */
const char *free_pages_text(const struct free_pages *f)
	__attribute__((nonnull));

/* In a turn: QEMU has read the pages that are asked about next. */
void free_pages_look(struct free_pages *f) __attribute__((nonnull));
/* In a turn: whether page n, which QEMU read as these bytes, is dropped. */
bool free_pages_drops(struct free_pages *f, uint64_t n, const uint8_t *page)
	__attribute__((nonnull));

/* The guest has stopped; 'state' is what QEMU wrote behind its RAM.  Fails if
 * pages were dropped by the word of a kernel that does not run.  No turn may
 * be under way.
 */
int free_pages_confirm(struct free_pages *f, struct span state, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
