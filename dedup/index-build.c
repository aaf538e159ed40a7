/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/newfile.h"
#include "common/page.h"
#include "dedup/filesystems.h"
#include "dedup/index-build.h"
#include "dedup/index-file.h"
#include "dedup/index-scan.h"
#include "dedup/index-table.h"

/* How many blocks ahead buckets are fetched. */
#define AHEAD 16

/* The image is read once, and what is found goes to the file as it comes.
 * How many buckets there must be is known only when equal blocks have been
 * found; they are filled at the end from what was written.
 */
struct builder {
	struct image *img;
	const struct index_how *how;
	struct newfile out;
	struct index_header header;
	struct digest *regions;
	uint32_t *slots;
	uint64_t *numbers; /* of the region of each piece */
	uint64_t kernels[INDEX_KERNELS_MAX];
	XXH3_state_t *pieces_sum; /* over the pieces written so far */
	struct index_pieces pieces;
	struct index_table table;
	uint64_t nonzero;
	struct index_build_stats *stats;
};

static int
write_section(struct builder *b, enum index_section s, const void *bytes,
	      struct err *e)
{
	static const uint8_t zeros[PAGE_BYTES];
	const struct index_header *h = &b->header;
	uint64_t start = index_section_start(h, s);
	uint64_t len = index_section_bytes(h, s);
	uint64_t pad = index_section_start(h, s + 1) - start - len;
	XXH3_state_t *sum = XXH3_createState();

	if (!sum)
		return err_sys(e, "index");
	XXH3_64bits_reset(sum);
	XXH3_64bits_update(sum, bytes, len);
	XXH3_64bits_update(sum, zeros, pad);
	b->header.sums[s] = XXH3_64bits_digest(sum);
	XXH3_freeState(sum);
	if (len == 0)
		return 0;
	if (newfile_write(&b->out, start, bytes, len, e) < 0)
		return -1;
	return newfile_write(&b->out, start + len, zeros, pad, e);
}

static int
write_files(struct builder *b, struct err *e)
{
	size_t n;
	const struct image_file *files = image_files(b->img, &n);
	struct buf buf;
	int ret = 0;

	buf_init(&buf, DISK_FILES_MAX * INDEX_FILE_BYTES);
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = index_file_put(&buf, &files[i], e);
	if (ret == 0)
		ret = write_section(b, INDEX_FILES, buf.data, e);
	buf_fini(&buf);
	return ret;
}

static int
write_parts(struct builder *b, struct err *e)
{
	size_t n;
	const struct image_part *parts = image_parts(b->img, &n);
	struct buf buf;
	int ret = 0;

	buf_init(&buf, PARTITION_PARTS_MAX * INDEX_PART_BYTES);
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = index_part_put(&buf, &parts[i], e);
	if (ret == 0)
		ret = write_section(b, INDEX_PARTS, buf.data, e);
	buf_fini(&buf);
	return ret;
}

static int
write_extents(struct builder *b, struct err *e)
{
	struct buf buf;
	int ret;

	buf_init(&buf, EXTENTS_MAX * EXTENT_BYTES);
	ret = filesystems_find(b->img, b->header.data_blocks, &buf, e);
	b->header.nextents = buf.len / EXTENT_BYTES;
	if (ret == 0)
		ret = write_section(b, INDEX_EXTENTS, buf.data, e);
	buf_fini(&buf);
	return ret;
}

/* The digest of every region that holds only zeros. */
static int
fill_regions(struct builder *b, struct err *e)
{
	static const struct fingerprint zeros[INDEX_REGION_BLOCKS];
	const struct index_header *h = &b->header;
	uint64_t n = index_nregions(h), last;

	if (n == 0)
		return 0;
	last = h->nblocks - (n - 1) * INDEX_REGION_BLOCKS;
	if (digest_bytes(zeros, sizeof(zeros), &b->regions[0], e) < 0)
		return -1;
	for (uint64_t i = 1; i < n; i++)
		b->regions[i] = b->regions[0];
	return digest_bytes(zeros, last * FINGERPRINT_BYTES, &b->regions[n - 1],
			    e);
}

static unsigned
count_bits(const uint64_t words[INDEX_REGION_WORDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < INDEX_REGION_WORDS; i++)
		n += (unsigned)__builtin_popcountll(words[i]);
	return n;
}

