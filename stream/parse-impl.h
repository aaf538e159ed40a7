/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PARSE_IMPL_H
#define MIG_PARSE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/load.h"

struct stream_parser;
struct stream_item;

/* Where a parser stands, and so what it expects next. */
enum stream_state {
	STATE_MAGIC,   /* the first four bytes of a connection */
	STATE_RECORD,  /* main channel: a command, a section, the end */
	STATE_CONFIG,  /* after the machine's name: a subsection, if any */
	STATE_BLOCKS,  /* the next of the list of RAM blocks */
	STATE_RAM,     /* the next record of a RAM section */
	STATE_BITMAP,  /* the next chunk of a dirty-bitmap section */
	STATE_FOOTER,  /* the mark after a section */
	STATE_DEVICES, /* device state; it does not say how long it is */
	STATE_EOF,     /* QEMU_VM_EOF and what follows */
	STATE_PACKET,  /* multifd: the head of the next packet */
	STATE_PAGES,   /* multifd: the pages of a packet */
	STATE_SKIP,    /* p->skip more bytes, then p->then */
	STATE_OPAQUE,  /* all the rest */
};

/* A look at the input.  Taking more than there is notes how much that would
 * be: what must be there before the same look can go further.
 */
struct stream_look {
	const uint8_t *in;
	size_t n, at;
};

static inline const uint8_t *
look_take(struct stream_look *l, size_t len)
{
	const uint8_t *here = l->in + l->at;

	l->at += len;
	return l->at <= l->n ? here : NULL;
}

static inline bool
look_u8(struct stream_look *l, uint8_t *v)
{
	const uint8_t *b = look_take(l, 1);

	if (b)
		*v = *b;
	return b;
}

static inline bool
look_be16(struct stream_look *l, uint16_t *v)
{
	const uint8_t *b = look_take(l, sizeof(*v));

	if (b)
		*v = load_be16(b);
	return b;
}

static inline bool
look_be32(struct stream_look *l, uint32_t *v)
{
	const uint8_t *b = look_take(l, sizeof(*v));

	if (b)
		*v = load_be32(b);
	return b;
}

static inline bool
look_be64(struct stream_look *l, uint64_t *v)
{
	const uint8_t *b = look_take(l, sizeof(*v));

	if (b)
		*v = load_be64(b);
	return b;
}

/* A name with its length before it. */
static inline bool
look_name(struct stream_look *l, const uint8_t **name, uint8_t *len)
{
	return look_u8(l, len) && (*name = look_take(l, *len));
}

/* A step takes the next item: its bytes are those up to l->at, a STREAM_BYTES
 * unless the step says otherwise.  False, and nothing has changed but l, when
 * more than the l->n bytes are needed, l->at of them.
 */
typedef bool stream_step(struct stream_parser *p, struct stream_look *l,
			 struct stream_item *it);

stream_step stream_step_record, stream_step_config, stream_step_footer,
	stream_step_bitmap, stream_step_devices, stream_step_blocks,
	stream_step_ram, stream_step_packet, stream_step_pages;
/* The beginnings of the two kinds of channel. */
stream_step stream_begin_main, stream_begin_multifd;

/* The input may end here: the footer of the last device and QEMU_VM_EOF are
 * there, and the description that QEMU puts after them is not, or not all of
 * it.  If so, takes the footer.
 */
bool stream_devices_end(struct stream_parser *p, struct stream_look *l)
	__attribute__((nonnull));

/* The input stops inside of a page: takes what there is, and goes on behind the
 * page.  False, and nothing has changed, if it stops inside of something else.
 */
bool stream_cut_page(struct stream_parser *p, struct stream_look *l)
	__attribute__((nonnull));
/* The same of a page of multifd, where the parser is at one. */
bool stream_cut_bare(struct stream_parser *p, struct stream_look *l)
	__attribute__((nonnull));

/* Ends the item with all there is; so do all items from here on. */
bool stream_go_opaque(struct stream_parser *p, struct stream_look *l,
		      const char *why) __attribute__((nonnull));
/* Goes on in 'then' after this item and len bytes more. */
bool stream_skip(struct stream_parser *p, uint64_t len, enum stream_state then)
	__attribute__((nonnull));

#endif
