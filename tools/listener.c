/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/parcel.h"
#include "tools/listener.h"
#include "tools/report.h"

/* ---- who calls */

static void
caller_close(struct caller *c)
{
	if (c->event)
		event_free(c->event);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct caller){ .fd = -1 };
}

static void
caller_refuse(struct caller *c, const struct err *why)
{
	char from[ENDPOINT_TEXT_MAX];

	endpoint_addr_text(&c->addr, from);
	fprintf(stderr, "virt-mig-listener: refused %s: %s\n", from, why->text);
	caller_close(c);
}

/* To virt-migd, which is not waited for. */
static int
caller_hand_over(const struct caller *c, const struct call *call, struct err *e)
{
	char id[CALL_TEXT_MAX], uuid[CALL_TEXT_MAX];
	auto_fd int fd = -1;
	const int one = 1;

	if (parcel_connect(c->listener->called, SOCK_DGRAM | SOCK_NONBLOCK, &fd,
			   e) < 0)
		return -1;
	setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	call_id_text(call->id, id);
	call_id_text(call->uuid, uuid);
	return parcel_send(fd,
			   json_pack("{s:s, s:s, s:s}", "do", "call", "id", id,
				     "uuid", uuid),
			   &c->fd, 1, e);
}

/* All 40 bytes are there, or the peer is gone (SO_RCVLOWAT). */
static void
on_caller(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;
	uint8_t bytes[CALL_BYTES];
	struct call call;
	struct err e;

	if (recv(fd, bytes, sizeof(bytes), 0) != CALL_BYTES)
		err_fill(&e, ERR_PROTOCOL,
			 what & EV_TIMEOUT ? "it did not say what it wants"
					   : "it did not call");
	else if (call_get(bytes, &call, &e) == 0 &&
		 caller_hand_over(c, &call, &e) == 0) {
		caller_close(c);
		return;
	}
	caller_refuse(c, &e);
}

/* A place for one more from there; NULL where that would be too many. */
static struct caller *
caller_place(struct listener *l, const char *host)
{
	struct caller *free_one = NULL;
	unsigned same = 0;

	for (struct caller *c = l->callers; c < l->callers + LISTENER_CALLS;
	     c++) {
		if (c->fd < 0)
			free_one = c;
		else if (strcmp(c->host, host) == 0)
			same++;
	}
	return same < LISTENER_PER_PEER ? free_one : NULL;
}

static void
on_peer(evutil_socket_t listening, short what, void *arg)
{
	struct listener *l = arg;
	const struct timeval patience = { .tv_sec = l->patience_ms / 1000,
					  .tv_usec = l->patience_ms % 1000 *
						     1000 };
	struct caller fresh = { .listener = l,
				.addr.len = sizeof(fresh.addr.sa) };
	struct caller *c;
	const int all = CALL_BYTES;

	(void)what;
	fresh.fd = accept4(listening, (struct sockaddr *)&fresh.addr.sa,
			   &fresh.addr.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fresh.fd < 0)
		return;
	endpoint_addr_host(&fresh.addr, fresh.host);
	c = caller_place(l, fresh.host);
	if (!c) {
		close(fresh.fd);
		return;
	}
	setsockopt(fresh.fd, SOL_SOCKET, SO_RCVLOWAT, &all, sizeof(all));
	*c = fresh;
	c->event =
		event_new(l->base, c->fd, EV_READ | EV_PERSIST, on_caller, c);
	if (!c->event || event_add(c->event, &patience) < 0)
		caller_close(c);
}

/* ---- monitors, which ask for a connection */

static int
connect_as_asked(const struct parcel *p, int *fd, struct err *e)
{
	struct endpoint to = { .port = (uint16_t)parcel_number(p, "port") };

	if (strcmp(parcel_text(p, "do"), "connect") != 0 || to.port == 0)
		return err_set(e, ERR_PROTOCOL, "connect to what?");
	snprintf(to.host, sizeof(to.host), "%s", parcel_text(p, "host"));
	return endpoint_connect(&to, fd, e);
}

