/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"
#include "tools/leftover.h"

static char dir[] = "/tmp/test-leftover-XXXXXX";
static struct sockaddr_un at;

static const char *
path(const char *name)
{
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, name);
	return at.sun_path;
}

static int
make_socket(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sun_family = AF_UNIX;
	path(name);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static bool
exists(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static void
what_nobody_has_is_removed_and_nothing_else(void **state)
{
	int used = make_socket("used.sock"), peer, other;

	(void)state;
	close(make_socket("left.sock"));
	close(make_socket("another"));
	close(open(path("file.sock"), O_CREAT | O_WRONLY, 0600));
	leftover_clean(dir, 0);
	assert_true(exists("used.sock"));
	assert_false(exists("left.sock"));
	assert_true(exists("another"));
	assert_true(exists("file.sock"));
	/* Nobody was taken for a migration. */
	assert_int_equal(fcntl(used, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(used, NULL, NULL), -1);
	/* Who talks, and waits no more, has no use for it. */
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	path("used.sock");
	assert_int_equal(connect(peer, (struct sockaddr *)&at, sizeof(at)), 0);
	other = accept(used, NULL, NULL);
	assert_true(other >= 0);
	close(used);
	leftover_clean(dir, 0);
	assert_false(exists("used.sock"));
	close(other);
	close(peer);
	unlink(path("another"));
	unlink(path("file.sock"));
}

static void
what_is_young_is_left_alone(void **state)
{
	(void)state;
	close(make_socket("young.sock"));
	leftover_clean(dir, LEFTOVER_AGE_S);
	assert_true(exists("young.sock"));
	leftover_clean(dir, 0);
	assert_false(exists("young.sock"));
}

/* As root in a step that a process with several threads may take too, as one
 * under ThreadSanitizer is.
 */
static bool
enter_another_network(void)
{
	return unshare(CLONE_NEWNET) == 0 ||
	       unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

/* virt-migd has a network namespace of its own under systemd; QEMU is in that of
 * the host.
 */
static void
what_is_used_in_another_network_stays(void **state)
{
	int ready[2];
	char can = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (enter_another_network()) {
			make_socket("there.sock");
			can = 1;
		}
		(void)!write(ready[1], &can, 1);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &can, 1), 1);
	close(ready[0]);
	close(ready[1]);
	leftover_clean(dir, 0);
	bool left = exists("there.sock");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!can)
		skip();
	assert_true(left);
	leftover_clean(dir, 0);
	assert_false(exists("there.sock"));
}

static void
no_folder_is_no_harm(void **state)
{
	(void)state;
	leftover_clean("/nowhere/at/all", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_has_is_removed_and_nothing_else),
		cmocka_unit_test(what_is_young_is_left_alone),
		cmocka_unit_test(what_is_used_in_another_network_stays),
		cmocka_unit_test(no_folder_is_no_harm),
	};
	int ret;

	if (!mkdtemp(dir))
		return 99;
	ret = cmocka_run_group_tests_name("leftover", tests, NULL, NULL);
	rmdir(dir);
	return ret;
}
