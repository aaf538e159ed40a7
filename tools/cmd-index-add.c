/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/newfile.h"
#include "dedup/index.h"
#include "tools/cmd-index.h"

/* The file that says which images are to have an index: a path a line, of an
 * image or of a folder of images.
 */
#define WATCHED_MAX (1u << 20)

static int
watched_path(char path[PATH_MAX], struct err *e)
{
	if (index_folder(path, PATH_MAX - 16, e) < 0)
		return -1;
	strcat(path, "/watched");
	return 0;
}

/* All of it, "" if there is none; the caller frees it. */
static char *
watched_read(const char *path, struct err *e)
{
	char *text = calloc(1, WATCHED_MAX);
	FILE *f = text ? fopen(path, "r") : NULL;

	if (f) {
		text[fread(text, 1, WATCHED_MAX - 1, f)] = '\0';
		fclose(f);
	} else if (!text || errno != ENOENT) {
		(void)err_sys(e, "%s", path);
		free(text);
		return NULL;
	}
	return text;
}

static bool
watched_has(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at += len)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

static int
watched_add(const char *path, const char *text, const char *line, struct err *e)
{
	struct newfile f;
	size_t n = strlen(text), more = strlen(line);

	if (newfile_open(&f, path, e) < 0)
		return -1;
	if (newfile_write(&f, 0, text, n, e) < 0 ||
	    newfile_write(&f, n, line, more, e) < 0 ||
	    newfile_write(&f, n + more, "\n", 1, e) < 0) {
		newfile_close(&f);
		return -1;
	}
	return newfile_commit(&f, e);
}

/* What an image is, its name says: its content may be a guest's work.  NULL
 * for what is no image.
 */
static const char *
format_by_name(const char *path)
{
	static const struct {
		const char *suffix, *format;
	} names[] = {
		{ ".img", "raw" },   { ".raw", "raw" },   { ".qcow2", "qcow2" },
		{ ".vmdk", "vmdk" }, { ".vhdx", "vhdx" }, { ".vdi", "vdi" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < ARRAY_LEN(names); i++)
		if (strcmp(dot, names[i].suffix) == 0)
			return names[i].format;
	return NULL;
}

/* One that cannot be indexed is said and passed over. */
static int
update_image(const struct index_options *o, const char *path,
	     const char *format)
{
	struct err why;

	if (index_build_missing(o, path, format, &why) == 0)
		return 0;
	fprintf(stderr, "virt-mig index: %s\n", why.text);
	return why.code == ERR_CANCELLED ? -1 : 0;
}

static int
update_folder(const struct index_options *o, DIR *dir, const char *path)
{
	struct dirent *d;
	char file[PATH_MAX];
	struct stat st;
	int ret = 0;

	while (ret == 0 && (d = readdir(dir))) {
		const char *format = format_by_name(d->d_name);

		if (format &&
		    (size_t)snprintf(file, sizeof(file), "%s/%s", path,
				     d->d_name) < sizeof(file) &&
		    stat(file, &st) == 0 && S_ISREG(st.st_mode))
			ret = update_image(o, file, format);
	}
	return ret;
}

static int
update_path(const struct index_options *o, const char *path)
{
	const char *format =
		o->image_format ? o->image_format : format_by_name(path);
	DIR *dir = opendir(path);
	int ret;

	if (!dir)
		return update_image(o, path, format ? format : "raw");
	ret = update_folder(o, dir, path);
	closedir(dir);
	return ret;
}

static int
update_all(const struct index_options *o, char *text, struct err *e)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line == '/' && update_path(o, line) < 0)
			return err_set(e, ERR_CANCELLED, "interrupted");
	return 0;
}

int
index_action_update(const struct index_options *o, struct err *e)
{
	auto_free char *text = NULL;
	char path[PATH_MAX];

	if (watched_path(path, e) < 0)
		return -1;
	text = watched_read(path, e);
	return text ? update_all(o, text, e) : -1;
}

int
index_action_add(const struct index_options *o, struct err *e)
{
	auto_free char *real = realpath(o->path, NULL), *text = NULL;
	char path[PATH_MAX];

	if (!real)
		return err_sys(e, "%s", o->path);
	if (strchr(real, '\n'))
		return err_set(e, ERR_USAGE, "a name of two lines");
	if (watched_path(path, e) < 0)
		return -1;
	text = watched_read(path, e);
	if (!text)
		return -1;
	if (!watched_has(text, real) && watched_add(path, text, real, e) < 0)
		return -1;
	return update_path(o, real) < 0
		       ? err_set(e, ERR_CANCELLED, "interrupted")
		       : 0;
}
