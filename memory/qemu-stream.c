/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"
#include "memory/qemu-stream.h"

/* What 'migrate exec:cat >FILE' writes, and what a libvirt save file holds. */
#define GIB         (1ull << 30)
#define DEVICES_END 0xfec00000ull /* of the addresses of PCI devices */
#define OPAQUE_MAX  (64u << 20)

void
qemu_stream_init(struct qemu_stream *q)
{
	*q = (struct qemu_stream){ .memory.fd = -1 };
	stream_blocks_init(&q->blocks);
	stream_parser_init(&q->parser, &q->blocks);
	buf_init(&q->held, STREAM_WANT_MAX);
	buf_init(&q->opaque, OPAQUE_MAX);
}

void
qemu_stream_fini(struct qemu_stream *q)
{
	stream_blocks_fini(&q->blocks);
	decoded_close(&q->memory);
	buf_fini(&q->held);
	buf_fini(&q->opaque);
	free(q->first_page);
}

/* The first page has come, so all blocks are listed: makes room for them. */
static int
make_room(struct qemu_stream *q, struct err *e)
{
	uint64_t npages = 0;

	q->first_page = calloc(q->blocks.n, sizeof(*q->first_page));
	if (!q->first_page)
		return err_sys(e, "a list of %u blocks", q->blocks.n);
	for (uint32_t i = 0; i < q->blocks.n; i++) {
		q->first_page[i] = npages;
		npages += q->blocks.list[i].used >> PAGE_SHIFT;
	}
	return decoded_open(&q->memory, npages, e);
}

static int
take_page(struct qemu_stream *q, const struct stream_item *it, struct err *e)
{
	uint64_t n;

	if (!q->first_page && make_room(q, e) < 0)
		return -1;
	n = q->first_page[it->block] + (it->offset >> PAGE_SHIFT);
	return it->page ? decoded_put(&q->memory, n, it->page, e)
			: decoded_put_zero(&q->memory, n, e);
}

static int
take_item(struct qemu_stream *q, const struct stream_item *it, struct err *e)
{
	if (q->parser.opaque || q->parser.role != STREAM_MAIN)
		return err_set(e, ERR_USAGE,
			       "not supported, from offset 0x%" PRIx64
			       " of the stream on: %s (section '%s')",
			       q->fed,
			       q->parser.opaque ? q->parser.opaque : "multifd",
			       q->parser.section);
	if (q->parser.coded)
		return err_set(e, ERR_USAGE,
			       "pages that QEMU compressed (xbzrle, compress); "
			       "not supported");
	q->fed += it->len;
	if (it->kind == STREAM_PAGE || it->kind == STREAM_ZERO)
		return take_page(q, it, e);
	q->ended |= it->kind == STREAM_EOF;
	return buf_put(&q->opaque, it->bytes, it->len, e);
}

/* Completes the item that is held; *used says with how many bytes. */
static int
feed_held(struct qemu_stream *q, const uint8_t *bytes, size_t n, size_t *used,
	  struct err *e)
{
	struct stream_item it;
	size_t want;

	*used = 0;
	while (q->held.len > 0) {
		if (stream_next(&q->parser, q->held.data, q->held.len, &it,
				&want)) {
			if (take_item(q, &it, e) < 0)
				return -1;
			q->held.len -= it.len;
			memmove(q->held.data, q->held.data + it.len,
				q->held.len);
			continue;
		}
		want = MIN(want - q->held.len, n - *used);
		if (want == 0)
			break;
		if (buf_put(&q->held, bytes + *used, want, e) < 0)
			return -1;
		*used += want;
	}
	return 0;
}

int
qemu_stream_feed(struct qemu_stream *q, const uint8_t *bytes, size_t n,
		 struct err *e)
{
	struct stream_item it;
	size_t at, want;

	if (feed_held(q, bytes, n, &at, e) < 0)
		return -1;
	if (q->held.len > 0)
		return 0;
	while (stream_next(&q->parser, bytes + at, n - at, &it, &want)) {
		if (take_item(q, &it, e) < 0)
			return -1;
		at += it.len;
	}
	return at < n ? buf_put(&q->held, bytes + at, n - at, e) : 0;
}

/* ---- where the blocks are in the guest ---- */

/* The machine's own memory: "pc.ram", or the memory of its NUMA nodes one
 * after the other, or the block that QEMU lists first, the largest.
 */
static bool
is_main(const struct stream_blocks *b, uint32_t i, bool pc_ram, bool nodes)
{
	if (pc_ram)
		return strcmp(b->list[i].name, "pc.ram") == 0;
	return nodes ? strstr(b->list[i].name, "ram-node") != NULL : i == 0;
}

