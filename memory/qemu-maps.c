/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "memory/qemu-live.h"

/* Less than this is no guest's RAM. */
#define MAPS_LEAST (16u << 20)

/* Memory and nothing else: whoever reads the file reads what is mapped. */
static bool
file_is_memory(int fd, struct stat *st)
{
	struct statfs fs;

	return fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	       st->st_size >= MAPS_LEAST && fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

/* The largest such file that the process has open; only named, since to open
 * what a process names may do anything.
 */
static int
file_find(pid_t pid, struct stat *st)
{
	struct dirent *d;
	char path[64];
	int best = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		int fd = openat(dirfd(dir), d->d_name, O_PATH | O_CLOEXEC);
		struct stat found;

		if (fd < 0)
			continue;
		if (!file_is_memory(fd, &found) ||
		    found.st_size <= st->st_size) {
			close(fd);
			continue;
		}
		if (best >= 0)
			close(best);
		best = fd;
		*st = found;
	}
	if (dir)
		closedir(dir);
	return best;
}

static int
file_open(pid_t pid, struct stat *st)
{
	int named = file_find(pid, st), fd;
	char path[64];

	if (named < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", named);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	close(named);
	return fd;
}

static void
maps_add(struct qemu_maps *m, const struct qemu_map *map)
{
	size_t i = m->n < QEMU_MAPS_MAX ? m->n++ : QEMU_MAPS_MAX - 1;

	if (m->n == QEMU_MAPS_MAX && m->list[i].len > map->len)
		return;
	for (; i > 0 && m->list[i - 1].len < map->len; i--)
		m->list[i] = m->list[i - 1];
	m->list[i] = *map;
}

/* A line of /proc/PID/maps; what is shared is in the file, if it is of it: who
 * has it mapped for writing could open it.
 */
static void
maps_take(struct qemu_maps *m, const char *line, const struct stat *file)
{
	uint64_t at, end, offset, inode;
	unsigned major, minor;
	struct qemu_map map;
	char how[5];

	if (sscanf(line,
		   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64,
		   &at, &end, how, &offset, &major, &minor, &inode) != 7 ||
	    how[0] != 'r' || how[1] != 'w' || how[2] != '-' ||
	    end - at < MAPS_LEAST)
		return;
	map = (struct qemu_map){ at, end - at, false };
	if (m->file >= 0 && how[3] == 's' && inode == file->st_ino &&
	    makedev(major, minor) == file->st_dev) {
		map.at = offset;
		map.in_file = true;
	}
	maps_add(m, &map);
}

static int
maps_read(struct qemu_maps *m, pid_t pid, const struct stat *file,
	  struct err *e)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return err_sys(e, "%s", path);
	while (fgets(line, sizeof(line), f))
		maps_take(m, line, file);
	fclose(f);
	return m->n > 0 ? 0 : err_set(e, ERR_USAGE, "%s: no RAM in it", path);
}

/* One that is not used is not kept. */
static void
maps_drop_file(struct qemu_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].in_file)
			return;
	if (m->file >= 0)
		close(m->file);
	m->file = -1;
}

int
qemu_maps_open(struct qemu_maps *m, pid_t pid, struct err *e)
{
	struct stat file = { .st_size = 0 };
	char path[64];

	*m = (struct qemu_maps)QEMU_MAPS_NONE;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	m->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (m->fd < 0)
		return err_sys(e, "%s", path);
	m->file = file_open(pid, &file);
	if (maps_read(m, pid, &file, e) < 0) {
		qemu_maps_close(m);
		return -1;
	}
	maps_drop_file(m);
	return 0;
}

struct qemu_maps
qemu_maps_take(struct qemu_maps *m)
{
	struct qemu_maps taken = *m;

	m->fd = m->file = -1;
	return taken;
}

void
qemu_maps_close(struct qemu_maps *m)
{
	if (m->fd >= 0)
		close(m->fd);
	if (m->file >= 0)
		close(m->file);
	m->fd = m->file = -1;
}
