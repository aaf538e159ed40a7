/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SHA256X2_H
#define MIG_SHA256X2_H

#include <stdbool.h>
#include <stdint.h>

/* SHA-256 of two pages at once with the SHA extensions of x86.  The rounds of
 * one message depend on each other; those of a second one fill the gaps.
 */
bool sha256x2_works(void);

/* Only where sha256x2_works(): the SHA-256 of two 4096-byte pages. */
void sha256x2_pages(const uint8_t *a, const uint8_t *b, uint8_t out_a[32],
		    uint8_t out_b[32]) __attribute__((nonnull));

#endif
