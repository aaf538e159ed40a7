/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "dedup/disk.h"
#include "dedup/partition.h"

#define SECTORS 8192u /* 4 MiB */
#define BYTES   (SECTORS * 512u)

static uint8_t bytes[BYTES];

static int
memory_read(struct disk *d, uint64_t offset, uint8_t *out, size_t len,
	    struct err *e)
{
	(void)d, (void)e;
	memcpy(out, bytes + offset, len);
	return 0;
}

static const struct disk_ops ops = { .read = memory_read };

static void
put(size_t at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bytes[at + i] = (uint8_t)(v >> (8 * i));
}

static void
put_entry(unsigned sector, unsigned i, uint8_t type, uint32_t start,
	  uint32_t len)
{
	size_t at = (size_t)sector * 512 + 446 + (size_t)i * 16;

	bytes[at + 4] = type;
	put(at + 8, start, 4);
	put(at + 12, len, 4);
	put((size_t)sector * 512 + 510, 0xaa55, 2);
}

/* One table of 128 entries in sector 2, as everybody writes it. */
static void
put_gpt(void)
{
	put_entry(0, 0, 0xee, 1, SECTORS - 1);
	memcpy(bytes + 512, "EFI PART", 8);
	put(512 + 12, 92, 4);
	put(512 + 72, 2, 8);
	put(512 + 80, 128, 4);
	put(512 + 84, 128, 4);
	put(512 + 88, crc32(0, bytes + 1024, 128 * 128), 4);
	put(512 + 16, 0, 4);
	put(512 + 16, crc32(0, bytes + 512, 92), 4);
}

static void
put_gpt_entry(unsigned i, uint64_t first, uint64_t last)
{
	size_t at = 1024 + (size_t)i * 128;

	memset(bytes + at, 0xaf, 16);
	put(at + 32, first, 8);
	put(at + 40, last, 8);
}

/* Parts follow each other and stay inside the disk, whatever they came from.
 */
static size_t
parts_of(uint64_t size, struct image_part parts[PARTITION_PARTS_MAX])
{
	struct disk d = { .ops = &ops, .size = size };
	uint64_t blocks = 0, end = 0;
	struct err e;
	size_t n;

	assert_ok(partition_parts(&d, parts, &n, &e), &e);
	assert_true(n <= PARTITION_PARTS_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_true(parts[i].offset >= end);
		assert_true(parts[i].first_block == blocks);
		assert_true(parts[i].nblocks > 0);
		end = parts[i].offset + parts[i].nblocks * 4096;
		blocks += parts[i].nblocks;
		assert_true(end <= size);
	}
	return n;
}

static int
clear(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	return 0;
}

static void
a_disk_without_a_table_is_one_part(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	assert_int_equal(parts_of(BYTES, p), 1);
	assert_int_equal(p[0].offset, 0);
	assert_int_equal(p[0].nblocks, BYTES / 4096);
	assert_int_equal(parts_of(BYTES - 1, p), 1);
	assert_int_equal(p[0].nblocks, BYTES / 4096 - 1);
	assert_int_equal(parts_of(4095, p), 0);
	assert_int_equal(parts_of(0, p), 0);
}

static void
aligned_partitions_are_one_part(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x83, 2048, 2048);
	put_entry(0, 1, 0x82, 4096, 1000);
	assert_int_equal(parts_of(BYTES, p), 1);
	assert_int_equal(p[0].nblocks, BYTES / 4096);
}

static void
a_partition_at_sector_63_is_a_part(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x07, 63, 4000);
	assert_int_equal(parts_of(BYTES, p), 3);
	assert_int_equal(p[0].offset, 0);
	assert_int_equal(p[0].nblocks, 63 / 8);
	assert_int_equal(p[1].offset, 63 * 512);
	assert_int_equal(p[1].nblocks, 4000 / 8);
	assert_int_equal(p[2].offset, 4064 * 512);
	assert_int_equal(p[2].nblocks, (SECTORS - 4064) / 8);
}

static void
logical_partitions_are_parts(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x83, 63, 937);
	put_entry(0, 1, 0x0f, 1000, 7000);
	put_entry(1000, 0, 0x83, 63, 937);
	put_entry(1000, 1, 0x05, 1000, 2000); /* from the first: 2000 */
	put_entry(2000, 0, 0x83, 61, 1000);
	assert_int_equal(parts_of(BYTES, p), 7);
	assert_int_equal(p[1].offset, 63 * 512);
	assert_int_equal(p[3].offset, 1063 * 512);
	assert_int_equal(p[5].offset, 2061 * 512);
	assert_int_equal(p[5].nblocks, 125);
}

