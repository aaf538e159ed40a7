/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_GUEST_PROGRAMS_H
#define MIG_GUEST_PROGRAMS_H

/* Puts all of Windows' programs of a folder into memory, each at an address of
 * its own, for as long as this program runs.  Says of each of their pages that
 * is not zero which frame it is in, and whether it was relocated:
 * "program relocated FRAME" or "program as-linked FRAME".
 */
void map_programs(const char *folder);

#endif
