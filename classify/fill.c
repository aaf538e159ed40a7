/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "classify/fill.h"
#include "common/page.h"

/* All words are equal when each equals the next: the page compared with
 * itself, one word on.  The C library's memcmp does that with the widest
 * vectors the CPU has.  Most other pages differ in their first words, or
 * hold something in their last one; those never get there.
 */
bool
fill_find(const uint8_t *page, uint64_t *value)
{
	uint64_t word = page_word(page, 0);

	if (page_word(page, 1) != word ||
	    page_word(page, PAGE_WORDS - 1) != word)
		return false;
	*value = word;
	return memcmp(page, page + 8, PAGE_BYTES - 8) == 0;
}
