/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/child.h"
#include "common/mem.h"
#include "dedup/disk-chain.h"
#include "dedup/disk.h"

#define INFO_MAX (1u << 20)
#define OPTS_MAX (96u << 10) /* Linux takes 128 KiB in one argument */

/* One file of the chain. */
struct layer {
	char *path; /* absolute */
	char format[16];
	bool is_device;
};

static int
put_text(struct buf *b, const char *text, struct err *e)
{
	return buf_put(b, text, strlen(text), e);
}

/* A value in QEMU's key=value,... syntax: commas are doubled. */
static int
put_value(struct buf *b, const char *value, struct err *e)
{
	for (const char *at = value; *at; at++)
		if (buf_put(b, at, 1, e) < 0 ||
		    (*at == ',' && buf_put(b, ",", 1, e) < 0))
			return -1;
	return 0;
}

/* "PREFIXdriver=...,PREFIXfile.driver=...,PREFIXfile.filename=..." */
static int
put_layer(struct buf *b, const char *prefix, const struct layer *l,
	  struct err *e)
{
	if (put_text(b, prefix, e) < 0 || put_text(b, "driver=", e) < 0 ||
	    put_text(b, l->format, e) < 0 || put_text(b, ",", e) < 0 ||
	    put_text(b, prefix, e) < 0 ||
	    put_text(b,
		     l->is_device ? "file.driver=host_device,"
				  : "file.driver=file,",
		     e) < 0 ||
	    put_text(b, prefix, e) < 0 || put_text(b, "file.filename=", e) < 0)
		return -1;
	return put_value(b, l->path, e);
}

/* Opens what must be a regular file or block device and keeps what tells
 * that it changed.
 */
static int
add_file(struct disk *d, const char *path, bool *is_device, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ERR_USAGE, "%s: not a file or block device",
			       path);
	*is_device = S_ISBLK(st.st_mode);
	return disk_add_file(d, fd, path, e);
}

static json_t *
read_info(const struct layer *l, struct err *e)
{
	const char *argv[] = { "qemu-img",     "info", "-U", "--output=json",
			       "--image-opts", NULL,   NULL };
	auto_free char *text = NULL;
	json_error_t problem;
	json_t *info;
	struct buf opts;
	size_t len;

	buf_init(&opts, OPTS_MAX);
	if (put_layer(&opts, "", l, e) == 0 && buf_put_u8(&opts, 0, e) == 0) {
		argv[5] = (const char *)opts.data;
		text = child_output(argv, INFO_MAX, &len, e);
	}
	buf_fini(&opts);
	if (!text)
		return NULL;
	info = json_loadb(text, len, 0, &problem);
	if (!info)
		(void)err_set(e, ERR_CORRUPT, "qemu-img info %s: %s", l->path,
			      problem.text);
	return info;
}

/* A vmdk may keep its bytes in other files, a qcow2 may, too: those of the
 * vmdk belong to it, those of the qcow2 can be any file of the host.
 */
static int
add_extents(struct disk *d, const struct layer *l, json_t *info, struct err *e)
{
	json_t *data = json_object_get(json_object_get(info, "format-specific"),
				       "data");
	json_t *extent;
	size_t i;

	if (json_object_get(data, "data-file"))
		return err_set(e, ERR_USAGE,
			       "%s: an external data file is not supported",
			       l->path);
	json_array_foreach(json_object_get(data, "extents"), i, extent)
	{
		const char *name =
			json_string_value(json_object_get(extent, "filename"));
		bool is_device;

		if (!name || strcmp(name, l->path) == 0)
			continue;
		if (name[0] != '/')
			return err_set(e, ERR_USAGE,
				       "%s: extent '%s' is not a file", l->path,
				       name);
		if (add_file(d, name, &is_device, e) < 0)
			return err_prefix(e, "%s", l->path);
	}
	return 0;
}

static int
backing_format(const struct layer *l, const char *name, const char *path,
	       struct layer *next, struct err *e)
{
	const char *found = name;

