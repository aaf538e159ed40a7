/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SLOW_PAGE_H
#define MIG_SLOW_PAGE_H

#include <stddef.h>
#include <stdint.h>

/* Decodes a block of the page codec as virt-mig-codec(7) says, and not as
 * codec/ does: one symbol after the other, one byte after the other.  They
 * share the table of priors and nothing else.  0, or -1: damaged.
 */
int slow_page_decode(const uint8_t *in, size_t len, uint8_t *out,
		     size_t out_len);

#endif
