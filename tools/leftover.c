/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/leftover.h"

/* Whether a process has the stream socket of that name.  To connect would not
 * do: to a QEMU that waits, whoever connects is the migration.  So a datagram
 * socket tries, which is refused either way: for what it is, or since nobody
 * is there.  The kernel's table of sockets would not do either, it leaves out
 * those of another network namespace: under systemd virt-migd has its own.
 */
static bool
is_in_use(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(to.sun_path))
		return true;
	memcpy(to.sun_path, path, strlen(path));
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ||
	       errno != ECONNREFUSED;
}

/* One that is being made has its file a moment before it can be found. */
static bool
is_old_socket(int dir, const char *name, long age_s)
{
	const char *end = strrchr(name, '.');
	struct stat st;

	return end && strcmp(end, ".sock") == 0 &&
	       fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISSOCK(st.st_mode) && time(NULL) - st.st_ctime >= age_s;
}

void
leftover_clean(const char *dir, long age_s)
{
	DIR *d = opendir(dir);
	struct dirent *at;
	char path[512];

	while (d && (at = readdir(d)))
		if (is_old_socket(dirfd(d), at->d_name, age_s) &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir,
				     at->d_name) < sizeof(path) &&
		    !is_in_use(path))
			unlink(path);
	if (d)
		closedir(d);
}
