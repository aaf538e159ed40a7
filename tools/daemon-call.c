/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/daemon.h"

static void
caller_close(struct caller *c)
{
	if (c->event)
		event_free(c->event);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct caller){ .fd = -1 };
}

void
callers_free(struct daemon *d)
{
	for (size_t i = 0; i < DAEMON_CALLS; i++)
		caller_close(&d->callers[i]);
}

static void
caller_refuse(struct caller *c, const struct err *why)
{
	char from[ENDPOINT_TEXT_MAX];

	endpoint_addr_text(&c->addr, from);
	fprintf(stderr, "virt-migd: refused %s: %s\n", from, why->text);
	caller_close(c);
}

/* One that asks whether we are here names no migration. */
static bool
is_question(const struct call *call)
{
	static const struct call nothing;

	return memcmp(call, &nothing, sizeof(nothing)) == 0;
}

/* For a migration that goes on here already, or for a new one. */
static void
caller_connect(struct caller *c, const struct call *call)
{
	struct migration *m = migration_find(c->daemon, call->id);
	const struct migration_plan plan = { .role = is_question(call)
							     ? MONITOR_ANSWER
							     : MONITOR_RECEIVE,
					     .call = *call,
					     .vm = "",
					     .peer = c->fd,
					     .from = &c->addr };
	struct err e;

	if (m && m->role == MONITOR_RECEIVE)
		migration_tell(m, "connection", c->fd);
	else if (!migration_start(c->daemon, &plan, &e)) {
		caller_refuse(c, &e);
		return;
	}
	caller_close(c);
}

/* All 40 bytes are there, or the peer is gone (SO_RCVLOWAT). */
static void
on_caller(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;
	uint8_t bytes[CALL_BYTES];
	struct call call;
	struct err e;
	const int one = 1;
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n == CALL_BYTES) {
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
		if (call_get(bytes, &call, &e) == 0)
			caller_connect(c, &call);
		else
			caller_refuse(c, &e);
		return;
	}
	err_fill(&e, ERR_PROTOCOL,
		 what & EV_TIMEOUT ? "it did not say what it wants"
				   : "it did not call");
	caller_refuse(c, &e);
}

void
caller_accept(struct daemon *d)
{
	const struct timeval patience = { .tv_sec = DAEMON_CALL_MS / 1000 };
	struct caller fresh = { .daemon = d,
				.addr.len = sizeof(fresh.addr.sa) };
	struct caller *c = d->callers;
	const int all = CALL_BYTES;

	fresh.fd = accept4(d->peers_fd, (struct sockaddr *)&fresh.addr.sa,
			   &fresh.addr.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fresh.fd < 0)
		return;
	while (c < d->callers + DAEMON_CALLS && c->fd >= 0)
		c++;
	if (c == d->callers + DAEMON_CALLS) {
		close(fresh.fd);
		return;
	}
	setsockopt(fresh.fd, SOL_SOCKET, SO_RCVLOWAT, &all, sizeof(all));
	*c = fresh;
	c->event =
		event_new(d->base, c->fd, EV_READ | EV_PERSIST, on_caller, c);
	if (!c->event || event_add(c->event, &patience) < 0)
		caller_close(c);
}
