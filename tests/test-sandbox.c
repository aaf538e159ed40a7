/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/test.h"
#include "tools/sandbox.h"

#define NOBODY 65534
#define CELL   4096 /* in which acts leave what they must not */

/* Each of these, tried inside, must fail with EPERM.  Where it shows that a
 * session has what a setting of systemd would give it, that is named as
 * 'systemd-analyze security' names it, and tests/units.sh looks it up.
 */
struct act {
	const char *covers;
	long call;
	long args[6];
};

#define TEXT(t) ((long)(uintptr_t)(t))
#define OPEN(path)                                                             \
	SYS_openat,                                                            \
	{                                                                      \
		AT_FDCWD, TEXT(path), O_RDONLY                                 \
	}

static char cell[CELL] __attribute__((aligned(CELL)));

/* clang-format off */
static const struct act acts[] = {
	{ "ProtectSystem=", OPEN("/") },
	{ "ProtectSystem=", OPEN("/etc/passwd") },
	{ "ProtectHome=", OPEN("/home") },
	{ "PrivateTmp=", OPEN("/tmp") },
	{ "PrivateDevices=", OPEN("/dev/null") },
	{ "PrivateDevices=", SYS_ioctl, { 0, 0x5413, TEXT(cell) } },
	{ "ProtectProc=", OPEN("/proc") },
	{ "ProcSubset=", OPEN("/proc/cpuinfo") },
	{ "ProtectKernelTunables=", OPEN("/proc/sys") },
	{ "ProtectControlGroups=", OPEN("/sys/fs/cgroup") },
	{ "Delegate=", OPEN("/sys/fs/cgroup") },
	{ NULL, SYS_open, { TEXT("/proc/self/mem"), O_RDWR } },
	{ NULL, SYS_openat2, { AT_FDCWD, TEXT("/"), TEXT(cell), 24 } },
	{ NULL, SYS_open_by_handle_at, { 0, TEXT(cell), 0 } },
	{ "UMask=", SYS_open, { TEXT("x"), O_WRONLY | O_CREAT, 0600 } },
	{ "UMask=", SYS_mkdir, { TEXT("/x"), 0700 } },
	{ "UMask=", SYS_mknod, { TEXT("/x"), S_IFREG | 0600, 0 } },
	{ "RestrictSUIDSGID=", SYS_chmod, { TEXT("/"), 04777 } },
	{ "RestrictSUIDSGID=", SYS_fchmod, { 0, 04777 } },
	{ NULL, SYS_unlink, { TEXT("/x") } },
	{ NULL, SYS_rename, { TEXT("/x"), TEXT("/y") } },
	{ "RootDirectory=", SYS_chroot, { TEXT("/") } },
	{ "PrivateMounts=", SYS_mount,
	  { TEXT("none"), TEXT("/"), TEXT("tmpfs"), 0, 0 } },
	{ "PrivateNetwork=", SYS_socket, { AF_INET, SOCK_STREAM } },
	{ "IPAddressDeny=", SYS_socket, { AF_INET6, SOCK_DGRAM } },
	{ "RestrictAddressFamilies=~AF_(INET|INET6)", SYS_socket,
	  { AF_INET, SOCK_STREAM } },
	{ "RestrictAddressFamilies=~AF_UNIX", SYS_socket,
	  { AF_UNIX, SOCK_STREAM } },
	{ "RestrictAddressFamilies=~AF_NETLINK", SYS_socket,
	  { AF_NETLINK, SOCK_RAW } },
	{ "RestrictAddressFamilies=~AF_PACKET", SYS_socket,
	  { AF_PACKET, SOCK_RAW } },
	{ "RestrictAddressFamilies=~\u2026", SYS_socket,
	  { AF_VSOCK, SOCK_STREAM } },
	{ NULL, SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, TEXT(cell) } },
	{ "NotifyAccess=", SYS_connect, { 0, TEXT(cell), 2 } },
	{ NULL, SYS_bind, { 0, TEXT(cell), 2 } },
	{ NULL, SYS_listen, { 0, 1 } },
	{ NULL, SYS_fork, { 0 } },
	{ NULL, SYS_vfork, { 0 } },
	{ NULL, SYS_clone, { SIGCHLD } },
	{ NULL, SYS_execve, { TEXT("/bin/true"), TEXT(cell), TEXT(cell) } },
	{ "RestrictNamespaces=~user", SYS_unshare, { CLONE_NEWUSER } },
	{ "RestrictNamespaces=~pid", SYS_unshare, { CLONE_NEWPID } },
	{ "RestrictNamespaces=~net", SYS_unshare, { CLONE_NEWNET } },
	{ "RestrictNamespaces=~uts", SYS_unshare, { CLONE_NEWUTS } },
	{ "RestrictNamespaces=~mnt", SYS_unshare, { CLONE_NEWNS } },
	{ "RestrictNamespaces=~cgroup", SYS_unshare, { CLONE_NEWCGROUP } },
	{ "RestrictNamespaces=~ipc", SYS_unshare, { CLONE_NEWIPC } },
	{ NULL, SYS_setns, { 0, 0 } },
	{ "PrivateUsers=", SYS_kill, { 1, 0 } },
	{ "PrivateUsers=", SYS_setuid, { 0 } },
	{ "PrivateUsers=", SYS_setgid, { 0 } },
	{ "PrivateUsers=", SYS_chown, { TEXT("/"), NOBODY, NOBODY } },
	{ "NoNewPrivileges=", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
	{ "MemoryDenyWriteExecute=", SYS_mmap,
	  { 0, CELL, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "MemoryDenyWriteExecute=", SYS_mprotect,
	  { TEXT(cell), CELL, PROT_READ | PROT_WRITE | PROT_EXEC } },
	{ "MemoryDenyWriteExecute=", SYS_pkey_mprotect,
	  { TEXT(cell), CELL, PROT_READ | PROT_EXEC, -1 } },
	{ "RemoveIPC=", SYS_shmget, { 0, CELL, 01600 } },
	{ "RemoveIPC=", SYS_msgget, { 0, 01600 } },
	{ "RemoveIPC=", SYS_semget, { 0, 1, 01600 } },
	{ "RemoveIPC=", SYS_mq_open, { TEXT("x"), O_CREAT | O_RDWR, 0600 } },
	{ "KeyringMode=", SYS_add_key,
	  { TEXT("user"), TEXT("x"), TEXT("y"), 1, -1 } },
	{ "KeyringMode=", SYS_keyctl, { 0, -3, 0 } },
	{ "LockPersonality=", SYS_personality, { 8 } },
	{ "RestrictRealtime=", SYS_sched_setscheduler, { 0, 1, TEXT(cell) } },
	{ "ProtectHostname=", SYS_sethostname, { TEXT("x"), 1 } },
	{ "ProtectClock=", SYS_clock_settime, { 0, TEXT(cell) } },
	{ "ProtectClock=", SYS_adjtimex, { TEXT(cell) } },
	{ "ProtectKernelLogs=", SYS_syslog, { 10 } },
	{ "ProtectKernelModules=", SYS_init_module, { TEXT(cell), 0 } },
	{ "SystemCallFilter=~@clock", SYS_settimeofday, { TEXT(cell) } },
	{ "SystemCallFilter=~@cpu-emulation", SYS_modify_ldt, { 0 } },
	{ "SystemCallFilter=~@debug", SYS_ptrace, { 0 } },
	{ "SystemCallFilter=~@debug", SYS_perf_event_open,
	  { TEXT(cell), 0, -1, -1, 0 } },
	{ "SystemCallFilter=~@module", SYS_delete_module, { TEXT("x") } },
	{ "SystemCallFilter=~@mount", SYS_umount2, { TEXT("/"), 0 } },
	{ "SystemCallFilter=~@obsolete", SYS_ustat, { 0, TEXT(cell) } },
	{ "SystemCallFilter=~@privileged", SYS_bpf, { 0, TEXT(cell), 0 } },
	{ "SystemCallFilter=~@raw-io", SYS_iopl, { 0 } },
	{ "SystemCallFilter=~@reboot", SYS_reboot, { 0 } },
	{ "SystemCallFilter=~@resources", SYS_setrlimit,
	  { RLIMIT_CORE, TEXT(cell) } },
	{ "SystemCallFilter=~@swap", SYS_swapoff, { TEXT("/x") } },
	{ NULL, SYS_memfd_create, { TEXT("x"), 0 } },
	{ NULL, SYS_pipe, { TEXT(cell) } },
	{ NULL, SYS_process_vm_readv, { 1 } },
	{ NULL, SYS_io_uring_setup, { 1, TEXT(cell) } },
	{ NULL, SYS_userfaultfd, { 0 } },
	{ NULL, SYS_seccomp, { 1, 0, 0 } },
};
/* clang-format on */

/* And what /proc says of it, seen from outside. */
static const struct {
	const char *covers, *line;
} facts[] = {
	{ "User=", "Uid:\t65534\t65534\t65534\t65534\n" },
	{ "SupplementaryGroups=", "Groups:\t \n" },
	{ "AmbientCapabilities=", "CapAmb:\t0000000000000000\n" },
	{ "CapabilityBoundingSet=~", "CapBnd:\t0000000000000000\n" },
	{ "CapabilityBoundingSet=~", "CapPrm:\t0000000000000000\n" },
	{ "CapabilityBoundingSet=~", "CapEff:\t0000000000000000\n" },
	{ "NoNewPrivileges=", "NoNewPrivs:\t1\n" },
	{ "SystemCallArchitectures=", "Seccomp:\t2\n" },
};

static void *
add_one(void *at)
{
	*(int *)at += 1;
	return NULL;
}

/* And these must work. */
static const char *
needs(void)
{
	auto_free char *memory = malloc(4 << 20);
	int count = 0, fd = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;
	uint64_t one = 1;

	if (!memory || !memset(memory, 1, 4 << 20))
		return "memory";
	if (fd < 0 || write(fd, &one, 8) != 8 || read(fd, &one, 8) != 8)
		return "eventfd";
	if (pthread_create(&thread, NULL, add_one, &count) != 0 ||
	    pthread_join(thread, NULL) != 0 || count != 1)
		return "threads";
	return NULL;
}

static bool
act_is_refused(const struct act *a)
{
	const long *arg = a->args;

	return syscall(a->call, arg[0], arg[1], arg[2], arg[3], arg[4],
		       arg[5]) < 0 &&
	       errno == EPERM;
}

/* Inside: ends with the number of what should not have worked, plus one. */
static void __attribute__((noreturn)) inside(int out, const char *empty)
{
	struct err e;
	const char *lacks;

	if (sandbox_enter(NOBODY, NOBODY, empty, &e) < 0) {
		dprintf(out, "%s", e.text);
		_exit(1);
	}
	lacks = needs();
	if (lacks)
		dprintf(out, "no %s", lacks);
	else if (getuid() != NOBODY || geteuid() != NOBODY)
		dprintf(out, "still root");
	else
		for (size_t i = 0; i < ARRAY_LEN(acts); i++)
			if (!act_is_refused(&acts[i])) {
				dprintf(out, "act %zu worked", i);
				break;
			}
	_exit(0);
}

static void
inside_there_is_nothing_to_break(void **state)
{
	char empty[] = "/tmp/test-sandbox.XXXXXX", said[256] = "";
	int fds[2], status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(empty));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		inside(fds[1], empty);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(fds[0], said, sizeof(said) - 1) >= 0);
	rmdir(empty);
	assert_string_equal(said, "");
	assert_int_equal(status, 0);
	close(fds[0]);
}

