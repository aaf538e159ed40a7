/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index.h"

static char folder[64], image_at[96], index_at[96], other_at[96];
static const struct index_how how = { .threads = 2 };

static void
write_block(int fd, uint64_t n, const uint8_t *block)
{
	assert_int_equal(pwrite(fd, block, PAGE_BYTES, (off_t)(n * PAGE_BYTES)),
			 PAGE_BYTES);
}

static void
random_block(uint8_t *block, uint64_t seed)
{
	uint64_t state = seed * 2654435761u + 1;

	for (unsigned i = 0; i < PAGE_BYTES; i += 8) {
		uint64_t w = test_random(&state);

		memcpy(block + i, &w, 8);
	}
}

/* Blocks 0..999 differ; 1000..1099 repeat 0..99; 1100..1199 are written
 * zeros; the rest is a hole but for block 5000, which is unlike any other.
 */
static void
make_image(const char *path)
{
	uint8_t block[PAGE_BYTES];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 6000 * PAGE_BYTES), 0);
	for (unsigned i = 0; i < 1100; i++) {
		random_block(block, i % 1000);
		write_block(fd, i, block);
	}
	memset(block, 0, sizeof(block));
	for (unsigned i = 1100; i < 1200; i++)
		write_block(fd, i, block);
	random_block(block, 5000);
	write_block(fd, 5000, block);
	close(fd);
}

static void
build(const char *image, const char *index, struct index_build_stats *stats)
{
	struct err e;
	struct image *img = image_open(image, &e);

	if (!img)
		fail_msg("%s", e.text);
	assert_ok(index_build(img, index, &how, stats, &e), &e);
	image_close(img);
}

static struct index *
open_index(const char *path)
{
	struct err e;
	struct index *idx = index_open(path, &e);

	if (!idx)
		fail_msg("%s", e.text);
	return idx;
}

static void
every_block_is_found_by_its_hint(void **state)
{
	struct index_build_stats stats;
	struct index *idx;
	uint8_t block[PAGE_BYTES];
	uint32_t out[INDEX_CANDIDATES];

	(void)state;
	build(image_at, index_at, &stats);
	assert_true(stats.data_blocks >= 1201);
	assert_int_equal(stats.unique_blocks, 1001);
	idx = open_index(index_at);
	assert_int_equal(index_nblocks(idx), 6000);
	assert_int_equal(index_unique_blocks(idx), 1001);
	for (unsigned i = 0; i < 1100; i++) {
		uint64_t hint;
		size_t n, k = 0;

		random_block(block, i % 1000);
		hint = digest_hint(block, sizeof(block));
		index_prefetch(idx, hint);
		n = index_find(idx, hint, out);
		while (k < n && out[k] != i % 1000)
			k++;
		assert_true(k < n);
	}
	index_close(idx);
}

static void
what_is_not_there_is_not_found(void **state)
{
	struct index *idx = open_index(index_at);
	uint8_t block[PAGE_BYTES];
	uint32_t out[INDEX_CANDIDATES];
	size_t found = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		random_block(block, 100000 + i);
		found += index_find(idx, digest_hint(block, PAGE_BYTES), out);
	}
	/* 10000 probes see some 6 tags of 16 bits each: about one matches. */
	assert_true(found < 12);
	memset(block, 0, sizeof(block));
	assert_int_equal(index_find(idx, digest_hint(block, PAGE_BYTES), out),
			 0);
	index_close(idx);
}

static void
fingerprints_are_those_of_the_blocks(void **state)
{
	static const struct fingerprint zero;
	struct index *idx = open_index(index_at);
	uint8_t block[PAGE_BYTES];
	const uint8_t *page = block;
	struct fingerprint f;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 1100; i++) {
		random_block(block, i % 1000);
		assert_ok(fingerprint_pages(&page, 1, &f, &e), &e);
		assert_memory_equal(index_fingerprint(idx, i), &f, sizeof(f));
	}
	assert_memory_equal(index_fingerprint(idx, 1150), &zero, sizeof(f));
	assert_memory_equal(index_fingerprint(idx, 3000), &zero, sizeof(f));
	assert_memory_equal(index_fingerprint(idx, 6000), &zero, sizeof(f));
	assert_memory_equal(index_fingerprint(idx, UINT64_MAX), &zero,
			    sizeof(f));
	index_close(idx);
}