	if (!name && disk_probe(path, &found, e) < 0)
		return err_prefix(e, "%s", l->path);
	if (!name && strcmp(found, "raw") != 0)
		return err_set(e, ERR_USAGE,
			       "%s: does not say that %s is a %s: see "
			       "'qemu-img rebase -u -F'",
			       l->path, path, found);
	if (strlen(found) >= sizeof(next->format) ||
	    strspn(found, "abcdefghijklmnopqrstuvwxyz0123456789_-") !=
		    strlen(found))
		return err_set(e, ERR_USAGE, "%s: unknown format of %s",
			       l->path, path);
	strcpy(next->format, found);
	return 0;
}

/* 1 with *next filled if there is a backing file, else 0. */
static int
find_backing(const struct layer *l, json_t *info, struct layer *next,
	     struct err *e)
{
	const char *path = json_string_value(
		json_object_get(info, "full-backing-filename"));
	const char *format = json_string_value(
		json_object_get(info, "backing-filename-format"));

	if (!json_object_get(info, "backing-filename"))
		return 0;
	if (path && strncmp(path, "file:", 5) == 0)
		path += 5;
	if (!path || path[0] != '/')
		return err_set(e, ERR_USAGE,
			       "%s: backing file '%s' is not a file", l->path,
			       path ? path : "");
	if (backing_format(l, format, path, next, e) < 0)
		return -1;
	next->path = strdup(path);
	return next->path ? 1 : err_sys(e, "%s", path);
}

/* All files so far are those of the image itself. */
static int
keep_backing(struct disk *d, const struct layer *next, struct err *e)
{
	d->nown = d->nfiles;
	if (!next->path)
		return 0;
	strcpy(d->backing_format, next->format);
	d->backing = strdup(next->path);
	return d->backing ? 0 : err_sys(e, "%s", next->path);
}

/* One layer's files and options.  1 with *next filled if there is one below,
 * whose prefix is then in place; else 0.
 */
static int
walk_layer(struct disk *d, struct layer *l, struct buf *prefix,
	   struct buf *opts, struct layer *next, struct err *e)
{
	json_t *info;
	int ret;

	if (buf_put_u8(prefix, 0, e) < 0 ||
	    add_file(d, l->path, &l->is_device, e) < 0 ||
	    put_layer(opts, (char *)prefix->data, l, e) < 0)
		return -1;
	prefix->len--;
	if (strcmp(l->format, "raw") == 0)
		return 0;
	info = read_info(l, e);
	if (!info)
		return -1;
	ret = add_extents(d, l, info, e);
	if (ret == 0)
		ret = find_backing(l, info, next, e);
	json_decref(info);
	if (ret >= 0 && d->nown == 0 && keep_backing(d, next, e) < 0)
		return -1;
	if (ret > 0 &&
	    (put_text(prefix, "backing.", e) < 0 || put_text(opts, ",", e) < 0))
		return -1;
	return ret;
}

/* Goes down to the last layer; *l is the current one and is replaced. */
static int
walk(struct disk *d, struct layer *l, struct buf *opts, struct err *e)
{
	struct layer next = { .path = NULL };
	struct buf prefix;
	int ret;

	buf_init(&prefix, DISK_FILES_MAX * sizeof("backing."));
	while ((ret = walk_layer(d, l, &prefix, opts, &next, e)) > 0) {
		free(l->path);
		*l = next;
		next.path = NULL;
	}
	free(next.path);
	buf_fini(&prefix);
	return ret;
}

char *
disk_chain_opts(struct disk *d, const char *path, const char *format,
		struct err *e)
{
	struct layer top = { .path = realpath(path, NULL) };
	struct buf opts;
	int ret;

	if (!top.path) {
		(void)err_sys(e, "%s", path);
		return NULL;
	}
	snprintf(top.format, sizeof(top.format), "%s", format);
	buf_init(&opts, OPTS_MAX);
	ret = walk(d, &top, &opts, e);
	free(top.path);
	if (ret == 0 && put_text(&opts, ",force-share=on", e) == 0 &&
	    buf_put_u8(&opts, 0, e) == 0)
		return (char *)opts.data;
	buf_fini(&opts);
	return NULL;
}