static void
a_chain_of_tables_in_a_circle_ends(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x05, 1000, 7000);
	put_entry(1000, 0, 0x83, 63, 100);
	put_entry(1000, 1, 0x05, 500, 100);
	put_entry(1500, 0, 0x83, 63, 100);
	put_entry(1500, 1, 0x05, 500, 100);
	assert_true(parts_of(BYTES, p) > 1);
}

static void
gpt_partitions_are_parts(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_gpt_entry(0, 34, 1033);
	put_gpt_entry(127, 2048, 4095);
	put_gpt();
	assert_int_equal(parts_of(BYTES, p), 3);
	assert_int_equal(p[1].offset, 34 * 512);
	assert_int_equal(p[1].nblocks, 125);
}

static void
a_damaged_gpt_does_not_count(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_gpt_entry(0, 34, 1033);
	put_gpt();
	bytes[1024 + 40] ^= 1;
	assert_int_equal(parts_of(BYTES, p), 1);
	bytes[1024 + 40] ^= 1;
	assert_int_equal(parts_of(BYTES, p), 3);
	bytes[512 + 80] ^= 1;
	assert_int_equal(parts_of(BYTES, p), 1);
}

static void
entries_past_the_end_are_cut_or_dropped(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x83, SECTORS, 10);
	assert_int_equal(parts_of(BYTES, p), 1);
	put_entry(0, 0, 0x83, 63, UINT32_MAX);
	assert_int_equal(parts_of(BYTES, p), 2);
	assert_int_equal(p[1].nblocks, (SECTORS - 63) / 8);
	put_entry(0, 0, 0x83, 0, 100);
	assert_int_equal(parts_of(BYTES, p), 1);
}

static void
overlapping_partitions_share_nothing(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x83, 63, 5000);
	put_entry(0, 1, 0x83, 65, 5000);
	put_entry(0, 2, 0x83, 3003, 10);
	put_entry(0, 3, 0x83, 3003, 5000);
	assert_true(parts_of(BYTES, p) >= 3);
}

static void
a_boot_sector_is_no_table(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	put_entry(0, 0, 0x83, 63, 5000);
	bytes[446 + 16] = 0x33; /* code where a flag should be */
	assert_int_equal(parts_of(BYTES, p), 1);
}

static void
more_partitions_than_fit_do_not_count(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];

	(void)state;
	for (unsigned i = 0; i < 128; i++)
		put_gpt_entry(i, 35 + 60 * i, 35 + 60 * i + 30);
	put_gpt();
	assert_int_equal(parts_of(BYTES, p), 127);
}

static void
any_bytes_give_sound_parts(void **state)
{
	struct image_part p[PARTITION_PARTS_MAX];
	uint64_t random = 1;

	(void)state;
	for (unsigned run = 0; run < 20000; run++) {
		for (unsigned i = 0; i < 4; i++) {
			uint64_t r = test_random(&random);

			put_entry(0, i, (uint8_t)(r & 7),
				  (uint32_t)(r >> 8) % (2 * SECTORS),
				  (uint32_t)(r >> 32) % (2 * SECTORS));
		}
		parts_of(BYTES, p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_disk_without_a_table_is_one_part,
				       clear),
		cmocka_unit_test_setup(aligned_partitions_are_one_part, clear),
		cmocka_unit_test_setup(a_partition_at_sector_63_is_a_part,
				       clear),
		cmocka_unit_test_setup(logical_partitions_are_parts, clear),
		cmocka_unit_test_setup(a_chain_of_tables_in_a_circle_ends,
				       clear),
		cmocka_unit_test_setup(gpt_partitions_are_parts, clear),
		cmocka_unit_test_setup(a_damaged_gpt_does_not_count, clear),
		cmocka_unit_test_setup(entries_past_the_end_are_cut_or_dropped,
				       clear),
		cmocka_unit_test_setup(overlapping_partitions_share_nothing,
				       clear),
		cmocka_unit_test_setup(a_boot_sector_is_no_table, clear),
		cmocka_unit_test_setup(more_partitions_than_fit_do_not_count,
				       clear),
		cmocka_unit_test_setup(any_bytes_give_sound_parts, clear),
	};

	return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
