/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/parcel.h"
#include "tests/test.h"
#include "tools/listener.h"

/* A listener in a process of its own, with sockets in a folder of the test's;
 * the test is its peers, its virt-migd and its monitors.
 */
#define PATIENCE_MS 500

static struct err e;

struct world {
	char dir[32], called[64], asked[64];
	int calls; /* virt-migd's */
	struct endpoint peers;
	pid_t pid;
};

static void __attribute__((noreturn))
run_listener(const struct world *w, int peers_fd, int asked_fd)
{
	static struct listener l;

	l.peers_fd = peers_fd;
	l.asked_fd = asked_fd;
	l.called = w->called;
	l.patience_ms = PATIENCE_MS;
	if (listener_init(&l, &e) == 0)
		listener_run(&l);
	listener_fini(&l);
	_exit(0);
}

static int
setup(void **state)
{
	static struct world w;
	struct endpoint_addr bound;
	struct parcel_socket s = { .path = w.called,
				   .type = SOCK_DGRAM,
				   .uid = geteuid(),
				   .gid = getegid(),
				   .mode = 0600 };
	int peers_fd, asked_fd;
	struct sockaddr_in in;

	w = (struct world){ .dir = "/tmp/test-listener.XXXXXX" };
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.called, sizeof(w.called), "%s/calls", w.dir);
	snprintf(w.asked, sizeof(w.asked), "%s/net", w.dir);
	assert_ok(parcel_listen(&s, &w.calls, &e), &e);
	s.path = w.asked;
	s.type = SOCK_SEQPACKET;
	assert_ok(parcel_listen(&s, &asked_fd, &e), &e);
	assert_ok(endpoint_parse("127.0.0.1:0", 1, &w.peers, &e), &e);
	assert_ok(endpoint_listen(&w.peers, &peers_fd, &bound, &e), &e);
	memcpy(&in, &bound.sa, sizeof(in));
	w.peers.port = ntohs(in.sin_port);
	w.pid = fork();
	if (w.pid == 0)
		run_listener(&w, peers_fd, asked_fd);
	close(peers_fd);
	close(asked_fd);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	int status;

	kill(w->pid, SIGTERM);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	/* What it was told did not end it: it ends as it should. */
	assert_int_equal(status, 0);
	close(w->calls);
	unlink(w->called);
	unlink(w->asked);
	rmdir(w->dir);
	return 0;
}

static int
call(const struct world *w)
{
	int fd;

	assert_ok(endpoint_connect(&w->peers, &fd, &e), &e);
	return fd;
}

/* Whether something comes there, or it is hung up, within a second. */
static bool
is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 1000) > 0;
}

static bool
is_hung_up(int fd)
{
	char byte;

	return is_ready(fd) && recv(fd, &byte, 1, 0) <= 0;
}

static void
a_call_is_handed_over_with_its_connection(void **state)
{
	struct world *w = *state;
	struct call c = { .id = { 1, 2 }, .uuid = { 3 } };
	char id[CALL_TEXT_MAX], uuid[CALL_TEXT_MAX], said[8] = "";
	uint8_t bytes[CALL_BYTES];
	struct parcel p;
	auto_fd int fd = call(w), taken = -1;

	call_put(&c, bytes);
	call_id_text(c.id, id);
	call_id_text(c.uuid, uuid);
	/* In pieces, and what comes after it is not for the listener. */
	assert_int_equal(send(fd, bytes, 10, 0), 10);
	assert_int_equal(send(fd, bytes + 10, 30, 0), 30);
	assert_int_equal(send(fd, "more", 4, 0), 4);
	assert_true(is_ready(w->calls));
	assert_int_equal(parcel_receive(w->calls, &p, &e), 1);
	assert_string_equal(parcel_text(&p, "do"), "call");
	assert_string_equal(parcel_text(&p, "id"), id);
	assert_string_equal(parcel_text(&p, "uuid"), uuid);
	taken = parcel_take_fd(&p, 0);
	parcel_free(&p);
	assert_true(is_ready(taken));
	assert_int_equal(recv(taken, said, 4, 0), 4);
	assert_string_equal(said, "more");
	/* Nobody else holds it: the peer learns at once that we hang up. */
	close(taken);
	taken = -1;
	assert_true(is_hung_up(fd));
}