static void *
wait_for_ever(void *arg)
{
	poll(NULL, 0, -1);
	return arg;
}

/* One that enters, says so, and waits to be killed; or that calls the kernel as
 * a program of another architecture does.
 */
static pid_t
enter(const char *empty, bool old_call)
{
	struct pollfd said = { .events = POLLIN };
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct err e;
		pthread_t other;

		close(fds[0]);
		/* A session has workers, which must not outlive it. */
		if (sandbox_enter(NOBODY, NOBODY, empty, &e) < 0 ||
		    pthread_create(&other, NULL, wait_for_ever, NULL) != 0)
			_exit(1);
		if (old_call)
			__asm__ volatile("int $0x80" : : "a"(20) : "memory");
		(void)!write(fds[1], "x", 1);
		poll(NULL, 0, -1);
		_exit(0);
	}
	close(fds[1]);
	said.fd = fds[0];
	if (poll(&said, 1, 10000) != 1)
		kill(pid, SIGKILL);
	assert_true(said.revents != 0);
	assert_int_equal(read(fds[0], &byte, 1), old_call ? 0 : 1);
	close(fds[0]);
	return pid;
}

static void
from_outside_it_has_nothing(void **state)
{
	char empty[] = "/tmp/test-sandbox.XXXXXX", path[64], text[8192] = "";
	FILE *f;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(empty));
	pid = enter(empty, false);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		if (!strstr(text, facts[i].line))
			fail_msg("not '%s' in: %s", facts[i].line, text);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	memset(text, 0, sizeof(text));
	assert_true(readlink(path, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, empty);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	rmdir(empty);
}

static void
calls_of_another_architecture_end_it(void **state)
{
	char empty[] = "/tmp/test-sandbox.XXXXXX";
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(empty));
	pid = enter(empty, true);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	rmdir(empty);
}

static void
who_is_not_root_does_not_get_in(void **state)
{
	int status;
	pid_t pid = fork();
	struct err e;

	(void)state;
	if (pid == 0)
		_exit((geteuid() != 0 || setuid(NOBODY) == 0) &&
		      sandbox_enter(NOBODY, NOBODY, "/", &e) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* --covers: the settings of systemd that these tests show to be covered. */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside_there_is_nothing_to_break),
		cmocka_unit_test(from_outside_it_has_nothing),
		cmocka_unit_test(calls_of_another_architecture_end_it),
		cmocka_unit_test(who_is_not_root_does_not_get_in),
	};

	if (argc == 2 && strcmp(argv[1], "--covers") == 0) {
		for (size_t i = 0; i < ARRAY_LEN(acts); i++)
			if (acts[i].covers)
				puts(acts[i].covers);
		for (size_t i = 0; i < ARRAY_LEN(facts); i++)
			puts(facts[i].covers);
		return 0;
	}
	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