static void
region_digests_cover_the_fingerprints(void **state)
{
	struct index *idx = open_index(index_at);
	struct fingerprint prints[INDEX_REGION_BLOCKS];
	struct digest d;
	const struct digest *regions;
	struct err e;
	size_t n;

	(void)state;
	regions = index_regions(idx, &n);
	assert_int_equal(n, 6);
	for (unsigned r = 0; r < 6; r++) {
		unsigned first = r * INDEX_REGION_BLOCKS;
		unsigned nblocks = MIN(6000 - first, INDEX_REGION_BLOCKS);

		for (unsigned i = 0; i < nblocks; i++)
			prints[i] = *index_fingerprint(idx, first + i);
		assert_ok(digest_bytes(prints, nblocks * sizeof(prints[0]), &d,
				       &e),
			  &e);
		assert_memory_equal(&regions[r], &d, sizeof(d));
	}
	index_close(idx);
}

static void
root_is_equal_for_equal_content_only(void **state)
{
	struct index_build_stats stats;
	struct index *a = open_index(index_at), *b;
	char copy_at[128], copy_index[128];
	uint8_t block[PAGE_BYTES];
	int fd;

	(void)state;
	snprintf(copy_at, sizeof(copy_at), "%s/copy.img", folder);
	snprintf(copy_index, sizeof(copy_index), "%s/copy.idx", folder);
	make_image(copy_at);
	build(copy_at, copy_index, &stats);
	b = open_index(copy_index);
	assert_memory_equal(index_root(a), index_root(b), DIGEST_BYTES);
	index_close(b);
	fd = open(copy_at, O_RDWR);
	random_block(block, 77);
	block[4095] ^= 1;
	write_block(fd, 77, block);
	close(fd);
	build(copy_at, copy_index, &stats);
	b = open_index(copy_index);
	assert_memory_not_equal(index_root(a), index_root(b), DIGEST_BYTES);
	index_close(b);
	index_close(a);
}

static void
a_touched_image_makes_the_index_stale(void **state)
{
	struct index *idx = open_index(index_at);
	struct err e;
	struct image *img = image_open(image_at, &e);
	int fd;

	(void)state;
	assert_non_null(img);
	assert_true(index_is_current(idx, img));
	image_close(img);
	fd = open(image_at, O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 3000 * PAGE_BYTES), 1);
	close(fd);
	img = image_open(image_at, &e);
	assert_false(index_is_current(idx, img));
	image_close(img);
	make_image(image_at);
	index_close(idx);
}

static void
ten_thousand_flips_are_all_found(void **state)
{
	uint64_t random = 1;
	struct stat st;
	uint8_t *bytes;
	struct err e;
	int fd, out;

	(void)state;
	fd = open(index_at, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	out = open(other_at, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(out, bytes, (size_t)st.st_size), st.st_size);
	index_close(open_index(other_at));
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t r = test_random(&random);
		off_t at = (off_t)(r % (uint64_t)st.st_size);
		uint8_t was = bytes[at], now = was ^ (uint8_t)(1u << (r >> 61));
		struct index *idx;

		assert_int_equal(pwrite(out, &now, 1, at), 1);
		idx = index_open(other_at, &e);
		if (idx)
			fail_msg("flip at byte %llu not found",
				 (unsigned long long)at);
		assert_true(e.code == ERR_CORRUPT || e.code == ERR_VERSION);
		assert_int_equal(pwrite(out, &was, 1, at), 1);
	}
	index_close(open_index(other_at));
	close(out);
	free(bytes);
}

