/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_DUMP_H
#define MIG_MAKE_DUMP_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/mem.h"

/* Makes heads of LiME dumps and VMware state files for their tests and fuzz
 * targets.
 */
static inline uint8_t *
make_le32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static inline uint8_t *
make_le64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static inline void
make_lime(uint8_t head[32], uint64_t first, uint64_t last)
{
	make_le64(make_le64(make_le64(make_le32(make_le32(head, 0x4c694d45), 1),
				      first),
			    last),
		  0);
}

static inline uint8_t *
make_tag(uint8_t *at, const char *name, unsigned nindices, uint32_t index,
	 unsigned len)
{
	*at++ = (uint8_t)(nindices << 6 | len);
	*at++ = (uint8_t)strlen(name);
	memcpy(at, name, strlen(name));
	at += strlen(name);
	for (unsigned i = 0; i < nindices; i++)
		at = make_le32(at, index + 7 * i);
	return at;
}

static inline uint8_t *
make_number(uint8_t *at, const char *name, unsigned nindices, uint32_t index,
	    uint32_t value)
{
	return make_le32(make_tag(at, name, nindices, index, 4), value);
}

/* A state file for a memory of 5 pages, 3 from 0 on and 2 from 4 GiB on; of
 * one piece if it is not split.  Less than 1 KiB; returns how long it is.
 */
static inline size_t
make_vmware(uint8_t *out, uint32_t magic, bool split)
{
	uint8_t *at = make_le32(make_le32(make_le32(out, magic), 8), 2);
	bool wide = magic & 0xf;

	memset(at, 0, 160);
	memcpy(at, "Checkpoint", 10);
	make_le64(at + 64, 400);
	memcpy(at + 80, "memory", 6);
	make_le64(at + 144, 200);
	memset(out + 172, 0, 28);
	at = make_number(out + 200, "hotSet", 2, 0, 1);
	at = make_number(at, "regionsCount", 0, 0, split ? 2 : 0);
	at = make_tag(at, "align_mask", 1, 0, 6);
	memcpy(at, "abcdef", 6);
	at = make_tag(at + 6, "screen", 0, 0,
		      62); /* 4 bytes, in the long way */
	at = wide ? make_le64(make_le64(at, 4), 4)
		  : make_le32(make_le32(at, 4), 4);
	memcpy(at, "..data", 6);
	at += 6;
	for (uint32_t i = 0; split && i < 2; i++) {
		at = make_number(at, "regionPageNum", 1, i, i * 3);
		at = make_number(at, "regionPPN", 1, i, i << 20);
		at = make_number(at, "regionSize", 1, i, 3 - i);
	}
	*at++ = 0;
	*at++ = 0;
	return (size_t)(at - out);
}

#endif
