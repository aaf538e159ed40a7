/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/map.h"
#include "dedup/index.h"

struct index {
	struct map map;
	struct index_header header;
	struct image_part parts[PARTITION_PARTS_MAX];
	struct image_file files[DISK_FILES_MAX];
	struct extent *extents;
	const struct digest *regions;
	struct index_pieces pieces;
	struct index_table table;
};

static const uint8_t *
section(const struct index *idx, enum index_section s)
{
	return idx->map.data + index_section_start(&idx->header, s);
}

static int
check_sums(const struct index *idx, struct err *e)
{
	static const char *const names[INDEX__MAX] = {
		"files",        "parts",   "regions", "slots",
		"fingerprints", "buckets", "kernels", "extents",
	};
	const struct index_header *h = &idx->header;

	for (enum index_section s = 0; s < INDEX__MAX; s++) {
		uint64_t start = index_section_start(h, s);
		uint64_t len = index_section_start(h, s + 1) - start;

		if (digest_hint(idx->map.data + start, len) != h->sums[s])
			return err_set(e, ERR_CORRUPT, "damaged: %s", names[s]);
	}
	return 0;
}

/* Parts follow each other in numbers and in the disk. */
static int
read_parts(struct index *idx, struct err *e)
{
	const struct index_header *h = &idx->header;
	struct span s = span_of(section(idx, INDEX_PARTS),
				index_section_bytes(h, INDEX_PARTS));
	uint64_t blocks = 0, byte = 0;

	for (uint32_t i = 0; i < h->nparts; i++) {
		struct image_part *p = &idx->parts[i];

		if (index_part_get(&s, p, e) < 0)
			return -1;
		if (p->offset < byte || p->offset > h->image_size ||
		    p->nblocks > (h->image_size - p->offset) / PAGE_BYTES ||
		    p->first_block != blocks)
			return err_set(e, ERR_CORRUPT, "part %u makes no sense",
				       i);
		blocks += p->nblocks;
		byte = p->offset + p->nblocks * PAGE_BYTES;
	}
	if (blocks != h->nblocks)
		return err_set(e, ERR_CORRUPT, "its parts have %llu blocks",
			       (unsigned long long)blocks);
	return 0;
}

static int
read_files(struct index *idx, struct err *e)
{
	const struct index_header *h = &idx->header;
	struct span s = span_of(section(idx, INDEX_FILES),
				index_section_bytes(h, INDEX_FILES));

	for (uint32_t i = 0; i < h->nfiles; i++)
		if (index_file_get(&s, &idx->files[i], e) < 0)
			return -1;
	return 0;
}

static int
read_extents(struct index *idx, struct err *e)
{
	const struct index_header *h = &idx->header;
	struct span s = span_of(section(idx, INDEX_EXTENTS),
				index_section_bytes(h, INDEX_EXTENTS));

	if (h->nextents == 0)
		return 0;
	idx->extents = calloc(h->nextents, sizeof(*idx->extents));
	if (!idx->extents)
		return err_sys(e, "%llu extents",
			       (unsigned long long)h->nextents);
	return extents_get(s, h->nextents, h->nblocks, idx->extents, e);
}

/* Pieces stand in the order of their regions, each exactly once. */
static int
check_slots(const struct index *idx, struct err *e)
{
	uint64_t n = index_nregions(&idx->header), next = 1;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t slot = le32toh(idx->pieces.slots[i]);

		if (slot != 0 && slot != next++)
			return err_set(e, ERR_CORRUPT,
				       "slot %llu makes no sense",
				       (unsigned long long)i);
	}
	if (next - 1 != idx->header.npieces)
		return err_set(e, ERR_CORRUPT, "%llu slots for %llu pieces",
			       (unsigned long long)next - 1,
			       (unsigned long long)idx->header.npieces);
	return 0;
}

size_t
index_kernels(const struct index *idx, uint64_t out[INDEX_KERNELS_MAX])
{
	const uint8_t *at = section(idx, INDEX_KERNELS);

	for (uint32_t i = 0; i < idx->header.nkernels; i++) {
		memcpy(&out[i], at + i * sizeof(out[i]), sizeof(out[i]));
		out[i] = le64toh(out[i]);
	}
	return idx->header.nkernels;
}

static int
check_kernels(const struct index *idx, struct err *e)
{
	uint64_t kernels[INDEX_KERNELS_MAX];
	size_t n = index_kernels(idx, kernels);

	for (size_t i = 0; i < n; i++)
		if (kernels[i] >= idx->header.nblocks)
			return err_set(e, ERR_CORRUPT,
				       "kernel %zu makes no sense", i);
	return 0;
}

static int
index_check(struct index *idx, struct err *e)
{
	if (idx->map.len < INDEX_HEADER)
		return err_set(e, ERR_CORRUPT, "not an index: %zu bytes",
			       idx->map.len);
	if (index_header_get(idx->map.data, &idx->header, e) < 0)
		return -1;
	if (idx->map.len != index_section_start(&idx->header, INDEX__MAX))
		return err_set(e, ERR_CORRUPT,
			       "%zu bytes where an index of %llu should be",
			       idx->map.len,
			       (unsigned long long)index_section_start(
				       &idx->header, INDEX__MAX));
	if (check_sums(idx, e) < 0)
		return -1;
	idx->regions = (const void *)section(idx, INDEX_REGIONS);
	idx->pieces.slots = (const void *)section(idx, INDEX_SLOTS);
	idx->pieces.at = (const void *)section(idx, INDEX_PIECES);
	idx->table.buckets = (void *)(uintptr_t)section(idx, INDEX_BUCKETS);
	idx->table.nhomes = idx->header.nbuckets;
	if (read_parts(idx, e) < 0 || read_files(idx, e) < 0 ||
	    read_extents(idx, e) < 0)
		return -1;
	/* All of the file was read, but of that the hints are for others. */
	madvise((void *)(uintptr_t)idx->map.data, idx->map.len, MADV_DONTNEED);
	if (check_slots(idx, e) < 0)
		return -1;
	return check_kernels(idx, e);
}

