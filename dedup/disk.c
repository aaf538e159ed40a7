/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "dedup/disk-impl.h"
#include "dedup/disk.h"

struct disk_magic {
	const char *format;
	size_t offset, len;
	const char *bytes;
};

#define HEAD_BYTES 512

static const struct disk_magic magics[] = {
	{ "qcow2", 0, 8, "QFI\xfb\0\0\0\2" },
	{ "qcow2", 0, 8, "QFI\xfb\0\0\0\3" },
	{ "vmdk", 0, 4, "KDMV" },
	{ "vmdk", 0, 4, "COWD" },
	{ "vmdk", 0, 21, "# Disk DescriptorFile" },
	{ "vhdx", 0, 8, "vhdxfile" },
	{ "vdi", 64, 4, "\x7f\x10\xda\xbe" },
};

static const char *
format_of(const uint8_t *head)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		const struct disk_magic *m = &magics[i];

		if (memcmp(head + m->offset, m->bytes, m->len) == 0)
			return m->format;
	}
	return "raw";
}

int
disk_probe(const char *path, const char **format, struct err *e)
{
	uint8_t head[HEAD_BYTES] = { 0 };
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0)
		return err_sys(e, "%s", path);
	*format = format_of(head);
	return 0;
}

/* The static name of a format, so that nobody needs to keep the argument. */
static int
known_format(const char *name, const char **format, struct err *e)
{
	*format = strcmp(name, "raw") == 0 ? "raw" : NULL;
	for (size_t i = 0; !*format && i < ARRAY_LEN(magics); i++)
		if (strcmp(magics[i].format, name) == 0)
			*format = magics[i].format;
	if (!*format)
		return err_set(e, ERR_USAGE, "'%s' is not an image format",
			       name);
	return 0;
}

static int
disk_begin(struct disk *d, const char *path, const char *format, struct err *e)
{
	*d = (struct disk){ .ops = NULL };
	return format ? known_format(format, &d->format, e)
		      : disk_probe(path, &d->format, e);
}

static bool
is_raw(const struct disk *d)
{
	return strcmp(d->format, "raw") == 0;
}

int
disk_open(struct disk *d, const char *path, const char *format, struct err *e)
{
	if (disk_begin(d, path, format, e) < 0)
		return -1;
	if (is_raw(d))
		return disk_raw_open(d, path, e);
	return disk_nbd_open(d, path, d->format, e);
}

int
disk_lend(struct disk *d, const char *path, const char *format, int *fd,
	  struct child *server, struct err *e)
{
	*server = (struct child){ .out = -1, .err = -1 };
	if (disk_begin(d, path, format, e) < 0)
		return -1;
	if (!is_raw(d))
		return disk_nbd_lend(d, path, d->format, fd, server, e);
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return err_sys(e, "%s", path);
	if (disk_add_file(d, *fd, path, e) < 0) {
		close(*fd);
		return -1;
	}
	d->nown = d->nfiles;
	return 0;
}

int
disk_take(struct disk *d, const char *name, const char *format, int fd,
	  struct err *e)
{
	*d = (struct disk){ .ops = NULL };
	if (known_format(format, &d->format, e) < 0) {
		close(fd);
		return -1;
	}
	return is_raw(d) ? disk_raw_take(d, fd, name, e)
			 : disk_nbd_take(d, fd, name, e);
}

void
disk_close(struct disk *d)
{
	if (d->ops)
		d->ops->close(d);
	free(d->backing);
	*d = (struct disk){ .ops = NULL };
}

int
disk_read(struct disk *d, uint64_t offset, void *out, size_t len, struct err *e)
{
	if (offset > d->size || len > d->size - offset)
		return err_set(e, ERR_CORRUPT,
			       "the disk ends before byte %llu + %zu",
			       (unsigned long long)offset, len);
	return d->ops->read(d, offset, out, len, e);
}

int
disk_next_data(struct disk *d, uint64_t from, struct disk_run *run,
	       struct err *e)
{
	int ret;

	if (from >= d->size)
		return 0;
	ret = d->ops->next_data(d, from, run, e);
	if (ret <= 0)
		return ret;
	run->start = MAX(run->start, from);
	run->end = MIN(run->end, d->size);
	return run->start < run->end;
}

static int64_t
nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int
disk_add_file(struct disk *d, int fd, const char *path, struct err *e)
{
	struct image_file *f = &d->files[d->nfiles];
	struct stat st;

	if (d->nfiles == DISK_FILES_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d backing files",
			       path, DISK_FILES_MAX - 1);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	*f = (struct image_file){ .dev = st.st_dev,
				  .ino = st.st_ino,
				  .size = (uint64_t)st.st_size,
				  .mtime_ns = nanoseconds(st.st_mtim),
				  .ctime_ns = nanoseconds(st.st_ctim),
				  .silent = S_ISBLK(st.st_mode) };
	if (f->silent) {
		f->dev = st.st_rdev;
		f->ino = 0;
		f->mtime_ns = f->ctime_ns = 0;
		if (ioctl(fd, BLKGETSIZE64, &f->size) < 0)
			return err_sys(e, "%s: size of the device", path);
	}
	d->nfiles++;
	return 0;
}
