/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_MACHINE_H
#define MIG_BENCH_MACHINE_H

#include "tools/bench-result.h"

/* Fills in what the figures depend on besides the input: version, compiler,
 * CPU, kernel, cores and the time.
 */
void bench_machine(struct bench_report *r) __attribute__((nonnull));

#endif
