/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_HEAP_H
#define MIG_MADE_HEAP_H

#include <string.h>

#include "tests/test.h"

/* Bytes that are like a heap: objects of a few kinds, each of pointers, small
 * numbers and zeros, in no order, with text and noise between them.
 */
static inline void
made_heap(uint8_t *out, size_t len, uint64_t seed)
{
	static const char text[] = "/usr/lib/x86_64-linux-gnu/libvirt.so.0";
	const uint64_t base = 0x7f3a00000000 + (seed << 12 & 0xfffff000);

	for (size_t at = 0; at < len;) {
		uint64_t r = test_random(&seed), words[16] = { 0 };
		size_t n = 8 * (2 + (r >> 8 & 7) * 2);

		switch (r % 8) {
		case 0:
			memcpy(words, text + (r >> 16 & 15), 22);
			break;
		case 1:
			for (size_t i = 0; i < 16; i++)
				words[i] = test_random(&seed);
			break;
		default:
			words[0] = base + (r >> 16 & 0x3f) * 0x128;
			words[1] = r >> 20 & 0x101;
			words[3] = base + (r >> 24 & 0xffff) * 16;
			words[4] = words[3] + 48;
			words[7] = r >> 40 & 0xff;
			words[9] = words[0] - 0x1000;
		}
		n = n < len - at ? n : len - at;
		memcpy(out + at, words, n);
		at += n;
	}
}

#endif
