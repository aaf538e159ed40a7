/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/map.h"

static int
map_size(int fd, const char *path, uint64_t *size, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_USAGE, "%s: not a file or block device",
			       path);
	if (ioctl(fd, BLKGETSIZE64, size) < 0)
		return err_sys(e, "%s: size of the device", path);
	return 0;
}

int
map_open(struct map *m, const char *path, struct err *e)
{
	/* Nobody may ever write to a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*m = (struct map){ .fd = -1 };
	if (fd < 0)
		return err_sys(e, "%s", path);
	return map_take(m, fd, path, e);
}

int
map_take(struct map *m, int fd, const char *path, struct err *e)
{
	uint64_t size;
	void *data;

	*m = (struct map){ .fd = fd };
	if (map_size(fd, path, &size, e) < 0) {
		map_close(m);
		return -1;
	}
	if (size == 0)
		return 0;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		(void)err_sys(e, "%s: mapping %llu bytes", path,
			      (unsigned long long)size);
		map_close(m);
		return -1;
	}
	m->data = data;
	m->len = size;
	return 0;
}

void
map_close(struct map *m)
{
	if (m->data)
		munmap((void *)(uintptr_t)m->data, m->len);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct map){ .fd = -1 };
}