static void
answer(int asker)
{
	auto_fd int fd = -1;
	struct parcel p;
	struct err e;
	json_t *body;

	if (parcel_receive(asker, &p, &e) <= 0)
		return;
	body = connect_as_asked(&p, &fd, &e) == 0
		       ? json_pack("{s:s}", "do", "connection")
		       : report_end(&e);
	parcel_free(&p);
	(void)!parcel_send(asker, body, &fd, fd >= 0, &e);
}

/* In a child.  Its copies of what others wait for are closed: that somebody
 * is sent away must reach him now.
 */
static void __attribute__((noreturn)) run_asked(struct listener *l, int asker)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	close(l->peers_fd);
	close(l->asked_fd);
	for (size_t i = 0; i < LISTENER_CALLS; i++)
		if (l->callers[i].fd >= 0)
			close(l->callers[i].fd);
	alarm(LISTENER_ASK_S);
	answer(asker);
	_exit(0);
}

static void
on_asked(evutil_socket_t listening, short what, void *arg)
{
	struct listener *l = arg;
	auto_fd int asker = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	(void)what;
	if (asker < 0 || l->asking == LISTENER_ASKING)
		return;
	pid = fork();
	if (pid == 0)
		run_asked(l, asker);
	l->asking += pid > 0;
}

static void
on_child(evutil_socket_t number, short what, void *arg)
{
	struct listener *l = arg;

	(void)number;
	(void)what;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		l->asking--;
}

int
listener_connect(const char *path, const struct endpoint *to, int *fd,
		 struct err *e)
{
	auto_fd int listener = -1;
	const struct timeval patience = { .tv_sec = LISTENER_ASK_S + 5 };
	struct parcel p;
	int ret;

	if (parcel_connect(path, SOCK_SEQPACKET, &listener, e) < 0 ||
	    parcel_send(listener,
			json_pack("{s:s, s:s, s:i}", "do", "connect", "host",
				  to->host, "port", to->port),
			NULL, 0, e) < 0)
		return err_prefix(e, "virt-mig-listener");
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	ret = parcel_receive(listener, &p, e);
	if (ret <= 0)
		return ret < 0 ? -1
			       : err_set(e, ERR_LIMIT,
					 "virt-mig-listener gave no answer");
	*fd = parcel_take_fd(&p, 0);
	if (*fd < 0)
		report_get_end(p.body, e);
	parcel_free(&p);
	return *fd < 0 ? -1 : 0;
}

/* ---- its life */

static void
on_stop(evutil_socket_t number, short what, void *arg)
{
	struct listener *l = arg;

	(void)number;
	(void)what;
	event_base_loopbreak(l->base);
}

int
listener_init(struct listener *l, struct err *e)
{
	const struct {
		int fd;
		short what;
		event_callback_fn fn;
	} all[ARRAY_LEN(l->events)] = {
		{ l->peers_fd, EV_READ, on_peer },
		{ l->asked_fd, EV_READ, on_asked },
		{ SIGCHLD, EV_SIGNAL, on_child },
		{ SIGTERM, EV_SIGNAL, on_stop },
		{ SIGINT, EV_SIGNAL, on_stop },
	};

	for (size_t i = 0; i < LISTENER_CALLS; i++)
		l->callers[i].fd = -1;
	l->asking = 0;
	memset(l->events, 0, sizeof(l->events));
	l->base = event_base_new();
	for (size_t i = 0; l->base && i < ARRAY_LEN(all); i++) {
		if (all[i].what == EV_READ)
			evutil_make_socket_nonblocking(all[i].fd);
		l->events[i] =
			event_new(l->base, all[i].fd, all[i].what | EV_PERSIST,
				  all[i].fn, l);
		if (!l->events[i] || event_add(l->events[i], NULL) < 0)
			return err_set(e, ERR_SYSTEM, "no event loop");
	}
	return l->base ? 0 : err_set(e, ERR_SYSTEM, "no event loop");
}

void
listener_run(struct listener *l)
{
	event_base_dispatch(l->base);
}

void
listener_fini(struct listener *l)
{
	for (size_t i = 0; i < LISTENER_CALLS; i++)
		caller_close(&l->callers[i]);
	for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
		if (l->events[i])
			event_free(l->events[i]);
	if (l->base)
		event_base_free(l->base);
}
