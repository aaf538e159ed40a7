/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_WINDUMP_H
#define MIG_MAKE_WINDUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/page.h"

/* Makes the headers of Windows crash dumps, right and wrong ones, for tests
 * and fuzz-windump; the pages follow, made by the caller.
 */
#define WINDUMP_RUNS_AT   0x98
#define WINDUMP_TYPE_AT   0xf98
#define WINDUMP_HEADER    0x2000
#define WINDUMP_BITMAP_AT 0x2038

enum windump_type {
	WINDUMP_FULL = 1,
	WINDUMP_KERNEL = 2,
	WINDUMP_TRIAGE = 4,
	WINDUMP_BITMAP = 5,
	WINDUMP_ACTIVE = 6,
};

struct windump_run {
	uint64_t first, npages;
};

static inline void
windump_put32(uint8_t *out, size_t at, uint32_t v)
{
	memcpy(out + at, &v, sizeof(v));
}

static inline void
windump_put64(uint8_t *out, size_t at, uint64_t v)
{
	memcpy(out + at, &v, sizeof(v));
}

/* Where the pages begin, for runs in ascending order. */
static inline size_t
windump_head_bytes(enum windump_type type, const struct windump_run *r,
		   size_t n)
{
	uint64_t nbits = n ? r[n - 1].first + r[n - 1].npages : 0;

	if (type == WINDUMP_FULL)
		return WINDUMP_HEADER;
	return (WINDUMP_BITMAP_AT + (nbits + 7) / 8 + PAGE_BYTES - 1) &
	       ~(size_t)(PAGE_BYTES - 1);
}

static inline void
windump_put_summary(uint8_t *out, const struct windump_run *r, size_t n,
		    size_t first, uint64_t npages)
{
	memcpy(out + WINDUMP_HEADER, "SDMPDUMP", 8);
	windump_put64(out, WINDUMP_HEADER + 0x20, first);
	windump_put64(out, WINDUMP_HEADER + 0x28, npages);
	windump_put64(out, WINDUMP_HEADER + 0x30,
		      n ? r[n - 1].first + r[n - 1].npages : 0);
	for (size_t i = 0; i < n; i++)
		for (uint64_t p = r[i].first; p < r[i].first + r[i].npages; p++)
			out[WINDUMP_BITMAP_AT + p / 8] |= (uint8_t)(1 << p % 8);
}

/* Fills windump_head_bytes() with the headers, as Windows and QEMU do: what is
 * not used says "PAGE".
 */
static inline void
make_windump(uint8_t *out, enum windump_type type, const struct windump_run *r,
	     size_t n)
{
	size_t first = windump_head_bytes(type, r, n);
	uint64_t npages = 0;

	for (size_t i = 0; i < n; i++)
		npages += r[i].npages;
	memset(out, 0, first);
	for (size_t at = 0; at < WINDUMP_HEADER; at += 4)
		memcpy(out + at, "PAGE", 4);
	memcpy(out + 4, "DU64", 4);
	windump_put32(out, 0x08, 0xf);
	windump_put32(out, 0x30, 0x8664);
	windump_put32(out, WINDUMP_TYPE_AT, type);
	if (type != WINDUMP_FULL) {
		windump_put_summary(out, r, n, first, npages);
		return;
	}
	windump_put32(out, 0x88, (uint32_t)n);
	windump_put64(out, 0x90, npages);
	for (size_t i = 0; i < n; i++) {
		windump_put64(out, WINDUMP_RUNS_AT + 16 * i, r[i].first);
		windump_put64(out, WINDUMP_RUNS_AT + 16 * i + 8, r[i].npages);
	}
}

#endif
