/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LEFTOVER_H
#define MIG_LEFTOVER_H

/* Sockets that nobody has any more: of a QEMU that was killed before its peer
 * called, for one.
 */
#define LEFTOVER_AGE_S 10 /* younger ones may be in the making */

/* Removes those in dir whose names end with ".sock" and that are so old. */
void leftover_clean(const char *dir, long age_s) __attribute__((nonnull));

#endif
