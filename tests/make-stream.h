/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_STREAM_H
#define MIG_MAKE_STREAM_H

#include "tests/make-record.h"

/* Makes small but whole migration streams. */
/* A device with a state that looks like other things. */
static inline void
make_devices(struct buf *s)
{
	static const char state[] =
		"\x7e\0\0\0\x05\0\x06\0\0\0\x09{ \x7e~~\0\0\0\x7e\0\0\0\x05\0";

	make_section(s, 0x04, 5, "timer", 2);
	make_bytes(s, state, sizeof(state) - 1);
	make_footer(s, 5);
	make_section(s, 0x04, 6, "serial", 3);
	make_footer(s, 6);
}

static inline void
make_description(struct buf *s)
{
	static const char json[] = "{\"page_size\": 4096, \"devices\": []}";

	make_u8(s, 0x06);
	make_be32(s, sizeof(json) - 1);
	make_bytes(s, json, sizeof(json) - 1);
}

/* A migration of two pages in two passes, from END of RAM on without the
 * devices.
 */
static inline void
make_ram(struct buf *s)
{
	make_start(s);
	make_part(s, 0x02, MAKE_RAM_ID);
	make_zero(s, 0, "pc.ram");
	make_page(s, 1, NULL, 1);
	make_page(s, 0, "vga.vram", 2);
	make_eos(s);
	make_part(s, 0x03, MAKE_RAM_ID);
	make_zero(s, 0, NULL);
	make_page(s, 15, "pc.ram", 3);
	make_eos(s);
}

static inline void
make_precopy(struct buf *s)
{
	static const uint8_t ping[] = { 0, 0, 0, 1 };

	make_header(s);
	make_command(s, 1, "", 0);
	make_command(s, 2, ping, sizeof(ping));
	make_ram(s);
	make_devices(s);
	make_u8(s, 0);
	make_description(s);
}

/* The devices go before most of the RAM. */
static inline void
make_postcopy(struct buf *s)
{
	uint8_t package[512];
	struct buf p = { .data = package,
			 .cap = sizeof(package),
			 .max = sizeof(package) };
	uint32_t len;

	make_header(s);
	make_advise(s, 4096);
	make_start(s);
	make_part(s, 0x02, MAKE_RAM_ID);
	make_zero(s, 0, "pc.ram");
	make_eos(s);
	make_command(&p, 4, "", 0);
	make_devices(&p);
	make_command(&p, 5, "", 0);
	len = htobe32((uint32_t)p.len);
	make_command(s, 7, &len, sizeof(len));
	make_bytes(s, package, p.len);
	make_part(s, 0x02, MAKE_RAM_ID);
	make_page(s, 1, NULL, 1);
	make_eos(s);
	make_part(s, 0x03, MAKE_RAM_ID);
	make_eos(s);
	make_u8(s, 0);
}

/* Dirty bitmaps: chunks with and without names and bits. */
static inline void
make_bitmaps(struct buf *s)
{
	make_header(s);
	make_command(s, 3, "", 0);
	make_start(s);
	make_section(s, 0x01, 3, "dirty-bitmap", 1);
	make_u8(s, 0x08 | 0x04 | 0x10);
	make_name(s, "disk");
	make_name(s, "backup");
	make_be32(s, 65536);
	make_u8(s, 1);
	make_u8(s, 0x01);
	make_footer(s, 3);
	make_part(s, 0x02, MAKE_RAM_ID);
	make_page(s, 1, "pc.ram", 1);
	make_eos(s);
	make_part(s, 0x02, 3);
	make_u8(s, 0x40 | 0x02);
	make_be64(s, 0);
	make_be32(s, 128);
	make_u8(s, 0x40 | 0x01);
	make_be64(s, 128);
	make_be32(s, 128);
	make_be64(s, 32);
	make_bytes(s, "0123456789abcdef0123456789abcdef", 32);
	make_footer(s, 3);
	make_part(s, 0x03, MAKE_RAM_ID);
	make_page(s, 2, NULL, 2);
	make_eos(s);
	make_part(s, 0x03, 3);
	make_u8(s, 0x20);
	make_u8(s, 0x01);
	make_footer(s, 3);
	make_devices(s);
	make_u8(s, 0);
	make_description(s);
}

#endif
