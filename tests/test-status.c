/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tests/test.h"
#include "tools/control.h"
#include "tools/daemon.h"

/* virt-migd's control socket in a process of its own, with many migrations that
 * nobody runs; the test is the command.
 */
#define MANY 200

static struct migration migrations[MANY];
static struct err e;
static char path[64];
static pid_t pid;

static void
on_client(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	client_accept(arg);
}

static void __attribute__((noreturn)) run_daemon(int fd)
{
	struct daemon d = { .base = event_base_new(), .control_fd = fd };
	struct event *control =
		event_new(d.base, fd, EV_READ | EV_PERSIST, on_client, &d);
	char text[240];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < MANY; i++) {
		migrations[i] = (struct migration){
			.next = d.migrations,
			.began_ns = clock_wall_ns(),
			.status = json_pack("{s:s#, s:s#}", "notice", text, 239,
					    "text", text, 239)
		};
		d.migrations = &migrations[i];
	}
	event_add(control, NULL);
	event_base_dispatch(d.base);
	_exit(0);
}

static int
setup(void **state)
{
	struct parcel_socket s = { .path = path,
				   .type = SOCK_SEQPACKET,
				   .uid = geteuid(),
				   .gid = getegid(),
				   .mode = 0600 };
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test-status.%d", getpid());
	assert_ok(parcel_listen(&s, &fd, &e), &e);
	pid = fork();
	if (pid == 0)
		run_daemon(fd);
	close(fd);
	alarm(30);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	return 0;
}

static int
call(void)
{
	int fd;

	assert_ok(parcel_connect(path, SOCK_SEQPACKET, &fd, &e), &e);
	return fd;
}

static void
check_all_are_told(void)
{
	int fd = call();
	json_t *all = control_status(fd, &e);

	if (!all)
		fail_msg("%s", e.text);
	assert_int_equal(json_array_size(all), MANY);
	assert_int_equal(json_string_length(json_object_get(
				 json_array_get(all, MANY - 1), "text")),
			 239);
	json_decref(all);
	close(fd);
}

/* Together they are more than a parcel takes. */
static void
all_sessions_are_told_of(void **state)
{
	(void)state;
	check_all_are_told();
}

/* A command that was stopped: others are served all the same. */
static void
who_does_not_listen_is_hung_up_on(void **state)
{
	int fd = call(), all = 0;
	struct parcel p;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_ok(parcel_send(fd, json_pack("{s:s}", "do", "status"),
				      NULL, 0, &e),
			  &e);
	check_all_are_told();
	while (parcel_receive(fd, &p, &e) > 0) {
		all += strcmp(parcel_text(&p, "say"), "all") == 0;
		parcel_free(&p);
	}
	assert_in_range(all, 0, 7);
	close(fd);
}

/* Whoever may ask at all may not ask without end. */
static void
there_is_an_end_of_those_who_ask(void **state)
{
	int fds[CLIENTS_MAX], fd;
	json_t *all = NULL;
	struct parcel p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = call();
	fd = call();
	assert_int_equal(parcel_receive(fd, &p, &e), 0);
	close(fd);
	/* It hears of this some time. */
	close(fds[0]);
	for (unsigned i = 0; !all && i < 500; i++) {
		usleep(10000);
		fd = call();
		all = control_status(fd, &e);
		close(fd);
	}
	assert_int_equal(json_array_size(all), MANY);
	json_decref(all);
	for (size_t i = 1; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_sessions_are_told_of, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			who_does_not_listen_is_hung_up_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			there_is_an_end_of_those_who_ask, setup, teardown),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