struct index *
index_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		(void)err_sys(e, "%s", path);
		return NULL;
	}
	return index_take(fd, path, e);
}

struct index *
index_take(int fd, const char *path, struct err *e)
{
	struct index *idx = calloc(1, sizeof(*idx));

	if (!idx) {
		(void)err_sys(e, "%s", path);
		close(fd);
		return NULL;
	}
	if (map_take(&idx->map, fd, path, e) < 0) {
		free(idx);
		return NULL;
	}
	if (idx->map.len)
		madvise((void *)(uintptr_t)idx->map.data, idx->map.len,
			MADV_WILLNEED);
	if (index_check(idx, e) < 0) {
		(void)err_prefix(e, "%s", path);
		index_close(idx);
		return NULL;
	}
	return idx;
}

void
index_close(struct index *idx)
{
	if (!idx)
		return;
	map_close(&idx->map);
	free(idx->extents);
	free(idx);
}

/* The ctime does not count: libvirt changes a file's owner whenever a VM that
 * uses it starts or stops.
 */
static bool
same_file(const struct image_file *a, const struct image_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->silent == b->silent;
}

bool
index_is_current(const struct index *idx, const struct image *img)
{
	size_t n;
	const struct image_file *files = image_files(img, &n);

	return image_size(img) == idx->header.image_size &&
	       image_nblocks(img) == idx->header.nblocks &&
	       index_is_of_files(idx, image_format(img), files, n);
}

bool
index_is_of_files(const struct index *idx, const char *format,
		  const struct image_file *files, size_t n)
{
	if (n != idx->header.nfiles || strcmp(format, idx->header.format) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same_file(&files[i], &idx->files[i]))
			return false;
	return true;
}

const struct index_header *
index_header(const struct index *idx)
{
	return &idx->header;
}

const struct image_part *
index_parts(const struct index *idx, size_t *n)
{
	*n = idx->header.nparts;
	return idx->parts;
}

uint64_t
index_nblocks(const struct index *idx)
{
	return idx->header.nblocks;
}

uint64_t
index_unique_blocks(const struct index *idx)
{
	return idx->header.unique_blocks;
}

size_t
index_file_bytes(const struct index *idx)
{
	return idx->map.len;
}

void
index_tell_extents(const struct index *idx, struct image *img)
{
	image_set_extents(img, idx->extents, idx->header.nextents);
}

const struct digest *
index_root(const struct index *idx)
{
	return &idx->header.root;
}

const struct digest *
index_regions(const struct index *idx, size_t *n)
{
	*n = index_nregions(&idx->header);
	return idx->regions;
}

const struct fingerprint *
index_fingerprint(const struct index *idx, uint64_t block)
{
	static const struct fingerprint none;

	if (block >= idx->header.nblocks)
		return &none;
	return index_pieces_print(&idx->pieces, block);
}

uint64_t
index_hint(const struct index *idx, uint64_t block)
{
	return block < idx->header.nblocks
		       ? index_pieces_hint(&idx->pieces, block)
		       : 0;
}

bool
index_has_kernel(const struct index *idx, uint64_t block)
{
	uint64_t kernels[INDEX_KERNELS_MAX];
	size_t n = index_kernels(idx, kernels);

	while (n > 0 && kernels[n - 1] != block)
		n--;
	return n > 0;
}

bool
index_block_at(const struct index *idx, uint64_t offset, uint64_t *block)
{
	for (uint32_t i = 0; i < idx->header.nparts; i++) {
		const struct image_part *p = &idx->parts[i];
		uint64_t n = (offset - p->offset) / PAGE_BYTES;

		if (offset < p->offset || n >= p->nblocks)
			continue;
		*block = p->first_block + n;
		return (offset - p->offset) % PAGE_BYTES == 0;
	}
	return false;
}

bool
index_is_of_backing(const struct index *idx, const struct image *img)
{
	size_t n, own = image_nown(img);
	const struct image_file *files = image_files(img, &n);
	const char *format;

	if (!image_backing(img, &format) || n - own != idx->header.nfiles ||
	    strcmp(format, idx->header.format) != 0)
		return false;
	for (size_t i = own; i < n; i++)
		if (files[i].silent ||
		    !same_file(&files[i], &idx->files[i - own]))
			return false;
	return true;
}

void
index_prefetch(const struct index *idx, uint64_t hint)
{
	index_table_prefetch(&idx->table, hint);
}

size_t
index_find(const struct index *idx, uint64_t hint,
	   uint32_t out[INDEX_CANDIDATES])
{
	size_t n = index_table_find(&idx->table, hint, out), kept = 0;

	for (size_t i = 0; i < n; i++)
		if (out[i] < idx->header.nblocks)
			out[kept++] = out[i];
	return kept;
}

int
index_dup(const struct index *idx)
{
	return fcntl(idx->map.fd, F_DUPFD_CLOEXEC, 0);
}
