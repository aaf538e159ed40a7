/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LOAD_H
#define MIG_LOAD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Numbers at any address, in the order of bytes that the name says.  Where it
 * was not checked before that they are there, a struct span reads them.
 */
static inline uint16_t
load_le16(const void *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

static inline uint32_t
load_le32(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static inline uint64_t
load_le64(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static inline uint16_t
load_be16(const void *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return be16toh(v);
}

static inline uint32_t
load_be32(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return be32toh(v);
}

static inline uint64_t
load_be64(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return be64toh(v);
}

#endif
