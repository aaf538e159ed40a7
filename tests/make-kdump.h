/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_KDUMP_H
#define MIG_MAKE_KDUMP_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"
#include "common/page.h"

/* Makes a small compressed kdump file for test-kdump and fuzz-kdump: of 32
 * pages of memory, number 1 (compressed), 2 and 5 are in it, each filled with
 * its number.  In blocks of 4 KiB: head, sub-head, two bitmaps, descriptions
 * of the pages, the pages.
 */
#define MAKE_KDUMP_MAX   (8 * 4096)
#define MAKE_KDUMP_PAGES 32

static inline void
make_kdump_u32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static inline void
make_kdump_u64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

static inline size_t
make_kdump(uint8_t out[MAKE_KDUMP_MAX], uint32_t page_bytes)
{
	static const uint8_t in_file[] = { 1, 2, 5 };
	size_t at = 5 * 4096;

	memset(out, 0, MAKE_KDUMP_MAX);
	memcpy(out, "KDUMP   ", 8);
	make_kdump_u32(out + 8, 6);
	memcpy(out + 12, "Linux", 5);
	memcpy(out + 12 + 2 * 65, "6.1.0", 5);
	memcpy(out + 12 + 4 * 65, "x86_64", 6);
	make_kdump_u32(out + 428, page_bytes);
	make_kdump_u32(out + 432, 1); /* blocks of the sub-head */
	make_kdump_u32(out + 436, 2); /* blocks of bitmaps */
	make_kdump_u32(out + 440, MAKE_KDUMP_PAGES);
	make_kdump_u64(out + 4096 + 96, MAKE_KDUMP_PAGES);
	for (unsigned i = 0; i < ARRAY_LEN(in_file); i++) {
		uint8_t *description = out + 4ul * 4096 + i * 24ul;
		uint8_t page[4096];
		uLongf len = sizeof(page);

		out[2 * 4096] |= (uint8_t)(1 << in_file[i]);
		out[3 * 4096] |= (uint8_t)(1 << in_file[i]);
		memset(page, in_file[i], sizeof(page));
		make_kdump_u64(description, at);
		if (i == 0)
			compress(out + at, &len, page, sizeof(page));
		else
			memcpy(out + at, page, sizeof(page));
		make_kdump_u32(description + 8, (uint32_t)len);
		make_kdump_u32(description + 12, i == 0); /* by zlib */
		at += len;
	}
	return at;
}

/* The same as it is written to a pipe, in two pieces, out of order. */
static inline size_t
make_flat(uint8_t *out, const uint8_t *kdump, size_t n)
{
	size_t parts[] = { 4096, n - 4096, 0 }, at = 4096;
	uint64_t offsets[] = { n - 4096, 0, UINT64_MAX };

	memset(out, 0, 4096);
	memcpy(out, "makedumpfile", 12);
	out[23] = out[31] = 1;
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		uint64_t head[] = { htobe64(offsets[i]),
				    i < 2 ? htobe64(parts[i]) : UINT64_MAX };

		memcpy(out + at, head, sizeof(head));
		at += sizeof(head);
		if (i < 2)
			memcpy(out + at, kdump + offsets[i], parts[i]);
		at += parts[i];
	}
	return at;
}

#endif
