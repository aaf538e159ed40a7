/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <zlib.h>

#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/page.h"
#include "dedup/disk.h"
#include "dedup/partition.h"

/* A disk of zeros but for some pieces of sectors, which the input lists: u16
 * sector, u8 offset in units of 2 bytes, u8 length, bytes.  The checksums of
 * its GPT are made right.
 */
#define SECTORS    512u
#define DISK_BYTES (SECTORS * 512u)

static int
memory_read(struct disk *d, uint64_t offset, uint8_t *out, size_t len,
	    struct err *e)
{
	(void)e;
	fuzz_check(offset <= DISK_BYTES && len <= DISK_BYTES - offset);
	memcpy(out, d->data + offset, len);
	return 0;
}

static const struct disk_ops ops = { .read = memory_read };

static void
fill(uint8_t *disk, struct span in)
{
	uint16_t sector;
	uint8_t skip, n;
	struct err e;

	while (span_get_u16(&in, &sector, &e) == 0 &&
	       span_get_u8(&in, &skip, &e) == 0 &&
	       span_get_u8(&in, &n, &e) == 0) {
		size_t at = sector % SECTORS * 512 + 2 * (size_t)skip;
		size_t len = MIN(MIN((size_t)n, DISK_BYTES - at), in.left);

		if (span_get(&in, disk + at, len, &e) < 0)
			return;
	}
}

static void
fix_gpt(uint8_t *disk)
{
	uint8_t *header = disk + 512;
	struct span s = span_of(header, 512);
	uint32_t len, entries, entry_bytes, crc;
	const uint8_t *skipped;
	uint64_t table, bytes;
	struct err e;

	fuzz_ok(span_take(&s, 12, &skipped, &e), &e);
	fuzz_ok(span_get_u32(&s, &len, &e), &e);
	fuzz_ok(span_take(&s, 56, &skipped, &e), &e);
	fuzz_ok(span_get_u64(&s, &table, &e), &e);
	fuzz_ok(span_get_u32(&s, &entries, &e), &e);
	fuzz_ok(span_get_u32(&s, &entry_bytes, &e), &e);
	bytes = (uint64_t)entries * entry_bytes;
	if (len > 512 || table > SECTORS || bytes > DISK_BYTES - table * 512)
		return;
	crc = (uint32_t)crc32(0, disk + table * 512, (uInt)bytes);
	memcpy(header + 88, &crc, 4);
	memset(header + 16, 0, 4);
	crc = (uint32_t)crc32(0, header, len);
	memcpy(header + 16, &crc, 4);
}

static void
check_parts(uint8_t *bytes)
{
	struct disk d = { .ops = &ops, .data = bytes, .size = DISK_BYTES };
	struct image_part parts[PARTITION_PARTS_MAX];
	uint64_t blocks = 0, end = 0;
	struct err e;
	size_t n;

	fuzz_ok(partition_parts(&d, parts, &n, &e), &e);
	fuzz_check(n > 0 && n <= PARTITION_PARTS_MAX);
	for (size_t i = 0; i < n; i++) {
		fuzz_check(parts[i].offset >= end && parts[i].nblocks > 0);
		fuzz_check(parts[i].offset % 512 == 0);
		fuzz_check(parts[i].first_block == blocks);
		blocks += parts[i].nblocks;
		end = parts[i].offset + parts[i].nblocks * PAGE_BYTES;
		fuzz_check(end <= DISK_BYTES);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free uint8_t *disk = calloc(1, DISK_BYTES);

	fuzz_check(disk != NULL);
	fill(disk, span_of(data, size));
	check_parts(disk);
	fix_gpt(disk);
	check_parts(disk);
	return 0;
}

static void
put_piece(struct buf *out, uint16_t sector, unsigned at, const void *bytes,
	  uint8_t n)
{
	struct err e;

	fuzz_ok(buf_put_u16(out, sector, &e), &e);
	fuzz_ok(buf_put_u8(out, (uint8_t)(at / 2), &e), &e);
	fuzz_ok(buf_put_u8(out, n, &e), &e);
	fuzz_ok(buf_put(out, bytes, n, &e), &e);
}

static void
put_entry(struct buf *out, uint16_t sector, unsigned i, uint8_t type,
	  uint8_t start)
{
	uint8_t entry[16] = { [4] = type, [8] = start, [12] = 64 };

	put_piece(out, sector, 446 + 16 * i, entry, sizeof(entry));
	put_piece(out, sector, 510, "\x55\xaa", 2);
}

static void
put_gpt(struct buf *out)
{
	uint8_t header[92] = { [12] = 92, [72] = 2, [80] = 128, [84] = 128 };
	uint8_t entry[48] = { [0] = 1, [32] = 34, [40] = 99 };

	memcpy(header, "EFI PART", 8);
	put_entry(out, 0, 0, 0xee, 1);
	put_piece(out, 1, 0, header, sizeof(header));
	put_piece(out, 2, 0, entry, sizeof(entry));
	entry[32] = 101;
	entry[40] = 200;
	put_piece(out, 2, 128, entry, sizeof(entry));
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		put_entry(out, 0, 0, 0x83, 63);
		put_entry(out, 0, 1, 0x07, 131);
		return "mbr";
	case 1:
		put_entry(out, 0, 1, 0x0f, 100);
		put_entry(out, 100, 0, 0x83, 63);
		put_entry(out, 100, 1, 0x05, 80);
		put_entry(out, 180, 0, 0x83, 61);
		return "logical";
	case 2:
		put_gpt(out);
		return "gpt";
	default:
		return NULL;
	}
}