static void
add_kernels(struct builder *b, const struct index_region *r)
{
	struct index_header *h = &b->header;

	for (unsigned i = 0; i < INDEX_REGION_WORDS; i++)
		for (uint64_t w = r->kernels[i]; w; w &= w - 1) {
			uint64_t n = r->number * INDEX_REGION_BLOCKS + 64 * i +
				     (unsigned)__builtin_ctzll(w);

			if (h->nkernels < INDEX_KERNELS_MAX)
				b->kernels[h->nkernels++] = htole64(n);
		}
}

static int
add_region(struct builder *b, const struct index_region *r, struct err *e)
{
	struct index_header *h = &b->header;
	const struct index_piece *p = &r->piece;
	uint64_t at =
		index_section_start(h, INDEX_PIECES) + h->npieces * sizeof(*p);

	h->data_blocks += count_bits(r->data);
	b->stats->read_blocks += count_bits(r->data) - count_bits(r->known);
	b->stats->cpu_ns += r->cpu_ns;
	add_kernels(b, r);
	if (r->is_zero)
		return 0;
	for (unsigned i = 0; i < r->nblocks; i++)
		b->nonzero += !index_print_is_zero(&p->prints[i]);
	if (newfile_write(&b->out, at, p, sizeof(*p), e) < 0 ||
	    digest_bytes(p->prints, r->nblocks * FINGERPRINT_BYTES,
			 &b->regions[r->number], e) < 0)
		return -1;
	XXH3_64bits_update(b->pieces_sum, p, sizeof(*p));
	b->numbers[h->npieces] = r->number;
	b->slots[r->number] = htole32((uint32_t)++h->npieces);
	return 0;
}

static int
read_image(struct builder *b, struct err *e)
{
	struct index_scan *s =
		index_scan_new(b->img, b->how->backing, b->how->threads, e);
	const struct index_region *r;
	int ret;

	if (!s)
		return -1;
	while ((ret = index_scan_next(s, &r, e)) == 0 && r) {
		if (b->how->cancelled && *b->how->cancelled)
			ret = err_set(e, ERR_CANCELLED, "interrupted");
		if (ret < 0 || (ret = add_region(b, r, e)) < 0)
			break;
		if (b->how->report)
			b->how->report(b->how->arg,
				       r->number * INDEX_REGION_BLOCKS +
					       r->nblocks,
				       b->header.nblocks);
	}
	index_scan_free(s);
	b->header.sums[INDEX_PIECES] = XXH3_64bits_digest(b->pieces_sum);
	return ret;
}

/* Enters all blocks; counts those that are unlike any before. */
static uint64_t
fill_table(struct builder *b)
{
	uint64_t unique = 0;

	for (uint64_t n = 0; n < b->header.npieces; n++) {
		const struct index_piece *p = &b->pieces.at[n];
		uint64_t first = b->numbers[n] * INDEX_REGION_BLOCKS;

		for (unsigned i = 0; i < INDEX_REGION_BLOCKS; i++) {
			uint64_t hint = le64toh(p->hints[i]);
			uint32_t block = (uint32_t)(first + i);

			if (i + AHEAD < INDEX_REGION_BLOCKS)
				index_table_prefetch(
					&b->table,
					le64toh(p->hints[i + AHEAD]));
			if (!index_print_is_zero(&p->prints[i]) &&
			    index_table_add(&b->table, &b->pieces, hint,
					    block) != INDEX_EQUAL)
				unique++;
		}
	}
	return unique;
}

static int
size_table(struct builder *b, uint64_t entries, struct err *e)
{
	uint64_t bytes;

	free(b->table.buckets);
	b->header.nbuckets = b->table.nhomes = index_table_homes(entries);
	bytes = index_section_bytes(&b->header, INDEX_BUCKETS);
	b->table.buckets = aligned_alloc(INDEX_BUCKET_BYTES, bytes);
	if (!b->table.buckets)
		return err_sys(e, "%llu bytes of buckets",
			       (unsigned long long)bytes);
	memset(b->table.buckets, 0, bytes);
	return 0;
}

/* Fills a table for as many entries as there may be, and where many of them
 * turn out to be equal, a smaller one.
 */
static int
build_table(struct builder *b, struct err *e)
{
	uint64_t unique;

	if (size_table(b, b->nonzero, e) < 0)
		return -1;
	unique = fill_table(b);
	if (unique < b->nonzero - b->nonzero / 32) {
		if (size_table(b, unique, e) < 0)
			return -1;
		unique = fill_table(b);
	}
	b->header.unique_blocks = unique;
	return 0;
}

