/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>

#include "tools/held.h"

/* The index kept at 'kept' if it can be read and is current, else NULL. */
static struct index *
open_current(const char *kept, const struct image *img)
{
	struct err ignored;
	struct index *idx = index_open(kept, &ignored);

	if (idx && index_is_current(idx, img))
		return idx;
	index_close(idx);
	return NULL;
}

static int
open_index(struct held *h, const char *path, const struct index_how *how,
	   struct err *e)
{
	struct index_build_stats stats;
	char kept[PATH_MAX];

	if (index_default_path(path, kept, sizeof(kept), e) != 0)
		return -1;
	h->index = open_current(kept, h->image);
	if (h->index)
		return 0;
	if (index_build(h->image, kept, how, &stats, e) != 0)
		return -1;
	h->index = index_open(kept, e);
	return h->index ? 0 : -1;
}

int
held_open(struct held *h, const char *path, const struct index_how *how,
	  struct err *e)
{
	*h = (struct held){ .index = NULL };
	h->image = image_open(path, e);
	if (!h->image)
		return -1;
	if (open_index(h, path, how, e) == 0)
		return 0;
	held_close(h);
	return -1;
}

void
held_close(struct held *h)
{
	index_close(h->index);
	image_close(h->image);
	*h = (struct held){ .index = NULL };
}
