/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BESIDE_H
#define MIG_BESIDE_H

#include <stdbool.h>
#include <stddef.h>

/* The path of another program of ours: beside the one that runs, as in a
 * build folder, else where it is installed.  False if it is nowhere.
 */
bool beside_path(const char *name, char *out, size_t cap)
	__attribute__((nonnull));

#endif
