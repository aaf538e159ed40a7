/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PAGE_H
#define MIG_PAGE_H

#include <stdint.h>
#include <string.h>

/* The unit that everything is counted in: 4096 bytes of guest memory or of a
 * disk image, or 512 words of 8 bytes.  Pages may stand at any address in a
 * mapped file, so words are read with page_word(), never by a cast.
 */
#define PAGE_SHIFT 12
#define PAGE_BYTES 4096
#define PAGE_WORDS 512

static inline uint64_t
page_word(const uint8_t *page, unsigned word)
{
	uint64_t w;

	memcpy(&w, page + 8 * (size_t)word, sizeof(w));
	return w;
}

#endif
