/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>

#include "tests/walk-stream.h"

#include "common/map.h"

/* Usage: show-stream CONNECTION...
 * Parses what one side sent over the connections of a migration, the main
 * channel first, each a file; in one piece, then in pieces of 1 to 65536 bytes,
 * which must not make a difference.  Prints what was found.
 */
static size_t
all_of_it(void *arg)
{
	(void)arg;
	return SIZE_MAX / 2;
}

static size_t
some_of_it(void *arg)
{
	uint64_t *x = arg;

	*x = *x * 6364136223846793005ull + 1442695040888963407ull;
	return 1 + (*x >> 32) % (1ull << (*x >> 60));
}

static void
show(const struct stream_parser *p, const struct walk *w, uint64_t len)
{
	static const char *const roles[] = { "new", "main", "multifd",
					     "opaque" };

	printf("%s: bytes %" PRIu64 " pages %" PRIu64 " zeros %" PRIu64
	       " bare %" PRIu64 " other %" PRIu64 " eof %" PRId64
	       " coded %d advised %d postcopy %d ended %d opaque %s\n",
	       roles[p->role], len, w->items[STREAM_PAGE],
	       w->items[STREAM_ZERO], w->items[STREAM_BARE],
	       w->bytes[STREAM_BYTES], (int64_t)w->eof, p->coded,
	       p->postcopy_advised, p->postcopy, p->ram_ended,
	       p->opaque ? p->opaque : "-");
}

static int
show_file(const char *path, struct stream_blocks *blocks)
{
	struct stream_blocks again;
	struct stream_parser p, q;
	struct walk w, v;
	struct map map;
	uint64_t seed = 1;
	struct err e;

	if (map_open(&map, path, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	stream_blocks_init(&again);
	stream_parser_init(&p, blocks);
	w = walk_stream(&p, map.data, map.len, all_of_it, NULL);
	stream_parser_init(&q, p.role == STREAM_MAIN ? &again : blocks);
	v = walk_stream(&q, map.data, map.len, some_of_it, &seed);
	walk_check(w.sum == v.sum && w.eof == v.eof && w.ends == v.ends);
	walk_check(memcmp(w.bytes, v.bytes, sizeof(w.bytes)) == 0);
	show(&p, &w, map.len);
	stream_blocks_fini(&again);
	map_close(&map);
	return 0;
}

int
main(int argc, char **argv)
{
	struct stream_blocks blocks;
	int ret = 0;

	stream_blocks_init(&blocks);
	for (int i = 1; i < argc && ret == 0; i++)
		ret = show_file(argv[i], &blocks);
	for (uint32_t i = 0; i < blocks.n; i++)
		printf("block %s %" PRIu64 "\n", blocks.list[i].name,
		       blocks.list[i].used);
	stream_blocks_fini(&blocks);
	return ret != 0;
}
