/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SHA256X16_H
#define MIG_SHA256X16_H

#include <stdbool.h>
#include <stdint.h>

/* SHA-256 of sixteen pages at once, one in each 32-bit lane of AVX-512
 * vectors: no instruction made for SHA, and still faster than those.
 */
bool sha256x16_works(void);

/* Only where sha256x16_works(): of sixteen 4096-byte pages. */
void sha256x16_pages(const uint8_t *const pages[16], uint8_t out[16][32])
	__attribute__((nonnull));

#endif
