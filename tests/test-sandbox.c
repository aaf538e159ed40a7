/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
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

/* Each of these, tried inside, must fail. */
static long
act(unsigned i)
{
	static const struct sockaddr to = { .sa_family = AF_UNIX };
	char *const argv[] = { (char *)(uintptr_t) "/bin/true", NULL };
	struct rlimit limit = { 1, 1 };
	int fds[2];

	switch (i) {
	case 0:
		return open("/", O_RDONLY);
	case 1:
		return open("/etc/passwd", O_RDONLY);
	case 2:
		return open("x", O_WRONLY | O_CREAT, 0600);
	case 3:
		return syscall(SYS_open, "/proc/self/mem", O_RDWR);
	case 4:
		return socket(AF_INET, SOCK_STREAM, 0);
	case 5:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case 6:
		return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	case 7:
		return connect(0, &to, sizeof(to));
	case 8:
		return bind(0, &to, sizeof(to));
	case 9:
		return listen(0, 1);
	case 10:
		return fork();
	case 11:
		return vfork();
	case 12:
		return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	case 13:
		return execve(argv[0], argv, argv + 1);
	case 14:
		return kill(getppid(), 0);
	case 15:
		return ptrace(PTRACE_ATTACH, getppid(), 0, 0);
	case 16:
		return mount("none", "/", "tmpfs", 0, NULL);
	case 17:
		return chroot("/");
	case 18:
		return unshare(CLONE_NEWUSER);
	case 19:
		return setuid(0);
	case 20:
		return setgid(0);
	case 21:
		return chmod("/", 0777);
	case 22:
		return chown("/", NOBODY, NOBODY);
	case 23:
		return mkdir("/x", 0700);
	case 24:
		return unlink("/x");
	case 25:
		return rename("/x", "/y");
	case 26:
		return setrlimit(RLIMIT_CORE, &limit);
	case 27:
		return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	case 28:
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
			       ? -1
			       : 0;
	case 29:
		return mprotect((void *)((uintptr_t)&limit & ~4095ul), 4096,
				PROT_READ | PROT_WRITE | PROT_EXEC);
	case 30:
		return memfd_create("x", 0);
	case 31:
		return pipe(fds);
	case 32:
		return syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0);
	case 33:
		return syscall(SYS_bpf, 0, NULL, 0);
	case 34:
		return syscall(SYS_io_uring_setup, 1, NULL);
	case 35:
		return syscall(SYS_userfaultfd, 0);
	case 36:
		return syscall(SYS_add_key, "user", "x", "y", 1, -1);
	case 37:
		return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
	case 38:
		return syscall(SYS_ioctl, 0, 0x5413, NULL);
	case 39:
		return syscall(SYS_seccomp, 1, 0, NULL);
	default:
		return -2;
	}
}

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
		for (unsigned i = 0; i < 40; i++)
			if (act(i) >= 0) {
				dprintf(out, "act %u worked", i);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside_there_is_nothing_to_break),
		cmocka_unit_test(who_is_not_root_does_not_get_in),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
