/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/held.h"
#include "dedup/programs.h"
#include "dedup/vmlinux-keep.h"
#include "dedup/vmlinux.h"

static const char *
held_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The index at that path, if it is whole and of this generation. */
static struct index *
held_current_index(const char *path, const struct image *image)
{
	struct err ignored;
	struct index *idx;

	if (access(path, F_OK) < 0)
		return NULL;
	idx = index_open(path, &ignored);
	if (idx && index_is_current(idx, image))
		return idx;
	index_close(idx);
	return NULL;
}

static int
held_index(struct held *h, const char *path, const struct index_how *how,
	   struct err *e)
{
	struct index_build_stats stats;
	char place[PATH_MAX];

	if (index_default_path(path, place, sizeof(place), e) < 0)
		return -1;
	h->index = held_current_index(place, h->image);
	if (h->index)
		return 0;
	if (index_build(h->image, place, how, &stats, e) < 0)
		return -1;
	h->index = index_open(place, e);
	return h->index ? 0 : -1;
}

static void
held_name_image(struct held *h)
{
	index_tell_extents(h->index, h->image);
	h->root = *index_root(h->index);
	h->regions = index_regions(h->index, &h->nregions);
	h->base = (struct base){ .kind = BASE_IMAGE,
				 .npages = index_nblocks(h->index),
				 .image = h->image,
				 .index = h->index };
}

int
held_open_image(struct held *h, const char *path, const char *format,
		const struct index_how *how, struct err *e)
{
	*h = (struct held){ .name = held_name(path), .memory.map.fd = -1 };
	h->image = image_open_as(path, format, e);
	if (!h->image || held_index(h, path, how, e) < 0) {
		held_close(h);
		return -1;
	}
	held_name_image(h);
	return 0;
}

static struct index *
held_index_of_files(const char *path, const struct disk *disk, struct err *e)
{
	char place[PATH_MAX];
	struct index *idx;

	if (index_default_path(path, place, sizeof(place), e) < 0)
		return NULL;
	idx = index_open(place, e);
	if (idx &&
	    !index_is_of_files(idx, disk->format, disk->files, disk->nfiles)) {
		index_close(idx);
		idx = NULL;
	}
	if (!idx)
		(void)err_set(e, ERR_USAGE, "%s: no index of this generation",
			      path);
	return idx;
}

int
held_lend(struct held_loan *loan, const char *path, const char *format,
	  struct err *e)
{
	struct index *idx;
	struct disk disk;

	*loan = (struct held_loan){ .disk = -1,
				    .index = -1,
				    .programs = -1,
				    .server = { .out = -1, .err = -1 } };
	if (disk_lend(&disk, path, format, &loan->disk, &loan->server, e) < 0) {
		disk_close(&disk);
		return -1;
	}
	loan->format = disk.format;
	idx = held_index_of_files(path, &disk, e);
	if (idx) {
		loan->index = index_dup(idx);
		loan->programs = programs_lend(path, index_root(idx));
	}
	index_close(idx);
	disk_close(&disk);
	if (loan->index >= 0)
		return 0;
	held_loan_close(loan);
	return -1;
}

void
held_loan_close(struct held_loan *loan)
{
	if (loan->disk >= 0)
		close(loan->disk);
	if (loan->index >= 0)
		close(loan->index);
	if (loan->programs >= 0)
		close(loan->programs);
	child_close(&loan->server);
	loan->disk = loan->index = loan->programs = -1;
}

/* Whether the index may speak of the image: numbers blocks as it does. */
static int
held_fits(const struct held *h, struct err *e)
{
	size_t nparts, n;
	const struct image_part *parts = image_parts(h->image, &nparts);
	const struct image_part *indexed = index_parts(h->index, &n);

	if (nparts == n && memcmp(parts, indexed, n * sizeof(*parts)) == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "%s: not what was indexed", h->name);
}

int
held_take_image(struct held *h, const char *name, const char *format, int disk,
		int index, struct err *e)
{
	*h = (struct held){ .name = name, .memory.map.fd = -1 };
	h->image = image_take(name, format, disk, e);
	if (h->image)
		h->index = index_take(index, name, e);
	else
		close(index);
	if (!h->index || held_fits(h, e) < 0) {
		held_close(h);
		return -1;
	}
	held_name_image(h);
	return 0;
}

static bool
page_is_zero(const uint8_t *page)
{
	return page_word(page, 0) == 0 &&
	       memcmp(page, page + 8, PAGE_BYTES - 8) == 0;
}

/* The fingerprints of one region; all zero bits for a page of zeros, as an
 * index has it.
 */
static int
held_hash_region(struct held *h, uint64_t first, uint64_t n, struct err *e)
{
	const uint8_t *pages[BASE_REGION_PAGES] = { NULL };
	struct fingerprint fps[BASE_REGION_PAGES];
	uint64_t where[BASE_REGION_PAGES];
	size_t used = 0;

	for (uint64_t i = first; i < first + n; i++) {
		pages[used] = memory_page(&h->memory, i);
		where[used] = i;
		used += !page_is_zero(pages[used]);
	}
	if (fingerprint_pages(pages, used, fps, e) < 0)
		return -1;
	for (size_t i = 0; i < used; i++)
		h->own_fps[where[i]] = fps[i];
	return digest_bytes(h->own_fps + first, n * sizeof(*h->own_fps),
			    &h->own_regions[first / BASE_REGION_PAGES], e);
}

