/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CPU_STATE_H
#define MIG_CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/* The state of one x86 CPU, as far as it tells which page tables are in use. */
struct cpu_state {
	uint64_t cr0, cr3;
};

/* The next CPU in what QEMU writes behind a guest's RAM, which is moved past
 * it; false if there is no more.  That state says only by its own layout where
 * anything in it ends, so CPUs are found by how their sections begin, and what
 * is found may in theory be something else.
 */
bool cpu_state_next(struct span *in, struct cpu_state *out)
	__attribute__((nonnull, warn_unused_result));

#endif
