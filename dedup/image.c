/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/disk.h"
#include "dedup/image.h"
#include "dedup/partition.h"

struct image {
	struct disk disk;
	struct image_part parts[PARTITION_PARTS_MAX];
	size_t nparts;
	uint64_t nblocks;
	char *path;
};

static int
image_init(struct image *img, const char *path, const char *format,
	   struct err *e)
{
	const struct image_part *last;

	if (disk_open(&img->disk, path, format, e) < 0)
		return -1;
	img->path = strdup(path);
	if (!img->path)
		return err_sys(e, "%s", path);
	if (partition_parts(&img->disk, img->parts, &img->nparts, e) < 0)
		return err_prefix(e, "%s", path);
	if (img->nparts == 0)
		return 0;
	last = &img->parts[img->nparts - 1];
	img->nblocks = last->first_block + last->nblocks;
	return 0;
}

struct image *
image_open_as(const char *path, const char *format, struct err *e)
{
	struct image *img = calloc(1, sizeof(*img));

	if (!img) {
		(void)err_sys(e, "%s", path);
		return NULL;
	}
	if (image_init(img, path, format, e) < 0) {
		image_close(img);
		return NULL;
	}
	return img;
}

struct image *
image_open(const char *path, struct err *e)
{
	return image_open_as(path, NULL, e);
}

void
image_close(struct image *img)
{
	if (!img)
		return;
	disk_close(&img->disk);
	free(img->path);
	free(img);
}

const char *
image_path(const struct image *img)
{
	return img->path;
}

const char *
image_format(const struct image *img)
{
	return img->disk.format;
}

uint64_t
image_size(const struct image *img)
{
	return img->disk.size;
}

uint64_t
image_nblocks(const struct image *img)
{
	return img->nblocks;
}

const struct image_part *
image_parts(const struct image *img, size_t *n)
{
	*n = img->nparts;
	return img->parts;
}

const struct image_file *
image_files(const struct image *img, size_t *n)
{
	*n = img->disk.nfiles;
	return img->disk.files;
}

/* The part that block n < nblocks is in. */
static const struct image_part *
part_of(const struct image *img, uint64_t n)
{
	const struct image_part *p = img->parts;

	while (n >= p->first_block + p->nblocks)
		p++;
	return p;
}

static uint64_t
byte_of(const struct image_part *p, uint64_t n)
{
	return p->offset + (n - p->first_block) * PAGE_BYTES;
}

const uint8_t *
image_block(const struct image *img, uint64_t n)
{
	if (!img->disk.data || n >= img->nblocks)
		return NULL;
	return img->disk.data + byte_of(part_of(img, n), n);
}

int
image_read(struct image *img, uint64_t first, uint64_t n, uint8_t *out,
	   struct err *e)
{
	if (first > img->nblocks || n > img->nblocks - first)
		return err_set(e, ERR_CORRUPT,
			       "%s: block %llu is past the end of the image",
			       img->path, (unsigned long long)(first + n - 1));
	while (n > 0) {
		const struct image_part *p = part_of(img, first);
		uint64_t here = MIN(n, p->first_block + p->nblocks - first);

		if (disk_read(&img->disk, byte_of(p, first), out,
			      here * PAGE_BYTES, e) < 0)
			return err_prefix(e, "%s", img->path);
		out += here * PAGE_BYTES;
		first += here;
		n -= here;
	}
	return 0;
}

int
image_next_data(struct image *img, uint64_t from, uint64_t *first, uint64_t *n,
		struct err *e)
{
	while (from < img->nblocks) {
		const struct image_part *p = part_of(img, from);
		uint64_t part_end = p->first_block + p->nblocks;
		uint64_t start, end, last;
		int ret = disk_next_data(&img->disk, byte_of(p, from), &start,
					 &end, e);

		if (ret < 0)
			return err_prefix(e, "%s", img->path);
		if (ret == 0)
			return 0;
		*first = p->first_block + (start - p->offset) / PAGE_BYTES;
		last = p->first_block + (end - 1 - p->offset) / PAGE_BYTES;
		if (*first < part_end) {
			*n = MIN(last + 1, part_end) - *first;
			return 1;
		}
		from = part_end;
	}
	return 0;
}
