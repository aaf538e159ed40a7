/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* half-close PID: ends what that process says over TCP, and not what it hears.
 * reset PID: the other ends of its TCP connections hear a reset.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 1024

int
main(int argc, char **argv)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int pid = argc == 2 ? atoi(argv[1]) : 0, done = 0;
	int process = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int n = 3; process >= 0 && n < FDS; n++) {
		int fd = (int)syscall(SYS_pidfd_getfd, process, n, 0);
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);

		if (fd < 0)
			continue;
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
		    (peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
			done += (strstr(argv[0], "reset")
					 ? connect(fd, &nobody, sizeof(nobody))
					 : shutdown(fd, SHUT_WR)) == 0;
		close(fd);
	}
	if (done == 0)
		perror(argv[0]);
	return done == 0;
}
