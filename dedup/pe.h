/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PE_H
#define MIG_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A Windows program or library (PE, x86-64) as it stands in memory.  The file
 * is cut into sections, which linkers place at multiples of 512, so that most
 * pages in memory are no blocks of the file; and wherever it is loaded, Windows
 * adds the distance to the words that its table of relocations names.  Laid
 * out here at one address for all, pages differ from those of any guest in
 * where pointers point, and in nothing else.
 */

/* The longest file, and image, that is looked at. */
#define PE_BYTES_MAX (64u << 20)

/* The bytes that the file has whose first 4096 these are; 0 if that is no
 * program of x86-64 or makes no sense.
 */
uint32_t pe_file_bytes(const uint8_t head[4096]) __attribute__((nonnull));

/* Gets each page of the image that is worth keeping: not zero, and no block of
 * the file as it is.
 */
typedef int (*pe_page_fn)(void *arg, const uint8_t page[4096], struct err *e);

/* Lays out the file of len bytes, which may be any: what makes no sense in it
 * is passed over.  Fails if f fails or memory is short.
 */
int pe_pages(const uint8_t *file, size_t len, pe_page_fn f, void *arg,
	     struct err *e)
	__attribute__((nonnull(1, 3, 5), warn_unused_result));

#endif
