/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/beside.h"
#include "tools/daemon.h"
#include "tools/passed.h"

/* virt-mig-listener where there is no systemd that runs it: as its user, and
 * for as long as we run.
 */
#define AGAIN_S 1

/* A descriptor that dup2() to the first ones cannot hit. */
static int
out_of_the_way(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, PASSED_FIRST + 2);
}

static void
close_but(int keep)
{
	for (int fd = PASSED_FIRST + 2; fd < keep; fd++)
		close(fd);
	closefrom(keep + 1);
}

static bool
leave_root(const struct settings_ids *ids)
{
	return setgroups(0, NULL) == 0 &&
	       setresgid(ids->listen_group, ids->listen_group,
			 ids->listen_group) == 0 &&
	       setresuid(ids->listen_user, ids->listen_user,
			 ids->listen_user) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0;
}

static void __attribute__((noreturn))
exec_listener(const struct daemon *d, const char *path, pid_t parent)
{
	/* Opened by root: its user need not get into the folder. */
	int program = out_of_the_way(open(path, O_PATH | O_CLOEXEC));
	int peers = out_of_the_way(d->peers_fd);
	int asked = out_of_the_way(d->asked_fd);
	char pid[32];
	char *const argv[] = { (char *)(uintptr_t) "virt-mig-listener", NULL };
	char *const env[] = { (char *)(uintptr_t) "LC_ALL=C",
			      (char *)(uintptr_t) "LISTEN_FDS=2", pid, NULL };
	sigset_t none;

	snprintf(pid, sizeof(pid), "LISTEN_PID=%d", getpid());
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(peers, PASSED_FIRST) >= 0 &&
	    dup2(asked, PASSED_FIRST + 1) >= 0 && leave_root(&d->ids) &&
	    getppid() == parent) {
		close_but(program);
		fexecve(program, argv, env);
	}
	fprintf(stderr, "virt-migd: cannot start %s\n", path);
	_exit(127);
}

int
listener_start(struct daemon *d, struct err *e)
{
	char program[PATH_MAX];
	pid_t parent = getpid();

	if (d->asked_fd < 0)
		return 0;
	if (!beside_path("virt-mig-listener", program, sizeof(program)))
		return err_set(e, ERR_SYSTEM,
			       "virt-mig-listener is not installed");
	fflush(NULL);
	d->listener_pid = fork();
	if (d->listener_pid == 0)
		exec_listener(d, program, parent);
	return d->listener_pid > 0 ? 0 : err_sys(e, "fork");
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct err e;

	(void)fd;
	(void)what;
	if (listener_start(arg, &e) < 0)
		fprintf(stderr, "virt-migd: %s\n", e.text);
}

bool
listener_on_child(struct daemon *d, int pid)
{
	const struct timeval soon = { .tv_sec = AGAIN_S };

	if (pid != d->listener_pid)
		return false;
	fprintf(stderr, "virt-migd: virt-mig-listener ended; once more\n");
	d->listener_pid = 0;
	event_base_once(d->base, -1, EV_TIMEOUT, on_again, d, &soon);
	return true;
}

void
listener_stop(const struct daemon *d)
{
	if (d->listener_pid > 0)
		kill(d->listener_pid, SIGTERM);
}
