/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "wire/frame.h"

/* A frame begins with: first page, first opaque byte, pages, opaque bytes
 * (varints), digest, which streams follow (u16).  Then codec (u8), length unpacked and length
 * coded (varints) of each stream, then the coded bytes of each.
 */
#define FRAME_HEAD_MAX   (4 * 10 + DIGEST_BYTES + 2)
#define FRAME_STREAM_TOP (1 + 5 + 5)

size_t
frame_stream_max(enum plan_stream s, uint32_t npages, uint32_t nbytes)
{
	static const size_t per_page[STREAM__MAX] = {
		/* a run of one: its code, and opaque bytes before it */
		[STREAM_PLAN] = 8,
		[STREAM_RUN] = 3,
		[STREAM_JUMP] = 11,
		[STREAM_FILL] = 8,
		[STREAM_MOVE] = 1 + PLAN_MOVES_MAX * 9,
		[STREAM_SLOT] = PAGE_WORDS,
		[STREAM_MASK] = PAGE_WORDS / 8,
		[STREAM_WORD] = PLAN_DELTA_MAX * 8,
		[STREAM_COPY] = 1 + PLAN_COPIES_MAX * 4,
		[STREAM_FROM] = PLAN_COPIES_MAX * 13,
		[STREAM_DATA] = PAGE_BYTES,
		[STREAM_GAP] = 0,
		[STREAM_PLACE] = 11,
	};
	size_t max = per_page[s] * npages;

	if (s == STREAM_GAP)
		max = nbytes;
	if (s == STREAM_PLAN)
		max += 8;
	return MIN(max, (size_t)PLAN_STREAM_MAX);
}

size_t
frame_bound(const struct frame *f)
{
	size_t n = FRAME_HEAD_MAX;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (f->streams[i].raw_len > 0)
			n += FRAME_STREAM_TOP + f->streams[i].coded_len;
	return n;
}

static int
frame_put_stream_top(struct buf *out, const struct frame_stream *s,
		     struct err *e)
{
	if (buf_put_u8(out, s->codec, e) < 0 ||
	    buf_put_varint(out, s->raw_len, e) < 0)
		return -1;
	return buf_put_varint(out, s->coded_len, e);
}

int
frame_put(struct buf *out, const struct frame *f, struct err *e)
{
	uint16_t present = 0;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (f->streams[i].raw_len > 0)
			present |= (uint16_t)(1u << i);
	if (buf_put_varint(out, f->first_page, e) < 0 ||
	    buf_put_varint(out, f->first_byte, e) < 0 ||
	    buf_put_varint(out, f->npages, e) < 0 ||
	    buf_put_varint(out, f->nbytes, e) < 0 ||
	    buf_put(out, f->digest.b, DIGEST_BYTES, e) < 0 ||
	    buf_put_u16(out, present, e) < 0)
		return -1;
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if ((present >> i & 1) &&
		    frame_put_stream_top(out, &f->streams[i], e) < 0)
			return -1;
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if ((present >> i & 1) &&
		    buf_put(out, f->streams[i].coded, f->streams[i].coded_len,
			    e) < 0)
			return -1;
	return 0;
}

static int
frame_get_head(struct span *in, struct frame *f, uint16_t *present,
	       struct err *e)
{
	uint64_t npages, nbytes;

	if (span_get_varint(in, &f->first_page, e) < 0 ||
	    span_get_varint(in, &f->first_byte, e) < 0 ||
	    span_get_varint(in, &npages, e) < 0 ||
	    span_get_varint(in, &nbytes, e) < 0 ||
	    span_get(in, f->digest.b, DIGEST_BYTES, e) < 0 ||
	    span_get_u16(in, present, e) < 0)
		return -1;
	if (npages > FRAME_PAGES_MAX || nbytes > FRAME_BYTES_MAX ||
	    f->first_page > UINT64_MAX / PAGE_BYTES - npages ||
	    f->first_byte > UINT64_MAX - nbytes)
		return err_set(e, ERR_PROTOCOL,
			       "frame of %llu pages, %llu bytes at page %llu",
			       (unsigned long long)npages,
			       (unsigned long long)nbytes,
			       (unsigned long long)f->first_page);
	if (*present >> STREAM__MAX)
		return err_set(e, ERR_PROTOCOL, "unknown stream in frame");
	f->npages = (uint32_t)npages;
	f->nbytes = (uint32_t)nbytes;
	return 0;
}

