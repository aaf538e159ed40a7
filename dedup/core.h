/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CORE_H
#define MIG_CORE_H

#include <stdint.h>

/* The first page of an ELF core whose pages follow it: 'len' bytes of memory
 * from gpa on.  For what is made from images and kept beside their indexes.
 */
void core_header(uint64_t gpa, uint64_t len, uint8_t page[4096])
	__attribute__((nonnull));

#endif
