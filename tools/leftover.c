/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/leftover.h"

/* Whether a process has the socket of that name.  To connect would not do: to
 * a QEMU that waits, whoever connects is the migration.
 */
static bool
is_in_use(FILE *sockets, const char *path)
{
	auto_free char *line = NULL;
	size_t room = 0;
	ssize_t n;

	rewind(sockets);
	while ((n = getline(&line, &room, sockets)) > 0) {
		char *name = strchr(line, '/');

		line[n - 1] = '\0';
		if (name && strcmp(name, path) == 0)
			return true;
	}
	return false;
}

/* One that is being made has its file a moment before it is in the table. */
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
	FILE *sockets = fopen("/proc/self/net/unix", "re");
	DIR *d = opendir(dir);
	struct dirent *at;
	char path[512];

	while (sockets && d && (at = readdir(d)))
		if (is_old_socket(dirfd(d), at->d_name, age_s) &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir,
				     at->d_name) < sizeof(path) &&
		    !is_in_use(sockets, path))
			unlink(path);
	if (d)
		closedir(d);
	if (sockets)
		fclose(sockets);
}
