/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_PATCHED_LINUX_H
#define MIG_FUZZ_PATCHED_LINUX_H

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/make-linux.h"

/* What fuzz-linux and fuzz-guest-now share: a small Linux guest in which the
 * input changes words; three bytes say where, eight to what.
 */
#define PATCH 11

static uint8_t mem[LINUX_BYTES];

static inline const uint8_t *
made_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	if (gpa >= LINUX_BYTES)
		return NULL;
	memcpy(scratch, mem + gpa, PAGE_BYTES);
	return scratch;
}

/* The next patch; false: there is none. */
static inline bool
patch_next(struct span *patches)
{
	const uint8_t *p = patches->at;
	uint32_t at;

	if (patches->left < PATCH)
		return false;
	at = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	memcpy(mem + at % (LINUX_BYTES - 7), p + 3, 8);
	*patches = span_of(p + PATCH, patches->left - PATCH);
	return true;
}

/* For a seed. */
static inline void
patch_put(struct buf *out, uint32_t at, uint64_t word)
{
	uint8_t bytes[PATCH] = { (uint8_t)at, (uint8_t)(at >> 8),
				 (uint8_t)(at >> 16) };
	struct err e;

	memcpy(bytes + 3, &word, 8);
	fuzz_ok(buf_put(out, bytes, sizeof(bytes), &e), &e);
}

#endif
