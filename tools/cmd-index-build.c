/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "common/page.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index.h"
#include "dedup/programs.h"
#include "tools/cmd-index.h"
#include "tools/progress.h"

/* The index at path if it can be used and is that of img. */
static struct index *
open_current(const char *path, const struct image *img)
{
	struct err ignored;
	struct index *idx =
		access(path, F_OK) == 0 ? index_open(path, &ignored) : NULL;

	if (idx && index_is_current(idx, img))
		return idx;
	index_close(idx);
	return NULL;
}

/* The index of the backing file, NULL without an error if there is none. */
static int
open_backing(const struct index_options *o, const struct image *img,
	     struct index **idx, struct err *e)
{
	const char *format, *backing = image_backing(img, &format);
	char place[PATH_MAX];
	struct err ignored;

	*idx = NULL;
	if (!backing)
		return 0;
	if (o->backing && index_build_missing(o, backing, format, e) < 0)
		return -1;
	if (index_default_path(backing, place, sizeof(place), e) < 0)
		return -1;
	if (access(place, F_OK) == 0)
		*idx = index_open(place, &ignored);
	return 0;
}

static int
build_new(const struct index_options *o, struct image *img, const char *path,
	  struct index_build_stats *stats, struct err *e)
{
	struct index *backing;
	struct progress p;
	struct index_how how = { .threads = o->threads,
				 .report = index_on_progress,
				 .arg = &p,
				 .cancelled = interrupted() };
	int ret;

	if (open_backing(o, img, &backing, e) < 0)
		return -1;
	how.backing = backing;
	progress_init(&p, "indexing");
	ret = index_build(img, path, &how, stats, e);
	progress_fini(&p);
	index_close(backing);
	return ret;
}

/* What programs there are is kept, too, where whoever needs it looks. */
static void
keep_programs(const struct index_options *o, struct image *img,
	      const struct index *idx)
{
	struct progress p;
	struct index_how how = { .threads = o->threads,
				 .report = index_on_progress,
				 .arg = &p,
				 .cancelled = interrupted() };
	struct memory programs;
	struct err ignored;

	index_tell_extents(idx, img);
	progress_init(&p, "looking for programs");
	if (programs_kept(&programs, img, index_root(idx), &how, &ignored) == 0)
		memory_close(&programs);
	progress_fini(&p);
}

int
index_build_missing(const struct index_options *o, const char *path,
		    const char *format, struct err *e)
{
	struct image *img = image_open_as(path, format, e);
	struct index_build_stats stats;
	char place[PATH_MAX];
	struct index *idx;
	int ret;

	if (!img)
		return -1;
	ret = index_default_path(path, place, sizeof(place), e);
	idx = ret == 0 ? open_current(place, img) : NULL;
	if (ret == 0 && !idx)
		ret = build_new(o, img, place, &stats, e);
	if (ret == 0 && !idx)
		idx = index_open(place, e);
	if (idx)
		keep_programs(o, img, idx);
	else
		ret = -1;
	index_close(idx);
	image_close(img);
	return ret;
}

static int
show_built(const struct index_options *o, const char *path,
	   const struct index *idx, const struct index_build_stats *s,
	   struct err *e)
{
	char a[24];
	json_t *j;

	if (!o->json) {
		index_show_text(path, idx);
		if (s->wall_ns == 0)
			puts("The image has not changed: nothing was read.");
		else
			printf("read %s in %.2f s, %.2f s of CPU\n",
			       size_text(s->read_blocks * PAGE_BYTES, a,
					 sizeof(a)),
			       (double)s->wall_ns / 1e9,
			       (double)s->cpu_ns / 1e9);
		return 0;
	}
	j = index_as_json(path, idx);
	json_object_set_new(j, "read_blocks",
			    json_integer((json_int_t)s->read_blocks));
	json_object_set_new(j, "wall_s", json_real((double)s->wall_ns / 1e9));
	json_object_set_new(j, "cpu_s", json_real((double)s->cpu_ns / 1e9));
	return index_print_json(j, e);
}

static int
build_image(const struct index_options *o, struct image *img, const char *path,
	    struct err *e)
{
	struct index_build_stats stats = { 0 };
	struct index *idx = o->force ? NULL : open_current(path, img);
	int ret;

	if (!idx) {
		if (build_new(o, img, path, &stats, e) < 0)
			return -1;
		idx = index_open(path, e);
		if (!idx)
			return -1;
	}
	if (!o->out)
		keep_programs(o, img, idx);
	ret = show_built(o, path, idx, &stats, e);
	index_close(idx);
	return ret;
}

int
index_action_build(const struct index_options *o, struct err *e)
{
	struct image *img = image_open_as(o->path, o->image_format, e);
	char place[PATH_MAX];
	const char *path = o->out ? o->out : place;
	int ret;

	if (!img)
		return -1;
	ret = o->out ? 0 : index_default_path(o->path, place, sizeof(place), e);
	if (ret == 0)
		ret = build_image(o, img, path, e);
	image_close(img);
	return ret;
}
