/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index-verify.h"
#include "dedup/index.h"
#include "tools/progress.h"
#include "tools/verb.h"

struct options {
	const char *action, *path;
	const char *out;          /* -o */
	const char *image_format; /* NULL: find it by content */
	bool force, data, json;
	unsigned threads;
};

static void
usage(FILE *f)
{
	fputs("Usage: virt-mig index build IMAGE [-o FILE] [--force] "
	      "[--image-format FORMAT]\n"
	      "       virt-mig index check FILE|IMAGE [--data]\n"
	      "       virt-mig index show FILE|IMAGE\n\n"
	      "  -o, --output FILE       write the index there, not to the "
	      "default place\n"
	      "  -f, --force             build it even if the one that is "
	      "there is current\n"
	      "  -d, --data              read the image again and compare\n"
	      "      --image-format F    raw, qcow2, vmdk, vhdx or vdi; "
	      "otherwise found by\n"
	      "                          content, which a guest can fake in "
	      "a raw disk\n"
	      "      --threads N         hash with N threads (1 to 8)\n"
	      "      --format text|json  how to show results\n",
	      f);
}

static int
parse_threads(const char *text, unsigned *threads, struct err *e)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end || n < 1 || n > 8)
		return err_set(e, ERR_USAGE, "--threads takes 1 to 8, not '%s'",
			       text);
	*threads = (unsigned)n;
	return 0;
}

static int
parse_format(const char *text, bool *json, struct err *e)
{
	*json = strcmp(text, "json") == 0;
	if (!*json && strcmp(text, "text") != 0)
		return err_set(e, ERR_USAGE,
			       "--format takes text or json, not '%s'", text);
	return 0;
}

enum {
	OPT_IMAGE_FORMAT = 256,
	OPT_THREADS,
	OPT_FORMAT
};

static const struct option long_options[] = {
	{ "data", no_argument, NULL, 'd' },
	{ "force", no_argument, NULL, 'f' },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, 'h' },
	{ "image-format", required_argument, NULL, OPT_IMAGE_FORMAT },
	{ "output", required_argument, NULL, 'o' },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ NULL, 0, NULL, 0 },
};

static int
parse_option(int c, struct options *o, struct err *e)
{
	switch (c) {
	case 'd':
		o->data = true;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	case 'o':
		o->out = optarg;
		return 0;
	case OPT_IMAGE_FORMAT:
		o->image_format = optarg;
		return 0;
	case OPT_THREADS:
		return parse_threads(optarg, &o->threads, e);
	case OPT_FORMAT:
		return parse_format(optarg, &o->json, e);
	default:
		return err_set(e, ERR_USAGE, "see 'virt-mig index --help'");
	}
}

/* 1: the user only wanted to see how it is used. */
static int
parse(int argc, char **argv, struct options *o, struct err *e)
{
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "dfho:", long_options, NULL)) !=
	       -1) {
		if (c == 'h') {
			usage(stdout);
			return 1;
		}
		if (parse_option(c, o, e) < 0)
			return -1;
	}
	if (argc - optind != 2)
		return err_set(e, ERR_USAGE,
			       "build, check or show, and one file: see "
			       "'virt-mig index --help'");
	o->action = argv[optind];
	o->path = argv[optind + 1];
	return 0;
}

static int
print_json(json_t *j, struct err *e)
{
	int ret = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;

	json_decref(j);
	if (ret < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return err_set(e, ERR_SYSTEM, "writing the result");
	return 0;
}

static const char *
hex(const struct digest *d, char out[2 * DIGEST_BYTES + 1])
{
	for (unsigned i = 0; i < DIGEST_BYTES; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", d->b[i]);
	return out;
}

static json_t *
parts_json(const struct index *idx)
{
	size_t n;
	const struct image_part *p = index_parts(idx, &n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I}", "offset",
					(json_int_t)p[i].offset, "first_block",
					(json_int_t)p[i].first_block, "blocks",
					(json_int_t)p[i].nblocks));
	return list;
}

static json_t *
index_json(const char *path, const struct index *idx)
{
	const struct index_header *h = index_header(idx);
	char root[2 * DIGEST_BYTES + 1];

	return json_pack(
		"{s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:s, s:o}",
		"index", path, "image", h->path, "image_format", h->format,
		"image_bytes", (json_int_t)h->image_size, "files",
		(int)h->nfiles, "blocks", (json_int_t)h->nblocks, "data_blocks",
		(json_int_t)h->data_blocks, "unique_blocks",
		(json_int_t)h->unique_blocks, "bucket_bytes",
		(json_int_t)index_section_bytes(h, INDEX_BUCKETS),
		"index_bytes", (json_int_t)index_file_bytes(idx), "root",
		hex(&h->root, root), "parts", parts_json(idx));
}

