/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FILL_H
#define MIG_FILL_H

#include <stdbool.h>
#include <stdint.h>

/* True when all 512 words of a page are the same; *value is then that word
 * (as page_word() reads it), else undefined.  The page may stand at any
 * address.  A page that differs early costs a few loads.
 */
bool fill_find(const uint8_t *page, uint64_t *value)
	__attribute__((nonnull, warn_unused_result));

#endif
