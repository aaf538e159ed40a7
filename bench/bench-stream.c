/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/map.h"
#include "common/mem.h"
#include "stream/parse.h"

/* bench-stream FILE: how fast one core cuts a stream that QEMU wrote
 * (migrate "exec:cat >FILE") into items, as it comes from a socket: copied in
 * pieces of 256 KiB, what is left of one moved before the next.
 */
#define PIECE   (256u << 10)
#define SECONDS 3

struct count {
	uint64_t bytes, items, pages;
};

static void
parse(const struct map *map, struct count *c)
{
	static uint8_t in[PIECE + STREAM_WANT_MAX];
	struct stream_blocks blocks;
	struct stream_parser p;
	size_t have = 0;

	stream_blocks_init(&blocks);
	stream_parser_init(&p, &blocks);
	for (size_t at = 0; at < map->len;) {
		size_t n = MIN(PIECE, map->len - at), used = 0, want;
		struct stream_item it;

		memcpy(in + have, map->data + at, n);
		at += n;
		have += n;
		while (stream_next(&p, in + used, have - used, &it, &want)) {
			used += it.len;
			c->items++;
			c->pages += it.kind == STREAM_PAGE;
		}
		have -= used;
		memmove(in, in + used, have);
	}
	c->bytes += map->len;
	stream_blocks_fini(&blocks);
}

int
main(int argc, char **argv)
{
	struct count c = { 0, 0, 0 };
	uint64_t start, ns;
	struct map map;
	struct err e;

	if (argc != 2) {
		fprintf(stderr, "usage: bench-stream FILE\n");
		return 2;
	}
	if (map_open(&map, argv[1], &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	parse(&map, &c);
	c = (struct count){ 0, 0, 0 };
	start = clock_wall_ns();
	do {
		parse(&map, &c);
		ns = clock_wall_ns() - start;
	} while (ns < SECONDS * 1000000000ull);
	printf("%.1f GB/s, %.1f million items/s (%.0f %% of the bytes in "
	       "pages)\n",
	       (double)c.bytes / (double)ns, (double)c.items * 1e3 / (double)ns,
	       100.0 * 4096 * (double)c.pages / (double)c.bytes);
	map_close(&map);
	return 0;
}