static int
frame_get_stream_top(struct span *in, struct frame *f, unsigned i,
		     struct err *e)
{
	uint64_t raw, coded;
	struct frame_stream *s = &f->streams[i];

	if (span_get_u8(in, &s->codec, e) < 0 ||
	    span_get_varint(in, &raw, e) < 0 ||
	    span_get_varint(in, &coded, e) < 0)
		return -1;
	if (raw == 0 || coded == 0 || coded > raw ||
	    raw > frame_stream_max(i, f->npages, f->nbytes))
		return err_set(e, ERR_PROTOCOL,
			       "stream %s of %llu bytes coded as %llu",
			       plan_stream_name(i), (unsigned long long)raw,
			       (unsigned long long)coded);
	s->raw_len = (uint32_t)raw;
	s->coded_len = (uint32_t)coded;
	return 0;
}

int
frame_get(struct span in, struct frame *f, struct err *e)
{
	uint16_t present;
	size_t raw = 0;

	memset(f, 0, sizeof(*f));
	if (frame_get_head(&in, f, &present, e) < 0)
		return -1;
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		if (!(present >> i & 1))
			continue;
		if (frame_get_stream_top(&in, f, i, e) < 0)
			return -1;
		raw += f->streams[i].raw_len;
	}
	if (raw > FRAME_RAW_MAX)
		return err_set(e, ERR_PROTOCOL, "frame of %zu bytes unpacked",
			       raw);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if ((present >> i & 1) &&
		    span_take(&in, f->streams[i].coded_len,
			      &f->streams[i].coded, e) < 0)
			return -1;
	if (in.left > 0)
		return err_set(e, ERR_PROTOCOL, "%zu bytes after a frame",
			       in.left);
	return 0;
}

static void
frame_digest_le(uint8_t *out, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * i));
}

int
frame_digest_init(struct frame_digest *d, uint64_t first_page,
		  uint64_t first_byte, struct err *e)
{
	frame_digest_le(d->items, first_page, 8);
	frame_digest_le(d->items + 8, first_byte, 8);
	d->len = 16;
	return digest_stream_init(&d->sha, e);
}

static int
frame_digest_flush(struct frame_digest *d, struct err *e)
{
	size_t len = d->len;

	d->len = 0;
	return digest_stream_update(&d->sha, d->items, len, e);
}

/* Items are small; libcrypto gets them in pieces worth its overhead. */
static int
frame_digest_item(struct frame_digest *d, uint8_t kind, const void *bytes,
		  size_t n, struct err *e)
{
	if (d->len + 1 + n > sizeof(d->items) && frame_digest_flush(d, e) < 0)
		return -1;
	d->items[d->len++] = kind;
	memcpy(d->items + d->len, bytes, n);
	d->len += n;
	return 0;
}

int
frame_digest_fill(struct frame_digest *d, uint64_t value, struct err *e)
{
	uint8_t le[8];

	frame_digest_le(le, value, 8);
	return frame_digest_item(d, 0, le, 8, e);
}

int
frame_digest_page(struct frame_digest *d, const struct fingerprint *fp,
		  struct err *e)
{
	return frame_digest_item(d, 1, fp->b, FINGERPRINT_BYTES, e);
}

int
frame_digest_bytes(struct frame_digest *d, const uint8_t *bytes, uint32_t n,
		   struct err *e)
{
	uint8_t le[4];

	frame_digest_le(le, n, 4);
	if (frame_digest_item(d, 2, le, 4, e) < 0 ||
	    frame_digest_flush(d, e) < 0)
		return -1;
	return digest_stream_update(&d->sha, bytes, n, e);
}

int
frame_digest_head(struct frame_digest *d, uint64_t number, const uint8_t *head,
		  size_t n, struct err *e)
{
	uint8_t item[8 + FRAME_HEAD_BYTES_MAX];

	assert(n <= FRAME_HEAD_BYTES_MAX);
	frame_digest_le(item, number, 8);
	memcpy(item + 8, head, n);
	return frame_digest_item(d, 3, item, 8 + n, e);
}

int
frame_digest_final(struct frame_digest *d, struct digest *out, struct err *e)
{
	if (frame_digest_flush(d, e) < 0)
		return -1;
	return digest_stream_final(&d->sha, out, e);
}

void
frame_digest_fini(struct frame_digest *d)
{
	digest_stream_fini(&d->sha);
}