static int
held_hash_memory(struct held *h, const struct index_how *how, struct err *e)
{
	uint64_t npages = h->memory.npages, n;

	h->nregions = (npages + BASE_REGION_PAGES - 1) / BASE_REGION_PAGES;
	h->own_fps = calloc(npages + 1, sizeof(*h->own_fps));
	h->own_regions = calloc(h->nregions + 1, sizeof(*h->own_regions));
	if (!h->own_fps || !h->own_regions)
		return err_sys(e, "fingerprints of %llu pages",
			       (unsigned long long)npages);
	for (uint64_t i = 0; i < npages; i += n) {
		n = MIN(npages - i, (uint64_t)BASE_REGION_PAGES);
		if (how->cancelled && *how->cancelled)
			return err_set(e, ERR_CANCELLED, "interrupted");
		if (held_hash_region(h, i, n, e) < 0)
			return -1;
		if (how->report)
			how->report(how->arg, i + n, npages);
	}
	return digest_bytes(h->own_regions, h->nregions * DIGEST_BYTES,
			    &h->root, e);
}

int
held_root(const struct memory *m, struct digest *root, struct err *e)
{
	const struct index_how how = { .report = NULL };
	struct held h = { .memory = *m };
	int ret = held_hash_memory(&h, &how, e);

	*root = h.root;
	free(h.own_fps);
	free(h.own_regions);
	return ret;
}

static int
held_name_memory(struct held *h, const struct index_how *how, struct err *e)
{
	if (held_hash_memory(h, how, e) < 0) {
		held_close(h);
		return -1;
	}
	h->regions = h->own_regions;
	h->base = (struct base){ .kind = BASE_MEMORY,
				 .npages = h->memory.npages,
				 .memory = &h->memory,
				 .fps = h->own_fps };
	return 0;
}

int
held_open_memory(struct held *h, const char *path,
		 const struct memory_region *regions, size_t nregions,
		 const struct index_how *how, struct err *e)
{
	*h = (struct held){ .name = held_name(path), .memory.map.fd = -1 };
	if (memory_open(&h->memory, path, regions, nregions, e) < 0)
		return -1;
	return held_name_memory(h, how, e);
}

int
held_take_memory(struct held *h, const char *name, int fd, struct err *e)
{
	static const struct index_how how;

	*h = (struct held){ .name = name, .memory.map.fd = -1 };
	if (memory_take(&h->memory, fd, name, e) < 0)
		return -1;
	return held_name_memory(h, &how, e);
}

size_t
held_kernels(const struct held *image)
{
	return index_header(image->index)->nkernels;
}

int
held_open_kernel(struct held *h, const struct held *image, size_t i,
		 struct err *e)
{
	static const struct index_how how;
	uint64_t blocks[INDEX_KERNELS_MAX];
	auto_free uint8_t *file = NULL;
	size_t len;

	*h = (struct held){ .name = image->name, .memory.map.fd = -1 };
	if (i >= index_kernels(image->index, blocks))
		return err_set(e, ERR_USAGE, "%s holds no kernel %zu",
			       image->name, i);
	if (vmlinux_read(image->image, blocks[i], &file, &len, e) < 0 ||
	    vmlinux_kept(&h->memory, file, len, e) < 0)
		return err_prefix(e, "%s, kernel at block %llu", image->name,
				  (unsigned long long)blocks[i]);
	if (held_hash_memory(h, &how, e) < 0) {
		held_close(h);
		return -1;
	}
	h->regions = h->own_regions;
	h->base = (struct base){ .kind = BASE_KERNEL,
				 .npages = h->memory.npages,
				 .memory = &h->memory,
				 .fps = h->own_fps };
	return 0;
}

static int
held_name_programs(struct held *h, const struct held *image, struct err *e)
{
	static const struct index_how quietly;

	if (h->memory.npages == 0) {
		held_close(h);
		return err_set(e, ERR_USAGE, "%s holds no programs",
			       image->name);
	}
	if (held_hash_memory(h, &quietly, e) < 0) {
		held_close(h);
		return -1;
	}
	h->regions = h->own_regions;
	h->modules = modules_new(&h->memory, image->image);
	h->base = (struct base){ .kind = BASE_PROGRAMS,
				 .npages = h->memory.npages,
				 .memory = &h->memory,
				 .modules = h->modules,
				 .fps = h->own_fps };
	return 0;
}

int
held_open_programs(struct held *h, const struct held *image,
		   const struct index_how *how, struct err *e)
{
	*h = (struct held){ .name = image->name, .memory.map.fd = -1 };
	if (programs_kept(&h->memory, image->image, &image->root, how, e) < 0)
		return -1;
	return held_name_programs(h, image, e);
}

int
held_take_programs(struct held *h, const struct held *image, int fd,
		   struct err *e)
{
	*h = (struct held){ .name = image->name, .memory.map.fd = -1 };
	if (memory_take_core(&h->memory, fd, image->name, e) < 0)
		return -1;
	return held_name_programs(h, image, e);
}

void
held_offer(const struct held *held, size_t n,
	   const uint8_t key[OFFER_KEY_BYTES], struct offer *out)
{
	out->nheld = n;
	memcpy(out->key, key, sizeof(out->key));
	for (size_t i = 0; i < n; i++) {
		struct offer_held *o = &out->held[i];

		*o = (struct offer_held){
			.kind = (uint8_t)held[i].base.kind,
			.npages = held[i].base.npages,
			.root = held[i].root,
		};
		snprintf(o->name, sizeof(o->name), "%s", held[i].name);
	}
}

void
held_close(struct held *h)
{
	modules_free(h->modules);
	index_close(h->index);
	image_close(h->image);
	memory_close(&h->memory);
	free(h->own_fps);
	free(h->own_regions);
	*h = (struct held){ .memory.map.fd = -1 };
}
