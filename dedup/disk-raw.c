/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/map.h"
#include "dedup/disk-impl.h"
#include "dedup/disk.h"

static void
raw_close(struct disk *d)
{
	map_close(d->state);
	free(d->state);
}

static int
raw_read(struct disk *d, uint64_t offset, uint8_t *out, size_t len,
	 struct err *e)
{
	(void)e;
	memcpy(out, d->data + offset, len);
	return 0;
}

/* Block devices and some file systems do not know: then all may be data. */
static int
raw_next_data(struct disk *d, uint64_t from, struct disk_run *run,
	      struct err *e)
{
	const struct map *m = d->state;
	off_t data = lseek(m->fd, (off_t)from, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO && !d->files[0].silent)
		return 0;
	if (data < 0 && (errno == EINVAL || errno == ENXIO)) {
		*run = (struct disk_run){ from, d->size, false };
		return 1;
	}
	if (data < 0)
		return err_sys(e, "SEEK_DATA");
	hole = lseek(m->fd, data, SEEK_HOLE);
	*run = (struct disk_run){ (uint64_t)data,
				  hole < 0 ? d->size : (uint64_t)hole, false };
	return 1;
}

static const struct disk_ops raw_ops = {
	.close = raw_close,
	.read = raw_read,
	.next_data = raw_next_data,
};

int
disk_raw_open(struct disk *d, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s", path);
	return disk_raw_take(d, fd, path, e);
}

int
disk_raw_take(struct disk *d, int fd, const char *path, struct err *e)
{
	struct map *m = malloc(sizeof(*m));

	if (!m) {
		close(fd);
		return err_sys(e, "%s", path);
	}
	if (map_take(m, fd, path, e) < 0) {
		free(m);
		return -1;
	}
	if (disk_add_file(d, m->fd, path, e) < 0) {
		map_close(m);
		free(m);
		return -1;
	}
	d->ops = &raw_ops;
	d->nown = d->nfiles;
	d->data = m->data;
	d->size = m->len;
	d->state = m;
	return 0;
}
