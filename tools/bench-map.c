/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"
#include "tools/bench-map.h"

/* The plan that most of the pages first .. first+n-1 had; of two that are
 * level the later code, which costs more.
 */
static uint8_t
most_common(const uint8_t *plan, uint64_t n)
{
	uint64_t count[PLAN__MAX] = { 0 };
	uint8_t best = 0;

	for (uint64_t i = 0; i < n; i++)
		if (plan[i] < PLAN__MAX)
			count[plan[i]]++;
	for (uint8_t p = 1; p < PLAN__MAX; p++)
		if (count[p] >= count[best])
			best = p;
	return best;
}

int
bench_map_init(struct bench_map *m, const struct bench_tier *t, struct err *e)
{
	uint64_t ncells, per;
	size_t all;

	per = (t->npages + BENCH_MAP_CELLS - 1) / BENCH_MAP_CELLS;
	per = MAX(per, 1u);
	ncells = (t->npages + per - 1) / per;
	*m = (struct bench_map){ .cell_pages = per, .width = 1 };
	/* Twice as wide as high, or a little more. */
	while (m->width < 512 && (uint64_t)m->width * m->width < 2 * ncells)
		m->width *= 2;
	m->height = (unsigned)((ncells + m->width - 1) / m->width);
	all = (size_t)m->width * m->height;
	m->cells = malloc(MAX(all, 1u));
	if (!m->cells)
		return err_sys(e, "map of memory");
	memset(m->cells, PLAN__MAX, all);
	for (uint64_t i = 0; i < ncells; i++)
		m->cells[i] = most_common(t->plan + i * per,
					  MIN(per, t->npages - i * per));
	return 0;
}

void
bench_map_fini(struct bench_map *m)
{
	free(m->cells);
	m->cells = NULL;
}

/* PNG: a signature, then chunks of length, type, bytes, CRC; big-endian. */
static int
put_be32(struct buf *out, uint32_t v, struct err *e)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
			 (uint8_t)(v >> 8), (uint8_t)v };

	return buf_put(out, b, sizeof(b), e);
}

static int
put_chunk(struct buf *out, const char *type, const uint8_t *bytes, size_t n,
	  struct err *e)
{
	uLong crc;

	if (put_be32(out, (uint32_t)n, e) != 0 ||
	    buf_put(out, type, 4, e) != 0 || buf_put(out, bytes, n, e) != 0)
		return -1;
	crc = crc32(0, out->data + out->len - n - 4, (uInt)(n + 4));
	return put_be32(out, (uint32_t)crc, e);
}

/* Eight bits a pixel, colours by palette, every row unfiltered. */
static int
put_pixels(const struct bench_map *m, struct buf *out, struct err *e)
{
	size_t stride = (size_t)m->width + 1, len = stride * m->height;
	uLongf packed_len = compressBound(len);
	auto_free uint8_t *rows = calloc(1, MAX(len, 1u));
	auto_free uint8_t *packed = malloc(packed_len);

	if (!rows || !packed)
		return err_sys(e, "map of memory");
	for (unsigned y = 0; y < m->height; y++)
		memcpy(rows + y * stride + 1, m->cells + (size_t)y * m->width,
		       m->width);
	if (compress2(packed, &packed_len, rows, len, 9) != Z_OK)
		return err_set(e, ERR_SYSTEM, "no memory for the map");
	return put_chunk(out, "IDAT", packed, packed_len, e);
}

int
bench_map_png(const struct bench_map *m, const uint32_t colours[PLAN__MAX],
	      struct buf *out, struct err *e)
{
	static const uint8_t signature[] = { 0x89, 'P',  'N',  'G',
					     '\r', '\n', 0x1a, '\n' };
	uint8_t head[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0 };
	uint8_t palette[3 * (PLAN__MAX + 1)] = { 0 };
	uint8_t alpha[PLAN__MAX + 1] = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		head[i] = (uint8_t)(m->width >> (24 - 8 * i));
		head[4 + i] = (uint8_t)(m->height >> (24 - 8 * i));
	}
	for (unsigned p = 0; p < PLAN__MAX; p++) {
		palette[3 * p] = (uint8_t)(colours[p] >> 16);
		palette[3 * p + 1] = (uint8_t)(colours[p] >> 8);
		palette[3 * p + 2] = (uint8_t)colours[p];
		alpha[p] = colours[p] ? 255 : 0;
	}
	if (buf_put(out, signature, sizeof(signature), e) != 0 ||
	    put_chunk(out, "IHDR", head, sizeof(head), e) != 0 ||
	    put_chunk(out, "PLTE", palette, sizeof(palette), e) != 0 ||
	    put_chunk(out, "tRNS", alpha, sizeof(alpha), e) != 0 ||
	    put_pixels(m, out, e) != 0)
		return -1;
	return put_chunk(out, "IEND", signature, 0, e);
}
