/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "tools/passed.h"

int
passed_socket(int type)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int n = fds ? atoi(fds) : 0, found = -1;

	if (!pid || atoi(pid) != getpid())
		return -1;
	for (int fd = PASSED_FIRST; fd < PASSED_FIRST + n; fd++) {
		socklen_t len = sizeof(int);
		int is = -1;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &len) == 0 &&
		    is == type)
			found = fd;
	}
	return found;
}
