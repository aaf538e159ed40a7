/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CLOCK_H
#define MIG_CLOCK_H

#include <stdint.h>

/* Nanoseconds: of a clock that never goes back, and of the CPU time that the
 * calling thread has used.
 */
uint64_t clock_wall_ns(void);
uint64_t clock_cpu_ns(void);

#endif