static int
show_text(const char *path, const struct index *idx)
{
	const struct index_header *h = index_header(idx);
	char root[2 * DIGEST_BYTES + 1], a[24], b[24];
	size_t nparts;
	const struct image_part *parts = index_parts(idx, &nparts);

	printf("index:    %s (%s, %s of it buckets)\n", path,
	       size_text(index_file_bytes(idx), a, sizeof(a)),
	       size_text(index_section_bytes(h, INDEX_BUCKETS), b, sizeof(b)));
	printf("image:    %s (%s in %u file%s, %s)\n", h->path, h->format,
	       h->nfiles, h->nfiles == 1 ? "" : "s",
	       size_text(h->image_size, a, sizeof(a)));
	printf("blocks:   %" PRIu64 " with data, %" PRIu64
	       " of them different (%s)\n",
	       h->data_blocks, h->unique_blocks,
	       size_text(h->unique_blocks * PAGE_BYTES, a, sizeof(a)));
	for (size_t i = 0; nparts > 1 && i < nparts; i++)
		printf("part:     byte %" PRIu64 ", %" PRIu64 " blocks from "
		       "number %" PRIu64 "\n",
		       parts[i].offset, parts[i].nblocks, parts[i].first_block);
	printf("root:     %s\n", hex(&h->root, root));
	return 0;
}

static void
on_progress(void *arg, uint64_t done, uint64_t all)
{
	progress_show(arg, done * PAGE_BYTES, all * PAGE_BYTES);
}

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

static int
build_new(const struct options *o, struct image *img, const char *path,
	  struct index_build_stats *stats, struct err *e)
{
	struct progress p;
	struct index_how how = { .threads = o->threads,
				 .report = on_progress,
				 .arg = &p,
				 .cancelled = interrupted() };
	int ret;

	progress_init(&p, "indexing");
	ret = index_build(img, path, &how, stats, e);
	progress_fini(&p);
	return ret;
}

static int
show_built(const struct options *o, const char *path, const struct index *idx,
	   const struct index_build_stats *s, struct err *e)
{
	char a[24];
	json_t *j;

	if (!o->json) {
		show_text(path, idx);
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
	j = index_json(path, idx);
	json_object_set_new(j, "read_blocks",
			    json_integer((json_int_t)s->read_blocks));
	json_object_set_new(j, "wall_s", json_real((double)s->wall_ns / 1e9));
	json_object_set_new(j, "cpu_s", json_real((double)s->cpu_ns / 1e9));
	return print_json(j, e);
}

static int
build_image(const struct options *o, struct image *img, const char *path,
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
	ret = show_built(o, path, idx, &stats, e);
	index_close(idx);
	return ret;
}

static int
action_build(const struct options *o, struct err *e)
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
verify(const struct options *o, const struct index *idx, struct image *img,
       struct index_differences *found, struct err *e)
{
	struct progress p;
	struct index_how how = { .threads = o->threads,
				 .report = on_progress,
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
show_checked(const struct options *o, const char *path, bool has_image,
	     const struct index_differences *found, struct err *e)
{
	char a[24];

	if (o->json)
		return print_json(json_pack("{s:s, s:b, s:b, s:I}", "index",
					    path, "whole", 1, "current",
					    (int)has_image, "compared_blocks",
					    (json_int_t)found->read),
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
check_image(const struct options *o, const struct index *idx, struct image *img,
	    struct index_differences *found, struct err *e)
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

static int
action_check(const struct options *o, struct err *e)
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

static int
action_show(const struct options *o, struct err *e)
{
	char path[PATH_MAX];
	struct index *idx;
	int ret;

	if (find_index(o->path, path, sizeof(path), e) < 0)
		return -1;
	idx = index_open(path, e);
	if (!idx)
		return -1;
	ret = o->json ? print_json(index_json(path, idx), e)
		      : show_text(path, idx);
	index_close(idx);
	return ret;
}

int
cmd_index(int argc, char **argv, struct err *e)
{
	struct options o = { .path = NULL };
	int ret = parse(argc, argv, &o, e);

	if (ret != 0)
		return ret < 0 ? -1 : 0;
	if (strcmp(o.action, "build") == 0)
		return action_build(&o, e);
	if (strcmp(o.action, "check") == 0)
		return action_check(&o, e);
	if (strcmp(o.action, "show") == 0)
		return action_show(&o, e);
	return err_set(e, ERR_USAGE, "'%s' is not build, check or show",
		       o.action);
}
