/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BUF_H
#define MIG_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A growing array of bytes with a hard bound, and a reader over bytes that
 * came from outside.  Neither ever reads or writes past its end: a put beyond
 * .max and a get beyond the end fail and change nothing.
 * One thread at a time.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
};

/* An empty buffer that may grow to max bytes. */
void buf_init(struct buf *b, size_t max) __attribute__((nonnull));
/* Releases the memory; the buffer may be used again and keeps its bound. */
void buf_fini(struct buf *b) __attribute__((nonnull));
/* Forgets the content, keeps the memory. */
void buf_reset(struct buf *b) __attribute__((nonnull));

/* Makes room for n more bytes and returns where they go, NULL with *e filled
 * if the bound (ERR_LIMIT) or memory (ERR_SYSTEM) does not allow it.  The
 * caller writes there and calls buf_add() with what it used.
 */
uint8_t *buf_room(struct buf *b, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void buf_add(struct buf *b, size_t n) __attribute__((nonnull));

int buf_put(struct buf *b, const void *bytes, size_t n, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
int buf_put_u8(struct buf *b, uint8_t v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Little-endian, as everything virt-mig writes. */
int buf_put_u16(struct buf *b, uint16_t v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int buf_put_u32(struct buf *b, uint32_t v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int buf_put_u64(struct buf *b, uint64_t v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* LEB128: seven bits a byte, low bits first; 1 to 10 bytes. */
int buf_put_varint(struct buf *b, uint64_t v, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Bytes that somebody else owns, with a read cursor. */
struct span {
	const uint8_t *at;
	size_t left;
};

static inline struct span
span_of(const void *bytes, size_t len)
{
	return (struct span){ bytes, len };
}

/* Each get consumes or fails with ERR_PROTOCOL and consumes nothing. */
int span_get(struct span *s, void *out, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Points *out at n bytes inside the span; they live as long as its owner. */
int span_take(struct span *s, size_t n, const uint8_t **out, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int span_get_u8(struct span *s, uint8_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int span_get_u16(struct span *s, uint16_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int span_get_u32(struct span *s, uint32_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int span_get_u64(struct span *s, uint64_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int span_get_varint(struct span *s, uint64_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Signed numbers as varints: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
static inline uint64_t
zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t
unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
