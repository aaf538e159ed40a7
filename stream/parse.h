/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PARSE_H
#define MIG_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/page.h"
#include "stream/blocks.h"

/* QEMU's migration stream (7.2 to 11), cut into items without any I/O.
 *
 * Whatever comes in, the bytes of the items, one after the other, are the
 * bytes that came in.  The parser never fails: from the first thing on that
 * it does not know, all of the connection is STREAM_BYTES.  One connection,
 * one parser; the parsers of one migration share its table of RAM blocks,
 * and so one thread.
 */
enum stream_item_kind {
	STREAM_BYTES, /* pass on as they are: headers, commands, marks, state */
	STREAM_PAGE,  /* a RAM record: a head, then 4096 bytes */
	STREAM_ZERO,  /* a RAM record of a zero page: a head, then 0x00 */
	STREAM_BARE,  /* multifd: 4096 bytes, no head of their own */
	STREAM_EOF,   /* QEMU_VM_EOF and all after it: when the destination
			 reads its first byte, it has the guest */
};

struct stream_item {
	enum stream_item_kind kind;
	const uint8_t *bytes; /* as it stands in the stream, */
	size_t len;           /* all of it */
	/* Nothing is incomplete after this item: QEMU may wait for what its
	 * bytes bring about.
	 */
	bool section_end;
	/* The rest for pages only. */
	bool continues;      /* the head names no block: the one of before */
	uint32_t block;      /* in the table; STREAM_NO_BLOCK for a STREAM_BARE
				whose block the main channel has not listed */
	uint64_t offset;     /* in the block, a multiple of 4096 */
	const uint8_t *page; /* 4096 bytes, of STREAM_PAGE and STREAM_BARE */
};

/* What a connection is: found out from its first four bytes. */
enum stream_role {
	STREAM_NEW,     /* not yet known */
	STREAM_MAIN,    /* the main channel: "QEVM" */
	STREAM_MULTIFD, /* one of the channels of multifd */
	STREAM_OPAQUE,  /* neither, so opaque from the beginning */
};

#define STREAM_HEAD_MAX (8 + 1 + 255 + 1)
/* More than this many bytes stream_next() never waits for. */
#define STREAM_WANT_MAX (8 + 1 + 255 + PAGE_BYTES)
/* Offsets in one packet of multifd. */
#define STREAM_PACKET_PAGES 128

struct stream_parser {
	struct stream_blocks *blocks;
	enum stream_role role;
	/* Why the rest is opaque: "memory compressed by QEMU", ...; NULL while
	 * it is not.  A text of the parser's own.
	 */
	const char *opaque;
	/* What the main channel has said so far. */
	bool postcopy_advised; /* it may turn into a postcopy migration */
	bool postcopy;         /* it did: the guest runs at the destination as
				  soon as that has these bytes */
	bool ram_ended;        /* no pages any more */
	bool coded;            /* QEMU hides pages: it encrypts or compresses
				  them, or sends differences ("xbzrle") */
	char machine[256];     /* "pc-q35-7.2", ... */
	char section[256];     /* name of the section that began last, with '?'
				  for what is not printable */

	/* How far it is: for the parser only. */
	uint8_t state, then;
	bool blocks_listed, ram_ends, ignore_shared;
	uint32_t section_id, ram_id, bitmap_id, block;
	uint64_t skip, page_sizes, blocks_left;
	uint32_t npages, next_page;
	uint64_t pages[STREAM_PACKET_PAGES];
	uint32_t nheld; /* bytes of a record that were passed on already */
	uint8_t held[STREAM_WANT_MAX];
};

/* A parser for a new connection of the migration whose table is 'blocks',
 * which outlives it.
 */
void stream_parser_init(struct stream_parser *p, struct stream_blocks *blocks)
	__attribute__((nonnull));

/* The next item in the n bytes at 'in', which begin right after the last item:
 * 1 and *it.  Or 0: nothing can be said before there are *want bytes in all,
 * n < *want <= STREAM_WANT_MAX.  How the input comes in pieces makes no
 * difference but to where STREAM_BYTES and STREAM_EOF are cut.
 */
int stream_next(struct stream_parser *p, const uint8_t *in, size_t n,
		struct stream_item *it, size_t *want)
	__attribute__((nonnull(1, 4, 5), warn_unused_result));

/* As stream_next() where no more bytes will come for a while, because the
 * connection is at its end or has been idle: what stream_next() waits for is
 * not waited for.  0 only when n is 0.  What this cuts is passed on as
 * STREAM_BYTES, in pieces; behind it the stream is understood again.
 */
int stream_last(struct stream_parser *p, const uint8_t *in, size_t n,
		struct stream_item *it)
	__attribute__((nonnull(1, 4), warn_unused_result));

/* Whether the main channel, whose parser this is, has listed all RAM blocks. */
bool stream_has_blocks(const struct stream_parser *p) __attribute__((nonnull));

/* The bytes before the page of a STREAM_PAGE, or all the bytes of a
 * STREAM_ZERO: what stood there, made again.  Returns how many.  The block is
 * one of the table.
 */
size_t stream_put_head(const struct stream_blocks *blocks,
		       enum stream_item_kind kind, uint32_t block,
		       uint64_t offset, bool continues,
		       uint8_t out[STREAM_HEAD_MAX]) __attribute__((nonnull));

#endif
