/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream/parse-impl.h"
#include "stream/parse.h"

/* A channel of multifd: 64 bytes that say which, then packets.  A packet is a
 * head, a name of a block and room for 128 offsets; the pages at the first of
 * them follow.  Those at the next offsets are zero (QEMU 9 and later) and need
 * no bytes.  A packet that says that it has room for none (QEMU 10) has it all
 * the same.
 */
#define PACKET_MAGIC   0x11223344u
#define PACKET_VERSION 1
#define INIT_REST      (16 + 1 + 39) /* uuid, number, unused */
#define BLOCK_NAME     256
#define FLAG_SYNC      0x01u
#define FLAGS_CODED    0x3eu /* which compression */
#define FLAG_DEVICE    0x40u /* not pages, but state of a device */

bool
stream_begin_multifd(struct stream_parser *p, struct stream_look *l,
		     struct stream_item *it)
{
	uint32_t version;

	(void)it;
	if (!look_be32(l, &version) || !look_take(l, INIT_REST))
		return false;
	p->role = STREAM_MULTIFD;
	if (version != PACKET_VERSION)
		return stream_go_opaque(p, l, "another version of multifd");
	p->state = STATE_PACKET;
	return true;
}

struct head {
	uint32_t magic, version, flags, room, npages, size, nzeros;
	uint64_t number;
};

static bool
take_head(struct stream_look *l, struct head *h)
{
	return look_be32(l, &h->magic) && look_be32(l, &h->version) &&
	       look_be32(l, &h->flags) && look_be32(l, &h->room) &&
	       look_be32(l, &h->npages) && look_be32(l, &h->size) &&
	       look_be64(l, &h->number) && look_be32(l, &h->nzeros) &&
	       look_take(l, 28);
}

static const char *
head_problem(const struct head *h, bool *coded)
{
	if (h->magic != PACKET_MAGIC || h->version != PACKET_VERSION)
		return "an unknown packet of multifd";
	if (h->flags & FLAG_DEVICE)
		return "state of devices in multifd";
	*coded = h->flags & FLAGS_CODED;
	if (*coded)
		return "pages compressed by QEMU (multifd-compression)";
	if (h->flags & ~FLAG_SYNC || h->npages > h->room ||
	    (h->room != 0 && h->room != STREAM_PACKET_PAGES))
		return "an unknown packet of multifd";
	return NULL;
}

/* The block's name ends with a NUL. */
static uint32_t
find_block(const struct stream_parser *p, const uint8_t *name)
{
	size_t len = strnlen((const char *)name, BLOCK_NAME);

	return len < BLOCK_NAME
		       ? stream_blocks_find(p->blocks, name, (uint8_t)len)
		       : STREAM_NO_BLOCK;
}

bool
stream_step_packet(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	const uint8_t *name, *offsets;
	const char *problem;
	struct head h;

	(void)it;
	if (!take_head(l, &h))
		return false;
	problem = head_problem(&h, &p->coded);
	if (problem)
		return stream_go_opaque(p, l, problem);
	name = look_take(l, BLOCK_NAME);
	if (!name)
		return false;
	offsets = look_take(l, sizeof(p->pages));
	if (!offsets)
		return false;
	for (uint32_t i = 0; i < h.npages; i++)
		p->pages[i] = load_be64(offsets + i * sizeof(*p->pages));
	p->block = find_block(p, name);
	p->npages = h.npages;
	p->next_page = 0;
	if (h.npages > 0)
		p->state = STATE_PAGES;
	return true;
}

static enum stream_state
after_page(struct stream_parser *p)
{
	return ++p->next_page == p->npages ? STATE_PACKET : STATE_PAGES;
}

bool
stream_step_pages(struct stream_parser *p, struct stream_look *l,
		  struct stream_item *it)
{
	const uint8_t *page = look_take(l, PAGE_BYTES);
	uint64_t offset = p->pages[p->next_page];

	if (!page)
		return false;
	it->kind = STREAM_BARE;
	it->page = page;
	if (p->block != STREAM_NO_BLOCK && offset % PAGE_BYTES == 0 &&
	    offset < p->blocks->list[p->block].used) {
		it->block = p->block;
		it->offset = offset;
	}
	p->state = (uint8_t)after_page(p);
	return true;
}

bool
stream_cut_bare(struct stream_parser *p, struct stream_look *l)
{
	l->at = l->n;
	return stream_skip(p, PAGE_BYTES - l->n, after_page(p));
}