static uint64_t
sum_blocks(const struct stream_blocks *b, const bool *is, bool want)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < b->n; i++)
		sum += is[i] == want ? b->list[i].used : 0;
	return sum;
}

/* The guest's addresses of blocks that are not main memory are not in the
 * stream.  They get some that are free: below 4 GiB, where PCI devices are,
 * or else above all memory.
 */
static uint64_t
devices_at(uint64_t low, uint64_t high_end, uint64_t len)
{
	return len <= DEVICES_END - low ? DEVICES_END - len : high_end;
}

static size_t
place_main(struct memory_region *r, uint64_t *at, uint64_t low, uint64_t offset,
	   uint64_t len)
{
	uint64_t below = *at < low ? MIN(len, low - *at) : 0;
	size_t n = 0;

	if (below > 0)
		r[n++] = (struct memory_region){ *at, offset, below };
	if (below < len)
		r[n++] = (struct memory_region){ *at + below - low + 4 * GIB,
						 offset + below, len - below };
	*at += len;
	return n;
}

/* Fills r, of two regions for each block. */
static size_t
place_blocks(const struct qemu_stream *q, const bool *is_ram,
	     struct memory_region *r)
{
	uint64_t len = sum_blocks(&q->blocks, is_ram, true);
	uint64_t low = memory_low_end(strstr(q->parser.machine, "q35"), len);
	uint64_t other = devices_at(low, len - low + 4 * GIB,
				    sum_blocks(&q->blocks, is_ram, false));
	uint64_t at = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < q->blocks.n; i++) {
		uint64_t offset = q->first_page[i] << PAGE_SHIFT;
		uint64_t used = q->blocks.list[i].used;

		if (is_ram[i]) {
			n += place_main(r + n, &at, low, offset, used);
			continue;
		}
		r[n++] = (struct memory_region){ other, offset, used };
		other += used;
	}
	return n;
}

static int
lay_out_blocks(struct qemu_stream *q, struct memory *m, struct err *e)
{
	const struct stream_blocks *b = &q->blocks;
	auto_free bool *is_ram = calloc(b->n, sizeof(*is_ram));
	auto_free struct memory_region *r = calloc(2ul * b->n, sizeof(*r));
	bool pc_ram = stream_blocks_find(b, "pc.ram", 6) != STREAM_NO_BLOCK;
	bool nodes = false;

	if (!is_ram || !r)
		return err_sys(e, "a list of %u blocks", b->n);
	for (uint32_t i = 0; i < b->n; i++)
		nodes |= strstr(b->list[i].name, "ram-node") != NULL;
	for (uint32_t i = 0; i < b->n; i++)
		is_ram[i] = is_main(b, i, pc_ram, nodes);
	return decoded_lay_out(&q->memory,
			       span_of(q->opaque.data, q->opaque.len), m, r,
			       place_blocks(q, is_ram, r), e);
}

int
qemu_stream_lay_out(struct qemu_stream *q, struct memory *m, struct err *e)
{
	struct stream_item it;

	while (stream_last(&q->parser, q->held.data, q->held.len, &it)) {
		if (q->parser.opaque || q->parser.role == STREAM_NEW)
			break;
		if (take_item(q, &it, e) < 0)
			return -1;
		q->held.len -= it.len;
		memmove(q->held.data, q->held.data + it.len, q->held.len);
	}
	if (!q->ended)
		return err_set(e, ERR_CORRUPT,
			       "a migration stream that is cut off at offset "
			       "0x%" PRIx64,
			       q->fed);
	if (!q->first_page)
		return err_set(e, ERR_USAGE,
			       "a migration stream without the guest's memory");
	return lay_out_blocks(q, m, e);
}

/* ---- the file ---- */

static bool
stream_is(const struct map *map)
{
	return map->len >= 4 && memcmp(map->data, "QEVM", 4) == 0;
}

static int
stream_lay_out(struct memory *m, struct err *e)
{
	struct qemu_stream q;
	int ret;

	qemu_stream_init(&q);
	ret = qemu_stream_feed(&q, m->map.data, m->map.len, e);
	if (ret == 0)
		ret = qemu_stream_lay_out(&q, m, e);
	qemu_stream_fini(&q);
	return ret;
}

const struct memory_format memory_qemu_stream = {
	.name = "qemu stream",
	.decodes = true,
	.is = stream_is,
	.lay_out = stream_lay_out,
};
