/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FAULT_H
#define MIG_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that fail, one after the other: a test does the same thing again and
 * again, and the first call fails, then the second, until none does (SQLite's
 * method).  Calls are those by which our code asks for memory, and those of
 * libraries that do; see fault.c.  A program that is linked with fault.c has
 * $(FAULT_WRAP).  One thread.
 */

/* The n-th call from now on fails; with 'all', those after it as well. */
void fault_begin(uint64_t n, bool all);
/* Nothing fails any more.  Whether something did. */
bool fault_end(void);

/* Lets libevent ask here too.  Before anything else is done with it. */
void fault_libevent(void);

/* Bytes that our code holds now (a context of libcrypto counts for one), and
 * the most since fault_peak_begin().
 */
int64_t fault_held(void);
void fault_peak_begin(void);
int64_t fault_peak(void);

#endif
