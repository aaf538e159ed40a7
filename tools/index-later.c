/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dedup/index.h"
#include "tools/beside.h"
#include "tools/monitor.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

/* One at a time on a host, with what CPU and disk nobody else wants. */
static void
wait_for_turn(void)
{
	char lock[PATH_MAX];
	struct err ignored;
	int fd;

	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	if (index_folder(lock, sizeof(lock) - 8, &ignored) < 0)
		return;
	strcat(lock, "/.lock");
	/* Held, across exec, until the index is there. */
	fd = open(lock, O_RDWR | O_CREAT, 0600);
	if (fd >= 0)
		(void)!flock(fd, LOCK_EX);
}

static void __attribute__((noreturn))
build(const char *path, const char *format)
{
	char program[PATH_MAX];
	const char *argv[] = { "virt-mig", "index", "build", path,
			       NULL,       NULL,    NULL };
	int null = open("/dev/null", O_RDWR);

	if (format) {
		argv[4] = "--image-format";
		argv[5] = format;
	}
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	closefrom(3);
	wait_for_turn();
	if (beside_path("virt-mig", program, sizeof(program)))
		execv(program, (char *const *)(uintptr_t)argv);
	_exit(1);
}

void
index_build_later(const char *path, const char *format)
{
	pid_t pid = fork();

	/* A grandchild, which init reaps. */
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		if (fork() == 0)
			build(path, format);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}