static void
who_talks_about_something_else_is_sent_away(void **state)
{
	struct world *w = *state;
	char text[64] = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n......";
	auto_fd int fd = call(w), brief = call(w);

	assert_int_equal(send(fd, text, sizeof(text), 0), sizeof(text));
	assert_true(is_hung_up(fd));
	assert_int_equal(send(brief, "x", 1, 0), 1);
	shutdown(brief, SHUT_WR);
	assert_true(is_hung_up(brief));
	assert_false(is_ready(w->calls));
}

static void
who_says_nothing_is_sent_away(void **state)
{
	auto_fd int fd = call(*state);

	assert_int_equal(send(fd, "v", 1, 0), 1);
	assert_true(is_hung_up(fd));
}

static void
one_address_has_few_places(void **state)
{
	int fds[LISTENER_PER_PEER + 1], gone = 0;
	struct timespec soon = { .tv_nsec = PATIENCE_MS / 5 * 1000000 };
	char byte;

	for (unsigned i = 0; i <= LISTENER_PER_PEER; i++)
		fds[i] = call(*state);
	nanosleep(&soon, NULL);
	for (unsigned i = 0; i <= LISTENER_PER_PEER; i++) {
		gone += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
		close(fds[i]);
	}
	assert_int_equal(gone, 1);
}

static void
without_a_virt_migd_callers_are_sent_away(void **state)
{
	struct world *w = *state;
	const struct call c = { .id = { 1 } };
	uint8_t bytes[CALL_BYTES];
	auto_fd int fd = call(w);

	unlink(w->called);
	call_put(&c, bytes);
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_true(is_hung_up(fd));
}

static void
it_connects_for_who_may_ask(void **state)
{
	struct world *w = *state;
	struct endpoint to = w->peers;
	struct endpoint_addr addr;
	struct sockaddr_in in;
	int there, fd;

	to.port = 0;
	assert_ok(endpoint_listen(&to, &there, &addr, &e), &e);
	memcpy(&in, &addr.sa, sizeof(in));
	to.port = ntohs(in.sin_port);
	assert_ok(listener_connect(w->asked, &to, &fd, &e), &e);
	addr.len = sizeof(addr.sa);
	assert_int_equal(
		getpeername(fd, (struct sockaddr *)&addr.sa, &addr.len), 0);
	memcpy(&in, &addr.sa, sizeof(in));
	assert_int_equal(ntohs(in.sin_port), to.port);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(there);
	assert_err(listener_connect(w->asked, &to, &fd, &e), &e, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "refused"));
	assert_ok(endpoint_parse("no.such.host.invalid", 1, &to, &e), &e);
	assert_err(listener_connect(w->asked, &to, &fd, &e), &e, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "no.such.host.invalid"));
}

static void
who_asks_for_nothing_gets_nothing(void **state)
{
	struct world *w = *state;
	auto_fd int junk = -1, empty = -1, silent = -1, fd = -1;
	struct parcel p;

	/* One that says nothing keeps nobody waiting. */
	assert_ok(parcel_connect(w->asked, SOCK_SEQPACKET, &silent, &e), &e);
	assert_ok(parcel_connect(w->asked, SOCK_SEQPACKET, &junk, &e), &e);
	assert_int_equal(send(junk, "junk", 4, 0), 4);
	assert_true(is_hung_up(junk));
	assert_ok(parcel_connect(w->asked, SOCK_SEQPACKET, &empty, &e), &e);
	assert_ok(parcel_send(empty, json_pack("{}"), NULL, 0, &e), &e);
	assert_int_equal(parcel_receive(empty, &p, &e), 1);
	assert_int_equal(p.nfds, 0);
	parcel_free(&p);
	assert_ok(listener_connect(w->asked, &w->peers, &fd, &e), &e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_call_is_handed_over_with_its_connection, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			who_talks_about_something_else_is_sent_away, setup,
			teardown),
		cmocka_unit_test_setup_teardown(who_says_nothing_is_sent_away,
						setup, teardown),
		cmocka_unit_test_setup_teardown(one_address_has_few_places,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_a_virt_migd_callers_are_sent_away, setup,
			teardown),
		cmocka_unit_test_setup_teardown(it_connects_for_who_may_ask,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_asks_for_nothing_gets_nothing, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
