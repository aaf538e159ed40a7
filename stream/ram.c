/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/mem.h"
#include "stream/parse-impl.h"
#include "stream/parse.h"

/* RAM sections: records up to an end mark.  A record begins with 64 bits, a
 * page's offset in its block and flags in the low 12 bits.
 */
#define FLAG_ZERO     0x002ull
#define FLAG_MEM_SIZE 0x004ull
#define FLAG_PAGE     0x008ull
#define FLAG_EOS      0x010ull
#define FLAG_CONTINUE 0x020ull
#define FLAG_XBZRLE   0x040ull
#define FLAG_HOOK     0x080ull
#define FLAG_COMPRESS 0x100ull
#define FLAG_FLUSH    0x200ull
#define FLAGS         0xfffull

/* Takes the name of the block, where the record has one, and checks that the
 * page is in its block; *known says so.  False if that needs more bytes.
 */
static bool
take_block(struct stream_parser *p, struct stream_look *l, uint64_t head,
	   struct stream_item *it, bool *known)
{
	const uint8_t *name;
	uint8_t len;

	it->continues = head & FLAG_CONTINUE;
	it->offset = head & ~FLAGS;
	it->block = p->block;
	if (!it->continues) {
		if (!look_name(l, &name, &len))
			return false;
		it->block = stream_blocks_find(p->blocks, name, len);
	}
	*known = it->block != STREAM_NO_BLOCK &&
		 it->offset < p->blocks->list[it->block].used;
	return true;
}

/* A page that QEMU compressed, or the difference to what it was before, or
 * 4096 times the same byte: passed on as it is.
 */
static bool
take_coded(struct stream_parser *p, struct stream_look *l, uint64_t head)
{
	uint32_t len = 0;
	uint16_t delta;
	uint8_t kind;

	if (head & FLAG_XBZRLE) {
		if (!look_u8(l, &kind) || !look_be16(l, &delta))
			return false;
		len = delta;
	} else if (head & FLAG_COMPRESS && !look_be32(l, &len)) {
		return false;
	}
	p->coded = true;
	return stream_skip(p, len, STATE_RAM);
}

static bool
take_page(struct stream_parser *p, struct stream_look *l, uint64_t head,
	  struct stream_item *it)
{
	uint64_t flag = head & FLAGS & ~FLAG_CONTINUE;
	struct stream_item page = *it;
	uint8_t fill = 0;
	bool known;

	if (!take_block(p, l, head, &page, &known))
		return false;
	if (!known)
		return stream_go_opaque(p, l, "a page outside of all blocks");
	if (flag == FLAG_PAGE && !(page.page = look_take(l, PAGE_BYTES)))
		return false;
	if (flag == FLAG_ZERO && !look_u8(l, &fill))
		return false;
	if (flag == FLAG_PAGE || (flag == FLAG_ZERO && fill == 0)) {
		page.kind = flag == FLAG_PAGE ? STREAM_PAGE : STREAM_ZERO;
		*it = page;
	} else if (!take_coded(p, l, head)) {
		return false;
	}
	p->block = page.block;
	return true;
}

/* The list of blocks: their lengths add up to the page offset of the record.
 */
static bool
begin_blocks(struct stream_parser *p, struct stream_look *l, uint64_t head)
{
	if (p->blocks_listed || head <= FLAGS)
		return stream_go_opaque(p, l, "an unknown list of RAM blocks");
	p->blocks_listed = true;
	p->blocks_left = head & ~FLAGS;
	p->state = STATE_BLOCKS;
	return true;
}

bool
stream_step_ram(struct stream_parser *p, struct stream_look *l,
		struct stream_item *it)
{
	uint64_t head;

	if (!look_be64(l, &head))
		return false;
	switch (head & FLAGS) {
	case FLAG_PAGE:
	case FLAG_PAGE | FLAG_CONTINUE:
	case FLAG_ZERO:
	case FLAG_ZERO | FLAG_CONTINUE:
	case FLAG_XBZRLE:
	case FLAG_XBZRLE | FLAG_CONTINUE:
	case FLAG_COMPRESS:
	case FLAG_COMPRESS | FLAG_CONTINUE:
		return take_page(p, l, head, it);
	case FLAG_MEM_SIZE:
		return begin_blocks(p, l, head);
	case FLAG_EOS:
		p->state = STATE_FOOTER;
		return true;
	case FLAG_FLUSH:
		return true;
	case FLAG_HOOK:
		return stream_go_opaque(p, l, "RDMA");
	default:
		return stream_go_opaque(p, l, "an unknown RAM record");
	}
}

bool
stream_cut_page(struct stream_parser *p, struct stream_look *l)
{
	struct stream_item page;
	uint64_t head, left;
	bool known;

	l->at = 0;
	if (p->state == STATE_PAGES)
		return stream_cut_bare(p, l);
	if (p->state != STATE_RAM || !look_be64(l, &head) ||
	    (head & FLAGS & ~FLAG_CONTINUE) != FLAG_PAGE ||
	    !take_block(p, l, head, &page, &known) || !known)
		return false;
	p->block = page.block;
	left = l->at + PAGE_BYTES - l->n;
	l->at = l->n;
	return stream_skip(p, left, STATE_RAM);
}

/* What may follow a block's length.  Its page size is there only under
 * postcopy and where that is not the host's; the command ADVISE has told which
 * sizes there are, and what else may follow has no 8 bytes of that value: an
 * end mark, or the length of a name, which is not 0.
 */
static bool
take_extras(struct stream_parser *p, struct stream_look *l)
{
	uint64_t large = p->page_sizes & ~(uint64_t)PAGE_BYTES, value;

	if (large && p->postcopy_advised) {
		if (!look_be64(l, &value))
			return false;
		if (value <= PAGE_BYTES || (value & (value - 1)) != 0 ||
		    !(value & large))
			l->at -= sizeof(value);
	}
	/* where the block is in the guest */
	return !p->ignore_shared || look_be64(l, &value);
}

bool
stream_step_blocks(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	const uint8_t *name;
	uint64_t used;
	uint8_t len;
	struct err e;

	(void)it;
	if (!look_name(l, &name, &len) || !look_be64(l, &used) ||
	    !take_extras(p, l))
		return false;
	if (used > p->blocks_left || used % PAGE_BYTES != 0 ||
	    stream_blocks_add(p->blocks, name, len, used, &e) < 0)
		return stream_go_opaque(p, l, "an unknown list of RAM blocks");
	p->blocks_left -= used;
	if (p->blocks_left == 0)
		p->state = STATE_RAM;
	return true;
}

bool
stream_has_blocks(const struct stream_parser *p)
{
	return p->blocks_listed && p->blocks_left == 0;
}

size_t
stream_put_head(const struct stream_blocks *blocks, enum stream_item_kind kind,
		uint32_t block, uint64_t offset, bool continues,
		uint8_t out[STREAM_HEAD_MAX])
{
	const struct stream_block *b = &blocks->list[block];
	uint64_t head = offset | (kind == STREAM_ZERO ? FLAG_ZERO : FLAG_PAGE) |
			(continues ? FLAG_CONTINUE : 0);
	size_t n = sizeof(head);

	head = htobe64(head);
	memcpy(out, &head, n);
	if (!continues) {
		out[n++] = b->name_len;
		memcpy(out + n, b->name, b->name_len);
		n += b->name_len;
	}
	if (kind == STREAM_ZERO)
		out[n++] = 0;
	return n;
}
