/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "common/page.h"
#include "dedup/ext4.h"
#include "dedup/filesystems.h"
#include "dedup/ntfs.h"

/* File systems are looked for at as many MiB from where a part begins. */
#define FILESYSTEMS_MIB 16384
#define MIB_BLOCKS      ((1u << 20) / PAGE_BYTES)

static int
find_in_part(struct extents *x, const struct image_part *p, struct err *e)
{
	uint64_t end = p->first_block + p->nblocks;
	struct image_run run = { .first = p->first_block };

	for (uint64_t mib = 0; mib < FILESYSTEMS_MIB; mib++) {
		uint64_t at = p->first_block + mib * MIB_BLOCKS;
		int more = 1;

		if (at >= end)
			return 0;
		if (at >= run.first + run.n)
			more = image_next_data(x->img, at, &run, e);
		if (more <= 0)
			return more;
		if (at >= run.first && (ext4_files(x, at, end - at, e) < 0 ||
					ntfs_files(x, at, end - at, e) < 0))
			return -1;
	}
	return 0;
}

static int
find_all(struct extents *x, struct err *e)
{
	size_t nparts;
	const struct image_part *parts = image_parts(x->img, &nparts);

	for (size_t i = 0; i < nparts; i++)
		if (find_in_part(x, &parts[i], e) < 0)
			return -1;
	return 0;
}

int
filesystems_find(struct image *img, uint64_t ndata, struct buf *out,
		 struct err *e)
{
	struct extents *x = calloc(1, sizeof(*x));
	int ret = -1;

	if (!x)
		return err_sys(e, "the files of an image");
	x->img = img;
	/* Tables of file systems are a few hundredths of what a disk holds. */
	x->work = ndata / 4 + 1024;
	buf_init(&x->found, EXTENTS_MAX * sizeof(struct extent));
	if (find_all(x, e) == 0)
		ret = extents_put(x, out, e);
	buf_fini(&x->found);
	free(x);
	return ret;
}
