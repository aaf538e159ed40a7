/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/page.h"
#include "dedup/index.h"

/* An index whose maker meant harm: its checksums are right.  The input is the
 * beginning of the header and then of each section; zeros follow each.
 */
#define HEAD_BYTES    256
#define SECTION_BYTES 1024 /* from the input, at most */
#define FILE_MAX      (2u << 20)

static struct index *
open_bytes(const uint8_t *bytes, size_t len)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct index *idx;
	struct err e;
	char path[32];

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	idx = index_open(path, &e);
	fuzz_check(idx || e.code == ERR_CORRUPT || e.code == ERR_VERSION);
	return idx;
}

/* Whatever is asked, answers are blocks of the image. */
static void
ask(const struct index *idx, uint64_t hint)
{
	uint64_t n = index_nblocks(idx), block;
	uint32_t out[INDEX_CANDIDATES];
	unsigned sum = 0;
	size_t found;

	index_prefetch(idx, hint);
	found = index_find(idx, hint, out);
	fuzz_check(found <= INDEX_CANDIDATES);
	for (size_t i = 0; i < found; i++) {
		fuzz_check(out[i] < n);
		sum += index_fingerprint(idx, out[i])->b[15];
		sum += (unsigned)(index_hint(idx, out[i]) & 1);
	}
	sum += index_fingerprint(idx, hint)->b[0];
	if (n)
		sum += index_fingerprint(idx, hint % n)->b[0];
	fuzz_check(sum <= 10 * UINT8_MAX);
	fuzz_check(!index_block_at(idx, hint, &block) || block < n);
}

static void
ask_all(const struct index *idx, const uint8_t *data, size_t size)
{
	uint64_t kernels[INDEX_KERNELS_MAX];
	const struct digest *regions;
	unsigned sum = 0;
	size_t n;

	for (uint64_t hint = 1, i = 0; i < 64; i++, hint *= 0x9e3779b97f4a7c15)
		ask(idx, hint);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t hint;

		memcpy(&hint, data + i, sizeof(hint));
		ask(idx, hint);
	}
	regions = index_regions(idx, &n);
	for (size_t i = 0; i < n; i++)
		sum += regions[i].b[0];
	fuzz_check(sum <= n * UINT8_MAX);
	n = index_kernels(idx, kernels);
	fuzz_check(n <= INDEX_KERNELS_MAX);
	while (n-- > 0)
		fuzz_check(kernels[n] < index_nblocks(idx) &&
			   index_has_kernel(idx, kernels[n]));
}

/* Puts input into each section and makes its checksum right. */
static void
fill_sections(struct index_header *h, uint8_t *file, struct span in)
{
	for (enum index_section s = 0; s < INDEX__MAX; s++) {
		uint64_t start = index_section_start(h, s);
		uint64_t end = index_section_start(h, s + 1);
		size_t n = MIN(MIN(in.left, SECTION_BYTES),
			       index_section_bytes(h, s));
		struct err e;

		fuzz_ok(span_get(&in, file + start, n, &e), &e);
		h->sums[s] = digest_hint(file + start, end - start);
	}
}

static void
open_made(const uint8_t *data, size_t size)
{
	uint8_t page[INDEX_HEADER] = { 0 };
	size_t head = MIN(size, (size_t)HEAD_BYTES);
	auto_free uint8_t *file = NULL;
	struct index_header h;
	struct index *idx;
	uint64_t len, sum;
	struct err e;

	memcpy(page, data, head);
	sum = htole64(digest_hint(page, INDEX_HEADER - 8));
	memcpy(page + INDEX_HEADER - 8, &sum, sizeof(sum));
	if (index_header_get(page, &h, &e) < 0)
		return;
	len = index_section_start(&h, INDEX__MAX);
	if (len > FILE_MAX)
		return;
	file = calloc(1, len);
	fuzz_check(file != NULL);
	fill_sections(&h, file, span_of(data + head, size - head));
	fuzz_ok(index_header_put(&h, file, &e), &e);
	idx = open_bytes(file, len);
	if (idx)
		ask_all(idx, data, size);
	index_close(idx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index *idx = open_bytes(data, size);

	if (idx)
		ask_all(idx, data, size);
	index_close(idx);
	open_made(data, size);
	return 0;
}

/* What a seed says of itself; its sections follow the header as they are. */
static void
put_head(struct buf *out, struct index_header h)
{
	uint8_t page[INDEX_HEADER];
	struct err e;

	strcpy(h.format, "raw");
	strcpy(h.path, "/disk.img");
	fuzz_ok(index_header_put(&h, page, &e), &e);
	fuzz_ok(buf_put(out, page, HEAD_BYTES, &e), &e);
}

static void
put_zeros(struct buf *out, uint64_t n)
{
	struct err e;

	for (uint64_t i = 0; i < n; i++)
		fuzz_ok(buf_put_u8(out, 0, &e), &e);
}

/* Region 0 has a piece, region 1 none; block 7 is in the one bucket. */
static void
put_small(struct buf *out)
{
	struct index_header h = { .nfiles = 1,
				  .nparts = 1,
				  .nkernels = 1,
				  .image_size = 1500 * PAGE_BYTES,
				  .nblocks = 1500,
				  .unique_blocks = 1,
				  .npieces = 1,
				  .nbuckets = 1,
				  .nextents = 2 };
	struct image_part part = { 0, 0, 1500 };
	struct image_file file = { .ino = 1 };
	static const uint32_t extents[] = { 9, 0, 9, 1, 9, 1, 20, 1 };
	struct index_bucket bucket = {
		.tags = { 0x1234 }, .blocks = { 7 }, .used = 1, .spilled = 1
	};
	struct err e;

	put_head(out, h);
	fuzz_ok(index_file_put(out, &file, &e), &e);
	fuzz_ok(index_part_put(out, &part, &e), &e);
	put_zeros(out, 2 * DIGEST_BYTES);
	fuzz_ok(buf_put_u32(out, 1, &e), &e);
	fuzz_ok(buf_put_u32(out, 0, &e), &e);
	put_zeros(out, SECTION_BYTES);
	fuzz_ok(buf_put(out, &bucket, sizeof(bucket), &e), &e);
	put_zeros(out, INDEX_SPILL_MAX * sizeof(bucket));
	fuzz_ok(buf_put_u64(out, 9, &e), &e);
	for (unsigned i = 0; i < ARRAY_LEN(extents); i++)
		fuzz_ok(buf_put_u32(out, extents[i], &e), &e);
}

static void
put_parts(struct buf *out)
{
	struct index_header h = { .nfiles = 2,
				  .nparts = 2,
				  .image_size = 4 * PAGE_BYTES,
				  .nblocks = 3 };
	struct image_part first = { 0, 0, 1 }, second = { 4608, 1, 2 };
	struct image_file file = { .size = 4096, .silent = true };
	struct err e;

	put_head(out, h);
	fuzz_ok(index_file_put(out, &file, &e), &e);
	fuzz_ok(index_file_put(out, &file, &e), &e);
	fuzz_ok(index_part_put(out, &first, &e), &e);
	fuzz_ok(index_part_put(out, &second, &e), &e);
	put_zeros(out, DIGEST_BYTES + 4);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		put_small(out);
		return "small";
	case 1:
		put_parts(out);
		return "two-parts";
	case 2:
		put_head(out, (struct index_header){ .nfiles = 1 });
		return "empty";
	default:
		return NULL;
	}
}
