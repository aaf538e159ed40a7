/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/fuzz.h"
#include "tests/make-stream.h"
#include "tests/walk-stream.h"

/* Any bytes over a connection: they come out as they went in, every head can
 * be made again (walk-stream.h checks both), and it makes no difference in
 * what pieces they come.  The first byte says in which, the second whether the
 * main channel had listed the RAM blocks before.
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
	return 1 + (*x >> 32) % (1ull << (*x >> 61) * 2);
}

static void
begin(struct stream_parser *p, struct stream_blocks *blocks, bool listed)
{
	struct err e;

	stream_blocks_init(blocks);
	if (listed)
		fuzz_ok(stream_blocks_add(blocks, "pc.ram", 6,
					  MAKE_PAGES * PAGE_BYTES, &e),
			&e);
	stream_parser_init(p, blocks);
}

static struct walk
walk(struct stream_parser *p, struct stream_blocks *blocks, bool listed,
     struct span in, walk_piece *piece, uint64_t seed)
{
	begin(p, blocks, listed);
	return walk_stream(p, in.at, in.left, piece, &seed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_blocks b1, b2;
	struct stream_parser p1, p2;
	struct walk w1, w2;
	uint64_t seed;
	struct span in;

	if (size < 2)
		return 0;
	in = span_of(data + 2, size - 2);
	w1 = walk(&p1, &b1, data[1] & 1, in, all_of_it, 0);
	w2 = walk(&p2, &b2, data[1] & 1, in, some_of_it, data[0]);
	fuzz_check(w1.sum == w2.sum && w1.eof == w2.eof && w1.ends == w2.ends);
	fuzz_check(memcmp(w1.bytes, w2.bytes, sizeof(w1.bytes)) == 0);
	fuzz_check(p1.opaque == p2.opaque && p1.role == p2.role);
	fuzz_check(p1.ram_ended == p2.ram_ended && b1.n == b2.n);
	stream_blocks_fini(&b1);
	stream_blocks_fini(&b2);
	begin(&p1, &b1, data[1] & 1);
	seed = data[0];
	w1 = walk_pauses(&p1, in.at, in.left, some_of_it, &seed);
	fuzz_check(w1.eof <= w2.eof && p1.ram_ended == p2.ram_ended);
	fuzz_check(p1.opaque == p2.opaque && p1.role == p2.role);
	stream_blocks_fini(&b1);
	return 0;
}

static void
put_multifd(struct buf *out)
{
	make_multifd_init(out);
	make_packet(out, 0, "pc.ram", 128, 1, 1, 2);
	make_packet(out, 1, "", 0, 0, 0, 0);
}

/* Records that need no page. */
static void
put_records(struct buf *out)
{
	make_header(out);
	make_subsection(out, "configuration/capabilities");
	make_be32(out, 1);
	make_name(out, "x-ignore-shared");
	make_advise(out, 4096 | 2 << 20);
	make_section(out, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(out, (2 << 20) | 0x04);
	make_name(out, "pc.ram");
	make_be64(out, 2 << 20);
	make_be64(out, 2 << 20);
	make_be64(out, 0);
	make_head(out, 0x40, 1, "pc.ram");
	make_u8(out, 1);
	make_be16(out, 5);
	make_bytes(out, "delta", 5);
	make_head(out, 0x100, 3, NULL);
	make_be32(out, 9);
	make_bytes(out, "squeezed!", 9);
	make_be64(out, 0x200);
	make_zero(out, 5, NULL);
	make_eos(out);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct {
		const char *name;
		void (*put)(struct buf *out);
	} seeds[] = {
		{ "precopy", make_precopy }, { "postcopy", make_postcopy },
		{ "bitmaps", make_bitmaps }, { "multifd", put_multifd },
		{ "records", put_records },
	};

	if (i >= ARRAY_LEN(seeds))
		return NULL;
	make_u8(out, (uint8_t)i);
	make_u8(out, i % 2);
	seeds[i].put(out);
	return seeds[i].name;
}