static void
any_truncation_is_refused(void **state)
{
	struct stat st;
	struct err e;

	(void)state;
	assert_int_equal(stat(other_at, &st), 0);
	for (off_t len = st.st_size - 1; len >= 0;
	     len -= len > 5000 ? 4099 : 1) {
		struct index *idx;

		assert_int_equal(truncate(other_at, len), 0);
		idx = index_open(other_at, &e);
		assert_null(idx);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
}

static void
an_empty_and_a_tiny_image_work(void **state)
{
	static const off_t sizes[] = { 0, 100, 4096, 4097, 4096 * 1024 };
	struct index_build_stats stats;
	uint32_t out[INDEX_CANDIDATES];
	struct index *idx;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = open(other_at, O_RDWR | O_CREAT | O_TRUNC, 0600);
		char at[128];

		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		close(fd);
		snprintf(at, sizeof(at), "%s/tiny.idx", folder);
		build(other_at, at, &stats);
		idx = open_index(at);
		assert_int_equal(index_nblocks(idx), sizes[i] / 4096);
		assert_int_equal(index_unique_blocks(idx), 0);
		assert_int_equal(index_find(idx, 12345, out), 0);
		index_close(idx);
	}
}

static void
cancelling_leaves_no_file(void **state)
{
	sig_atomic_t stop = 1;
	struct index_how cancelled = { .threads = 2, .cancelled = &stop };
	struct index_build_stats stats;
	struct err e;
	struct image *img = image_open(image_at, &e);
	char at[128];

	(void)state;
	snprintf(at, sizeof(at), "%s/none/x.idx", folder);
	assert_non_null(img);
	assert_err(index_build(img, at, &how, &stats, &e), &e, ERR_SYSTEM);
	snprintf(at, sizeof(at), "%s/cancelled.idx", folder);
	assert_err(index_build(img, at, &cancelled, &stats, &e), &e,
		   ERR_CANCELLED);
	assert_int_equal(access(at, F_OK), -1);
	image_close(img);
}

/* 100 blocks with one home: 90 fit, there and in the 8 buckets after it. */
static void
a_crowded_bucket_spills(void **state)
{
	static struct index_bucket buckets[4 + INDEX_SPILL_MAX];
	static struct index_piece piece;
	uint32_t slot = 1, out[INDEX_CANDIDATES];
	struct index_table t = { buckets, 4 };
	struct index_pieces pieces = { &slot, &piece };
	uint64_t home = 3ull << 62; /* of the last of 4 */

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		piece.prints[i].b[0] = (uint8_t)(i + 1);
		assert_int_equal(index_table_add(&t, &pieces, home | i, i),
				 i < 90 ? INDEX_ADDED : INDEX_NO_ROOM);
	}
	assert_int_equal(index_table_add(&t, &pieces, home | 89, 89),
			 INDEX_EQUAL);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(index_table_find(&t, home | i, out), i < 90);
		if (i < 90)
			assert_int_equal(out[0], i);
	}
	/* Others of the same tag: as many as a lookup gives. */
	memset(buckets, 0, sizeof(buckets));
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(index_table_add(&t, &pieces, 7, i),
				 INDEX_ADDED);
	assert_int_equal(index_table_find(&t, 7, out), INDEX_CANDIDATES);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test-index-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(image_at, sizeof(image_at), "%s/disk.img", folder);
	snprintf(index_at, sizeof(index_at), "%s/disk.idx", folder);
	snprintf(other_at, sizeof(other_at), "%s/other", folder);
	make_image(image_at);
	return 0;
}

static int
teardown(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", folder);
	return system(cmd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_block_is_found_by_its_hint),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(fingerprints_are_those_of_the_blocks),
		cmocka_unit_test(region_digests_cover_the_fingerprints),
		cmocka_unit_test(root_is_equal_for_equal_content_only),
		cmocka_unit_test(ten_thousand_flips_are_all_found),
		cmocka_unit_test(any_truncation_is_refused),
		cmocka_unit_test(an_empty_and_a_tiny_image_work),
		cmocka_unit_test(cancelling_leaves_no_file),
		cmocka_unit_test(a_crowded_bucket_spills),
		cmocka_unit_test(a_touched_image_makes_the_index_stale),
	};

	return cmocka_run_group_tests_name("index", tests, setup, teardown);
}
