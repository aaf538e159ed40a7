/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	const struct extent *extents;
	size_t nextents;
	char *path;
	pthread_mutex_t lock; /* of reading where nothing is mapped */
};

static int
image_init(struct image *img, const char *path, struct err *e)
{
	const struct image_part *last;

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
	pthread_mutex_init(&img->lock, NULL);
	if (disk_open(&img->disk, path, format, e) < 0 ||
	    image_init(img, path, e) < 0) {
		image_close(img);
		return NULL;
	}
	return img;
}

struct image *
image_take(const char *name, const char *format, int fd, struct err *e)
{
	struct image *img = calloc(1, sizeof(*img));

	if (!img) {
		close(fd);
		(void)err_sys(e, "%s", name);
		return NULL;
	}
	pthread_mutex_init(&img->lock, NULL);
	if (disk_take(&img->disk, name, format, fd, e) < 0 ||
	    image_init(img, name, e) < 0) {
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
	pthread_mutex_destroy(&img->lock);
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

size_t
image_nown(const struct image *img)
{
	return img->disk.nown;
}

const char *
image_backing(const struct image *img, const char **format)
{
	*format = img->disk.backing_format;
	return img->disk.backing;
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

uint64_t
image_offset(const struct image *img, uint64_t n)
{
	return byte_of(part_of(img, n), n);
}

const uint8_t *
image_block(const struct image *img, uint64_t n)
{
	if (!img->disk.data || n >= img->nblocks)
		return NULL;
	return img->disk.data + byte_of(part_of(img, n), n);
}

static int
image_read_parts(struct image *img, uint64_t first, uint64_t n, uint8_t *out,
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
image_read(struct image *img, uint64_t first, uint64_t n, uint8_t *out,
	   struct err *e)
{
	int ret;

	if (img->disk.data)
		return image_read_parts(img, first, n, out, e);
	pthread_mutex_lock(&img->lock);
	ret = image_read_parts(img, first, n, out, e);
	pthread_mutex_unlock(&img->lock);
	return ret;
}

void
image_set_extents(struct image *img, const struct extent *x, size_t n)
{
	img->extents = x;
	img->nextents = n;
}

/* How many pieces begin no later than that block of that file. */
static size_t
pieces_upto(const struct image *img, uint64_t file, uint64_t at)
{
	size_t low = 0, high = img->nextents;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct extent *x = &img->extents[mid];

		if (x->file < file || (x->file == file && x->at <= at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The block of the image where block 'at' of a file is, and how many of n
 * follow it there; false if so many are not there.
 */
static bool
file_piece(const struct image *img, uint64_t file, uint64_t at, uint64_t *block,
	   uint64_t *n)
{
	size_t i = pieces_upto(img, file, at);
	const struct extent *x = i > 0 ? &img->extents[i - 1] : NULL;
	uint64_t in;

	if (!x || x->file != file) {
		if (file >= img->nblocks || at >= img->nblocks - file)
			return false;
		*block = file + at;
		*n = MIN(*n, img->nblocks - *block);
		return true;
	}
	in = at - x->at;
	if (in < x->n) {
		*block = x->block + in;
		*n = MIN(*n, x->n - in);
		return true;
	}
	if (i < img->nextents && x[1].file == file)
		*n = MIN(*n, x[1].at - at);
	return false;
}

int
image_read_file(struct image *img, uint64_t file, uint64_t from, uint64_t n,
		uint8_t *out, struct err *e)
{
	while (n > 0) {
		uint64_t here = n, block;

		if (!file_piece(img, file, from, &block, &here))
			memset(out, 0, here * PAGE_BYTES);
		else if (image_read(img, block, here, out, e) < 0)
			return -1;
		out += here * PAGE_BYTES;
		from += here;
		n -= here;
	}
	return 0;
}

/* The blocks of a run of bytes.  What holds data in part holds data; but what
 * comes from a backing file in part does not come from there.
 */
static struct image_run
blocks_of(const struct image_part *p, const struct disk_run *r)
{
	uint64_t end = MIN(r->end, p->offset + p->nblocks * PAGE_BYTES);
	uint64_t start = r->start - p->offset, stop = end - p->offset;
	struct image_run run = { .first = start / PAGE_BYTES };

	run.is_backing = r->is_backing && start % PAGE_BYTES == 0 &&
			 stop - start >= PAGE_BYTES;
	if (run.is_backing)
		run.n = (stop - start) / PAGE_BYTES;
	else if (r->is_backing)
		run.n = 1;
	else
		run.n = (stop - 1) / PAGE_BYTES + 1 - run.first;
	run.first += p->first_block;
	return run;
}

int
image_next_data(struct image *img, uint64_t from, struct image_run *run,
		struct err *e)
{
	while (from < img->nblocks) {
		const struct image_part *p = part_of(img, from);
		struct disk_run bytes;
		int ret =
			disk_next_data(&img->disk, byte_of(p, from), &bytes, e);

		if (ret < 0)
			return err_prefix(e, "%s", img->path);
		if (ret == 0)
			return 0;
		if (bytes.start < p->offset + p->nblocks * PAGE_BYTES) {
			*run = blocks_of(p, &bytes);
			return 1;
		}
		from = p->first_block + p->nblocks;
	}
	return 0;
}
