/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"

#define BUF_FIRST 256

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
}

uint8_t *
buf_room(struct buf *b, size_t n, struct err *e)
{
	size_t cap;
	uint8_t *data;

	if (n > b->max - b->len) {
		(void)err_set(e, ERR_LIMIT, "buffer of %zu bytes is full",
			      b->max);
		return NULL;
	}
	if (b->data && n <= b->cap - b->len)
		return b->data + b->len;
	cap = MAX(b->cap, (size_t)BUF_FIRST);
	while (cap - b->len < n)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		(void)err_sys(e, "buffer of %zu bytes", cap);
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

void
buf_add(struct buf *b, size_t n)
{
	b->len += n;
}

int
buf_put(struct buf *b, const void *bytes, size_t n, struct err *e)
{
	uint8_t *room = buf_room(b, n, e);

	if (!room)
		return -1;
	if (n > 0)
		memcpy(room, bytes, n);
	buf_add(b, n);
	return 0;
}

static int
buf_put_le(struct buf *b, uint64_t v, size_t n, struct err *e)
{
	uint8_t *room = buf_room(b, n, e);

	if (!room)
		return -1;
	for (size_t i = 0; i < n; i++)
		room[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, n);
	return 0;
}

int
buf_put_u8(struct buf *b, uint8_t v, struct err *e)
{
	return buf_put_le(b, v, 1, e);
}

int
buf_put_u16(struct buf *b, uint16_t v, struct err *e)
{
	return buf_put_le(b, v, 2, e);
}

int
buf_put_u32(struct buf *b, uint32_t v, struct err *e)
{
	return buf_put_le(b, v, 4, e);
}

int
buf_put_u64(struct buf *b, uint64_t v, struct err *e)
{
	return buf_put_le(b, v, 8, e);
}

int
buf_put_varint(struct buf *b, uint64_t v, struct err *e)
{
	uint8_t bytes[10];
	size_t n = 0;

	while (v >= 0x80) {
		bytes[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	return buf_put(b, bytes, n, e);
}

int
span_take(struct span *s, size_t n, const uint8_t **out, struct err *e)
{
	if (n > s->left)
		return err_set(e, ERR_PROTOCOL, "%zu bytes wanted, %zu left", n,
			       s->left);
	*out = s->at;
	s->at += n;
	s->left -= n;
	return 0;
}

int
span_get(struct span *s, void *out, size_t n, struct err *e)
{
	const uint8_t *at;

	if (span_take(s, n, &at, e) < 0)
		return -1;
	if (n > 0)
		memcpy(out, at, n);
	return 0;
}

static int
span_get_le(struct span *s, uint64_t *v, size_t n, struct err *e)
{
	const uint8_t *at;

	if (span_take(s, n, &at, e) < 0)
		return -1;
	*v = 0;
	for (size_t i = 0; i < n; i++)
		*v |= (uint64_t)at[i] << (8 * i);
	return 0;
}

int
span_get_u8(struct span *s, uint8_t *v, struct err *e)
{
	return span_get(s, v, 1, e);
}

int
span_get_u16(struct span *s, uint16_t *v, struct err *e)
{
	uint64_t w;

	if (span_get_le(s, &w, 2, e) < 0)
		return -1;
	*v = (uint16_t)w;
	return 0;
}

int
span_get_u32(struct span *s, uint32_t *v, struct err *e)
{
	uint64_t w;

	if (span_get_le(s, &w, 4, e) < 0)
		return -1;
	*v = (uint32_t)w;
	return 0;
}

int
span_get_u64(struct span *s, uint64_t *v, struct err *e)
{
	return span_get_le(s, v, 8, e);
}

int
span_get_varint(struct span *s, uint64_t *v, struct err *e)
{
	uint64_t w = 0;

	for (size_t i = 0; i < 10; i++) {
		if (i == s->left)
			return err_set(e, ERR_PROTOCOL, "number cut short");
		if (i == 9 && s->at[i] > 1)
			break;
		w |= (uint64_t)(s->at[i] & 0x7f) << (7 * i);
		if (!(s->at[i] & 0x80)) {
			s->at += i + 1;
			s->left -= i + 1;
			*v = w;
			return 0;
		}
	}
	return err_set(e, ERR_PROTOCOL, "number over 64 bits");
}
