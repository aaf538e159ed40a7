/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index-verify.h"
#include "dedup/index.h"
#include "tools/cmd-index.h"
#include "tools/progress.h"

/* An index is what begins like one; for anything else, where its index is. */
static int
find_index(const char *path, char *place, size_t cap, struct err *e)
{
	char magic[8] = { 0 };
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || pread(fd, magic, sizeof(magic), 0) < 0)
		return err_sys(e, "%s", path);
	if (memcmp(magic, INDEX_MAGIC, sizeof(magic)) == 0) {
		if ((size_t)snprintf(place, cap, "%s", path) >= cap)
			return err_set(e, ERR_LIMIT, "%s: too long", path);
		return 0;
	}
	if (index_default_path(path, place, cap, e) < 0)
		return -1;
	if (access(place, F_OK) < 0)
		return err_set(e, ERR_USAGE,
			       "%s: has no index; 'virt-mig index build' makes "
			       "one",
			       path);
	return 0;
}

static int
verify(const struct index_options *o, const struct index *idx,
       struct image *img, struct index_differences *found, struct err *e)
{
	struct progress p;
	struct index_how how = { .threads = o->threads,
				 .report = index_on_progress,
				 .arg = &p,
				 .cancelled = interrupted() };
	int ret;

	progress_init(&p, "comparing");
	ret = index_verify(idx, img, &how, found, e);
	progress_fini(&p);
	if (ret == 0 && found->blocks > 0)
		return err_set(e, ERR_CORRUPT,
			       "%s: %" PRIu64 " blocks differ from the index, "
			       "the first is %" PRIu64,
			       image_path(img), found->blocks, found->first);
	return ret;
}

/* What was checked, after everything was found right. */
static int
show_checked(const struct index_options *o, const char *path, bool has_image,
	     const struct index_differences *found, struct err *e)
{
	char a[24];

	if (o->json)
		return index_print_json(
			json_pack("{s:s, s:b, s:b, s:I}", "index", path,
				  "whole", 1, "current", (int)has_image,
				  "compared_blocks", (json_int_t)found->read),
			e);
	printf("%s: whole%s", path,
	       has_image ? ", and its image has not changed"
			 : "; its image is not here");
	if (o->data)
		printf("; compared %s",
		       size_text(found->read * PAGE_BYTES, a, sizeof(a)));
	putchar('\n');
	return 0;
}

static int
check_image(const struct index_options *o, const struct index *idx,
	    struct image *img, struct index_differences *found, struct err *e)
{
	/* What is different says more than that something must be. */
	if (o->data && verify(o, idx, img, found, e) < 0)
		return -1;
	if (!index_is_current(idx, img))
		return err_set(e, ERR_CORRUPT,
			       "%s: changed since it was indexed",
			       image_path(img));
	return 0;
}

int
index_action_check(const struct index_options *o, struct err *e)
{
	struct index_differences found = { 0 };
	char path[PATH_MAX];
	struct index *idx;
	struct image *img = NULL;
	bool has_image;
	int ret = 0;

	if (find_index(o->path, path, sizeof(path), e) < 0)
		return -1;
	idx = index_open(path, e);
	if (!idx)
		return -1;
	has_image = o->data || access(index_header(idx)->path, F_OK) == 0;
	if (has_image) {
		img = image_open_as(index_header(idx)->path,
				    index_header(idx)->format, e);
		ret = img ? check_image(o, idx, img, &found, e) : -1;
	}
	if (ret == 0)
		ret = show_checked(o, path, has_image, &found, e);
	image_close(img);
	index_close(idx);
	return ret;
}

int
index_action_show(const struct index_options *o, struct err *e)
{
	char path[PATH_MAX];
	struct index *idx;
	int ret;

	if (find_index(o->path, path, sizeof(path), e) < 0)
		return -1;
	idx = index_open(path, e);
	if (!idx)
		return -1;
	ret = o->json ? index_print_json(index_as_json(path, idx), e)
		      : index_show_text(path, idx);
	index_close(idx);
	return ret;
}
