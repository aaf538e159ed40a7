/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/filesystems.h"

/* A disk of zeros but for some pieces of blocks, which the input lists: u8
 * block, u16 offset, u8 length, bytes.
 */
#define BLOCKS 64u

static uint8_t disk[BLOCKS * PAGE_BYTES];

static void
fill(struct span in)
{
	uint8_t block, n;
	uint16_t at;
	struct err e;

	memset(disk, 0, sizeof(disk));
	while (span_get_u8(&in, &block, &e) == 0 &&
	       span_get_u16(&in, &at, &e) == 0 &&
	       span_get_u8(&in, &n, &e) == 0) {
		size_t to = block % BLOCKS * PAGE_BYTES + at % PAGE_BYTES;

		if (span_get(&in, disk + to,
			     MIN(MIN((size_t)n, sizeof(disk) - to), in.left),
			     &e) < 0)
			return;
	}
}

/* What was found makes sense, and every file in it can be read. */
static void
read_all(struct image *img, struct span found)
{
	size_t n = found.left / EXTENT_BYTES;
	auto_free struct extent *x = calloc(n + 1, sizeof(*x));
	static uint8_t out[BLOCKS * PAGE_BYTES];
	struct err e;

	fuzz_ok(extents_get(found, n, image_nblocks(img), x, &e), &e);
	image_set_extents(img, x, n);
	for (size_t i = 0; i < n; i++)
		for (uint64_t from = 0; from < 3; from++)
			fuzz_ok(image_read_file(img, x[i].file,
						from ? x[i].at + x[i].n - from
						     : 0,
						BLOCKS / 2, out, &e),
				&e);
	for (size_t i = 0; i < n; i++) {
		fuzz_ok(image_read_file(img, x[i].file, x[i].at, 1, out, &e),
			&e);
		if (i == 0 || x[i].file != x[i - 1].file)
			fuzz_check(memcmp(out, disk + x[i].file * PAGE_BYTES,
					  PAGE_BYTES) == 0);
	}
	image_set_extents(img, NULL, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct image *img;
	struct buf found;
	struct err e;

	fill(span_of(data, size));
	fuzz_check(fd >= 0);
	fuzz_check(write(fd, disk, sizeof(disk)) == (ssize_t)sizeof(disk));
	img = image_take("fuzz", "raw", fd, &e);
	fuzz_check(img != NULL);
	buf_init(&found, EXTENTS_MAX * EXTENT_BYTES);
	fuzz_ok(filesystems_find(img, BLOCKS, &found, &e), &e);
	read_all(img, span_of(found.data, found.len));
	buf_fini(&found);
	image_close(img);
	return 0;
}

static void
put(struct buf *out, uint8_t block, unsigned at, const void *bytes, size_t n)
{
	struct err e;

	fuzz_ok(buf_put_u8(out, block, &e), &e);
	fuzz_ok(buf_put_u16(out, (uint16_t)at, &e), &e);
	fuzz_ok(buf_put_u8(out, (uint8_t)n, &e), &e);
	fuzz_ok(buf_put(out, bytes, n, &e), &e);
}

static void
put_number(struct buf *out, uint8_t block, unsigned at, uint32_t v, size_t n)
{
	uint32_t le = htole32(v);

	put(out, block, at, &le, n);
}

/* A node of a tree with two entries: a piece of two blocks, one of one. */
static void
put_node(struct buf *out, uint8_t block, unsigned at, unsigned depth,
	 uint32_t first, uint32_t second)
{
	const uint16_t head[] = { htole16(0xf30a), htole16(depth ? 1 : 2),
				  htole16(4), htole16((uint16_t)depth) };
	const uint32_t entries[] = { 0,
				     htole32(depth ? first : 2),
				     depth ? 0 : htole32(first),
				     htole32(2),
				     htole32(1),
				     htole32(second) };

	put(out, block, at, head, sizeof(head));
	put(out, block, at + 12, entries, sizeof(entries));
}

/* Blocks 0 to 2: superblock, descriptors, inodes; then the program's. */
static void
put_ext4(struct buf *out, bool deep)
{
	put_number(out, 0, 1024 + 0x04, BLOCKS, 4);
	put_number(out, 0, 1024 + 0x18, 2, 4);
	put_number(out, 0, 1024 + 0x20, BLOCKS, 4);
	put_number(out, 0, 1024 + 0x28, 16, 4);
	put_number(out, 0, 1024 + 0x38, 0xef53, 2);
	put_number(out, 0, 1024 + 0x58, 256, 2);
	put_number(out, 0, 1024 + 0x60, deep ? 0xc0 : 0x40, 4);
	put_number(out, 0, 1024 + 0xfe, 64, 2);
	put_number(out, 1, 0x08, 2, 4);
	put_number(out, 2, 256, 0x8000, 2);
	put_number(out, 2, 256 + 0x1a, 1, 2);
	put_number(out, 2, 256 + 0x20, 0x80000, 4);
	if (deep) {
		put_node(out, 2, 256 + 0x28, 1, 9, 0);
		put_node(out, 9, 0, 0, 20, 30);
	} else {
		put_node(out, 2, 256 + 0x28, 0, 20, 30);
	}
	put(out, 20, 0, "\177ELF", 4);
}

/* A record of the $MFT, of so many bytes in block 4, with data in these runs. */
static void
put_record(struct buf *out, unsigned at, const void *runs, size_t n)
{
	static const uint8_t head[] = {
		[0] = 'F', 'I', 'L', 'E', 48, 0, 3, [20] = 56, 0, 1, 0, 0, 2
	};
	static const uint8_t attr[] = {
		[0] = 0x80, [4] = 80, [8] = 1, [24] = 2, [32] = 64, [41] = 0x30
	};

	put(out, 4, at, head, sizeof(head));
	put(out, 4, at + 56, attr, sizeof(attr));
	put(out, 4, at + 56 + 64, runs, n);
}

static void
put_ntfs(struct buf *out)
{
	static const uint8_t boot[] = {
		[3] = 'N', 'T', 'F', 'S', ' ',      ' ',      ' ',
		' ',       0,   2,   8,   [41] = 2, [48] = 4, [64] = 0xf6
	};

	put(out, 0, 0, boot, sizeof(boot));
	put_record(out, 0, "\x11\x01\x04\x11\x02\x05", 7);
	put_record(out, 1024, "\x11\x02\x14\x01\x01\x11\x01\xfe", 9);
	put(out, 20, 0, "MZ", 2);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "ext4", "ext4-deep", "ntfs" };

	if (i == ARRAY_LEN(names))
		return NULL;
	if (i == 2)
		put_ntfs(out);
	else
		put_ext4(out, i == 1);
	return names[i];
}
