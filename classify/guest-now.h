/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_GUEST_NOW_H
#define MIG_GUEST_NOW_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/guest.h"
#include "common/err.h"

/* Which pages a running Linux guest has free, now.
 *
 * Why a free page of a running guest need not be moved: QEMU notes that page p
 * is clean, then reads it, and notes every later write.  guest_now_look() comes
 * after that read, and what guest_now_is_free() goes by is read after
 * guest_now_look().  So at some instant after QEMU's read the allocator had p.
 * What p held then nobody will ask for; if it is given to somebody later, and
 * written, that write is after QEMU's read and p will be sent again.  What the
 * allocator had before the read says nothing: hence always look again.
 *
 * The tables are read while the guest changes them.  A block counts as free if
 * two readings agree on its first page, which says that there is one and how
 * large it is, and found no page of it in use.
 *
 * All this holds for the tables of the kernel that runs, not for what another
 * left behind.  That one runs shows in its clock, which moves, never goes back
 * (a kernel that starts again starts again with it), and at the end in the page
 * tables that the CPUs use.
 *
 * And it holds for as long as QEMU sends pages whole: what it sends later as
 * differences from what it sent before (xbzrle) it sends in its second round or
 * later, so only pages that come for the first time may be left out.
 *
 * And that QEMU notes every write holds for devices, too.  One of the host's
 * (VFIO) writes by DMA, which QEMU sees only with the help of the device or the
 * IOMMU.  Without that QEMU before 8.0 does not migrate it; later ones count
 * all memory as written whenever they ask, so what was left out comes again.
 * Nor is it left out to begin with: the device has a section of its own in the
 * stream before the first page, which makes all that follows opaque.
 *
 * One thread at a time.  The guest is one that was opened, with every check
 * passed, over memory that can be read again (physical.h).
 */
struct guest_now;

/* ERR_USAGE, and why, where nothing can be said of this guest. */
struct guest_now *guest_now_open(const struct guest *g, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void guest_now_close(struct guest_now *n);

/* Whether its clock has been seen to move.  Until then ask again, each time
 * with the time; nothing else may be asked before.
 */
bool guest_now_ticks(struct guest_now *n, uint64_t now_ns)
	__attribute__((nonnull));

/* Forgets what was read; false if the clock went back, or is gone: this is not
 * the kernel that it was.
 */
bool guest_now_look(struct guest_now *n)
	__attribute__((nonnull, warn_unused_result));
/* Whether page 'page' of the memory is free, by what is read from now on. */
bool guest_now_is_free(struct guest_now *n, uint64_t page)
	__attribute__((nonnull));

/* Goes up whenever guest_now_look() finds that its clock went on. */
uint64_t guest_now_clock(const struct guest_now *n) __attribute__((nonnull));

/* Whether a CPU with this CR3 runs that kernel. */
bool guest_now_runs(const struct guest_now *n, uint64_t cr3)
	__attribute__((nonnull));

#endif
