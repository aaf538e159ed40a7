/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/newfile.h"

/* A new file would take the place of a device, /dev/null among them. */
static bool
is_something_else(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int
newfile_open(struct newfile *f, const char *path, struct err *e)
{
	*f = (struct newfile){ .fd = -1 };
	if (is_something_else(path))
		return err_set(e, ERR_USAGE, "%s: not a regular file", path);
	*f = (struct newfile){ .fd = -1, .path = strdup(path) };
	if (!f->path || asprintf(&f->temp, "%s.XXXXXX", path) < 0) {
		f->temp = NULL;
		(void)err_sys(e, "%s", path);
		newfile_close(f);
		return -1;
	}
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		(void)err_sys(e, "%s", f->temp);
		newfile_close(f);
		return -1;
	}
	return 0;
}

int
newfile_write(struct newfile *f, uint64_t offset, const void *bytes, size_t len,
	      struct err *e)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(f->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "%s", f->path);
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int
sync_folder(const char *path)
{
	auto_free char *copy = strdup(path);
	auto_fd int fd = -1;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

int
newfile_commit(struct newfile *f, struct err *e)
{
	int ret = 0;

	if (fsync(f->fd) < 0 || rename(f->temp, f->path) < 0) {
		ret = err_sys(e, "%s", f->path);
	} else {
		free(f->temp);
		f->temp = NULL;
		if (sync_folder(f->path) < 0)
			ret = err_sys(e, "%s: its folder", f->path);
	}
	newfile_close(f);
	return ret;
}

void
newfile_close(struct newfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->fd >= 0 && f->temp)
		unlink(f->temp);
	free(f->temp);
	free(f->path);
	*f = (struct newfile){ .fd = -1 };
}
