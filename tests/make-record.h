/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_RECORD_H
#define MIG_MAKE_RECORD_H

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "stream/parse.h"

/* Makes what migration streams are made of, as QEMU writes it, for test-stream and
 * fuzz-stream.
 */
#define MAKE_RAM_ID 2
#define MAKE_PAGES  16 /* of the block "pc.ram"; "vga.vram" has one */

static inline void
make_bytes(struct buf *s, const void *bytes, size_t n)
{
	struct err e;

	if (buf_put(s, bytes, n, &e) < 0)
		abort(); /* the test made its buffer too small */
}

static inline void
make_u8(struct buf *s, uint8_t v)
{
	make_bytes(s, &v, sizeof(v));
}

static inline void
make_be16(struct buf *s, uint16_t v)
{
	v = htobe16(v);
	make_bytes(s, &v, sizeof(v));
}

static inline void
make_be32(struct buf *s, uint32_t v)
{
	v = htobe32(v);
	make_bytes(s, &v, sizeof(v));
}

static inline void
make_be64(struct buf *s, uint64_t v)
{
	v = htobe64(v);
	make_bytes(s, &v, sizeof(v));
}

static inline void
make_name(struct buf *s, const char *name)
{
	make_u8(s, (uint8_t)strlen(name));
	make_bytes(s, name, strlen(name));
}

static inline void
make_header(struct buf *s)
{
	static const char machine[] = "pc-i440fx-7.2";

	make_be32(s, 0x5145564d);
	make_be32(s, 3);
	make_u8(s, 0x07);
	make_be32(s, sizeof(machine) - 1);
	make_bytes(s, machine, sizeof(machine) - 1);
}

static inline void
make_subsection(struct buf *s, const char *name)
{
	make_u8(s, 0x05);
	make_name(s, name);
	make_be32(s, 1);
}

static inline void
make_command(struct buf *s, uint16_t command, const void *bytes, uint16_t n)
{
	make_u8(s, 0x08);
	make_be16(s, command);
	make_be16(s, n);
	make_bytes(s, bytes, n);
}

/* The command ADVISE, with all sizes of pages that blocks have. */
static inline void
make_advise(struct buf *s, uint64_t sizes)
{
	uint64_t v[] = { htobe64(sizes), htobe64(4096) };

	make_command(s, 3, v, sizeof(v));
}

/* START, or FULL with the type 4. */
static inline void
make_section(struct buf *s, uint8_t type, uint32_t id, const char *name,
	     uint32_t version)
{
	make_u8(s, type);
	make_be32(s, id);
	make_name(s, name);
	make_be32(s, 0);
	make_be32(s, version);
}

static inline void
make_footer(struct buf *s, uint32_t id)
{
	make_u8(s, 0x7e);
	make_be32(s, id);
}

/* The end of a RAM section. */
static inline void
make_eos(struct buf *s)
{
	make_be64(s, 0x10);
	make_footer(s, MAKE_RAM_ID);
}

static inline void
make_start(struct buf *s)
{
	make_section(s, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(s, (MAKE_PAGES + 1) * 4096 | 0x04);
	make_name(s, "pc.ram");
	make_be64(s, MAKE_PAGES * 4096);
	make_name(s, "vga.vram");
	make_be64(s, 4096);
	make_eos(s);
}

/* PART, or END with the type 3. */
static inline void
make_part(struct buf *s, uint8_t type, uint32_t id)
{
	make_u8(s, type);
	make_be32(s, id);
}

/* The head of a RAM record; no name is CONTINUE. */
static inline void
make_head(struct buf *s, uint64_t flag, uint64_t page, const char *name)
{
	make_be64(s, page << 12 | flag | (name ? 0 : 0x20));
	if (name)
		make_name(s, name);
}

static inline void
make_page(struct buf *s, uint64_t page, const char *name, uint8_t fill)
{
	uint8_t bytes[4096];

	memset(bytes, fill, sizeof(bytes));
	make_head(s, 0x08, page, name);
	make_bytes(s, bytes, sizeof(bytes));
}

static inline void
make_zero(struct buf *s, uint64_t page, const char *name)
{
	make_head(s, 0x02, page, name);
	make_u8(s, 0);
}

static inline void
make_multifd_init(struct buf *s)
{
	static const uint8_t rest[56];

	make_be32(s, 0x11223344);
	make_be32(s, 1);
	make_bytes(s, rest, sizeof(rest));
}

/* A packet of npages pages from page 'first' on, then nzeros zero pages; it
 * says that it has room for 'room' offsets.
 */
static inline void
make_packet(struct buf *s, uint32_t flags, const char *block, uint32_t room,
	    uint32_t first, uint32_t npages, uint32_t nzeros)
{
	static const uint8_t unused[28];
	char name[256] = "";
	uint8_t page[4096];

	memcpy(name, block, strlen(block));
	make_be32(s, 0x11223344);
	make_be32(s, 1);
	make_be32(s, flags);
	make_be32(s, room);
	make_be32(s, npages);
	make_be32(s, npages * 4096);
	make_be64(s, 7);
	make_be32(s, nzeros);
	make_bytes(s, unused, sizeof(unused));
	make_bytes(s, name, sizeof(name));
	for (uint32_t i = 0; i < 128; i++)
		make_be64(s, i < npages + nzeros ? (uint64_t)(first + i) << 12
						 : 0);
	for (uint32_t i = 0; i < npages; i++) {
		memset(page, (int)(first + i), sizeof(page));
		make_bytes(s, page, sizeof(page));
	}
}

#endif