static int
make_table(struct builder *b, struct err *e)
{
	uint64_t before = clock_cpu_ns();
	uint64_t start = index_section_start(&b->header, INDEX_PIECES);
	uint64_t len = index_section_bytes(&b->header, INDEX_PIECES);
	void *pieces =
		mmap(NULL, len, PROT_READ, MAP_SHARED, b->out.fd, (off_t)start);
	int ret;

	if (pieces == MAP_FAILED)
		return err_sys(e, "mapping %llu bytes",
			       (unsigned long long)len);
	b->pieces = (struct index_pieces){ b->slots, pieces };
	ret = build_table(b, e);
	munmap(pieces, len);
	b->stats->cpu_ns += clock_cpu_ns() - before;
	return ret;
}

/* All but the pieces, which are there. */
static int
write_rest(struct builder *b, struct err *e)
{
	uint8_t page[INDEX_HEADER];
	size_t n;

	if (write_files(b, e) < 0 || write_parts(b, e) < 0 ||
	    write_section(b, INDEX_BUCKETS, b->table.buckets, e) < 0 ||
	    write_section(b, INDEX_KERNELS, b->kernels, e) < 0 ||
	    write_extents(b, e) < 0 ||
	    write_section(b, INDEX_REGIONS, b->regions, e) < 0 ||
	    write_section(b, INDEX_SLOTS, b->slots, e) < 0 ||
	    index_root_of(&b->header, image_parts(b->img, &n), b->regions,
			  &b->header.root, e) < 0 ||
	    index_header_put(&b->header, page, e) < 0)
		return -1;
	return newfile_write(&b->out, 0, page, sizeof(page), e);
}

static int
header_init(struct builder *b, struct err *e)
{
	struct index_header *h = &b->header;
	auto_free char *real = realpath(image_path(b->img), NULL);
	size_t nfiles, nparts;

	(void)image_files(b->img, &nfiles);
	(void)image_parts(b->img, &nparts);
	h->nfiles = (uint32_t)nfiles;
	h->nparts = (uint32_t)nparts;
	h->image_size = image_size(b->img);
	h->nblocks = image_nblocks(b->img);
	if (h->nblocks > INDEX_BLOCKS_MAX)
		return err_set(e, ERR_LIMIT,
			       "%s: an index holds at most 16 TiB of disk",
			       image_path(b->img));
	if (!real)
		return err_sys(e, "%s", image_path(b->img));
	if (strlen(real) >= sizeof(h->path))
		return err_set(e, ERR_LIMIT, "%s: the path is too long",
			       image_path(b->img));
	strcpy(h->path, real);
	strncpy(h->format, image_format(b->img), sizeof(h->format) - 1);
	return 0;
}

static int
builder_init(struct builder *b, const char *path, struct err *e)
{
	uint64_t n;

	if (header_init(b, e) < 0)
		return -1;
	n = index_nregions(&b->header);
	b->regions = calloc(n + 1, sizeof(*b->regions));
	b->slots = calloc(n + 1, sizeof(*b->slots));
	b->numbers = calloc(n + 1, sizeof(*b->numbers));
	b->pieces_sum = XXH3_createState();
	if (!b->regions || !b->slots || !b->numbers || !b->pieces_sum)
		return err_sys(e, "%llu regions", (unsigned long long)n);
	XXH3_64bits_reset(b->pieces_sum);
	if (newfile_open(&b->out, path, e) < 0)
		return -1;
	return fill_regions(b, e);
}

static void
builder_fini(struct builder *b)
{
	newfile_close(&b->out);
	free(b->regions);
	free(b->slots);
	free(b->numbers);
	free(b->table.buckets);
	XXH3_freeState(b->pieces_sum);
}

int
index_build(struct image *img, const char *path, const struct index_how *how,
	    struct index_build_stats *stats, struct err *e)
{
	struct builder b = {
		.img = img, .how = how, .out = { .fd = -1 }, .stats = stats
	};
	uint64_t before = clock_wall_ns();
	int ret;

	*stats = (struct index_build_stats){ 0 };
	if (builder_init(&b, path, e) < 0 || read_image(&b, e) < 0 ||
	    (b.header.npieces && make_table(&b, e) < 0) ||
	    write_rest(&b, e) < 0)
		ret = err_prefix(e, "index of %s", image_path(img));
	else
		ret = newfile_commit(&b.out, e);
	stats->data_blocks = b.header.data_blocks;
	stats->unique_blocks = b.header.unique_blocks;
	stats->wall_ns = clock_wall_ns() - before;
	builder_fini(&b);
	return ret;
}
