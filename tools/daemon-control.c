/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/daemon.h"
#include "tools/report.h"

/* Who does not take what is said holds up all others for so long, once. */
#define CLIENT_PATIENCE_S 1

/* Somebody on this host who asks: the command.  The socket's mode says who
 * may; whoever it is, we know from the kernel and write down.
 */
struct client {
	struct daemon *daemon;
	struct client *next;
	struct event *readable;
	int fd;
	struct ucred cred;
};

static void
client_free(struct client *c)
{
	struct client **at = &c->daemon->clients;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	c->daemon->nclients--;
	for (struct migration *m = c->daemon->migrations; m; m = m->next) {
		if (m->client != c)
			continue;
		m->client = NULL;
		if (!m->stay)
			migration_tell(m, "hangup", -1);
	}
	event_free(c->readable);
	close(c->fd);
	free(c);
}

void
clients_free(struct daemon *d)
{
	while (d->clients)
		client_free(d->clients);
}

void
clients_leave(const struct daemon *d)
{
	for (const struct client *c = d->clients; c; c = c->next)
		close(c->fd);
}

void
client_tell(struct client *c, json_t *body)
{
	struct err e;

	/* It must not wait for what it will not hear; and that it is gone we
	 * learn of by reading.
	 */
	if (parcel_send(c->fd, body, NULL, 0, &e) < 0)
		shutdown(c->fd, SHUT_RDWR);
}

static void
client_refuse(struct client *c, const struct err *why)
{
	client_tell(c, report_end(why));
}

/* What was asked for; -1: nothing. */
static long
reconnect_of(const struct parcel *p)
{
	json_t *s = json_object_get(p->body, "reconnect_s");

	if (!json_is_integer(s) || json_integer_value(s) < 0)
		return -1;
	return (long)MIN(json_integer_value(s), SETTINGS_RECONNECT_MAX);
}

static int
plan_of(const struct parcel *p, struct migration_plan *plan,
	struct endpoint *to, struct err *e)
{
	*plan = (struct migration_plan){
		.role = MONITOR_SEND,
		.vm = parcel_text(p, "vm"),
		.to = to,
		.rate = parcel_number(p, "rate"),
		.reconnect_s = reconnect_of(p),
		.no_free_drop =
			json_is_true(json_object_get(p->body, "no_free_drop")),
		.stay = json_is_true(json_object_get(p->body, "stay")),
		.peer = -1
	};
	if (!call_parse_id(parcel_text(p, "uuid"), plan->call.uuid))
		return err_set(e, ERR_USAGE, "a UUID is missing");
	if (RAND_bytes(plan->call.id, sizeof(plan->call.id)) != 1)
		return err_set(e, ERR_SYSTEM, "no random numbers");
	if (endpoint_parse(parcel_text(p, "peer"), SETTINGS_PORT, to, e) < 0)
		return -1;
	return *to->host ? 0 : err_set(e, ERR_USAGE, "to which host?");
}

static void
client_prepare(struct client *c, const struct parcel *p)
{
	struct migration_plan plan;
	struct migration *m = NULL;
	struct endpoint to;
	struct err e;

	if (plan_of(p, &plan, &to, &e) == 0)
		m = migration_start(c->daemon, &plan, &e);
	if (!m) {
		client_refuse(c, &e);
		return;
	}
	m->client = c;
	fprintf(stderr, "virt-migd: %s to %s, for uid %u\n", m->vm, m->peer,
		c->cred.uid);
}

/* A parcel each, which has room for any one of them. */
static void
client_status(struct client *c)
{
	for (struct migration *m = c->daemon->migrations; m; m = m->next)
		if (m->role != MONITOR_ANSWER)
			client_tell(c,
				    json_pack("{s:s, s:o}", "say", "session",
					      "session", migration_status(m)));
	client_tell(c, json_pack("{s:s}", "say", "all"));
}

static void
client_cancel(struct client *c)
{
	for (struct migration *m = c->daemon->migrations; m; m = m->next)
		if (m->client == c)
			migration_tell(m, "cancel", -1);
}

static void
client_on_parcel(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct parcel p;
	struct err e;
	const char *asks;

	(void)what;
	if (parcel_receive(fd, &p, &e) <= 0) {
		client_free(c);
		return;
	}
	asks = parcel_text(&p, "do");
	if (strcmp(asks, "prepare") == 0) {
		client_prepare(c, &p);
	} else if (strcmp(asks, "status") == 0) {
		client_status(c);
	} else if (strcmp(asks, "cancel") == 0) {
		client_cancel(c);
	} else {
		err_fill(&e, ERR_VERSION, "virt-migd knows nothing of that");
		client_refuse(c, &e);
	}
	parcel_free(&p);
}

void
client_accept(struct daemon *d)
{
	const struct timeval patience = { .tv_sec = CLIENT_PATIENCE_S };
	struct client *c = calloc(1, sizeof(*c));
	socklen_t len = sizeof(c->cred);

	if (!c)
		return;
	c->daemon = d;
	c->fd = accept4(d->control_fd, NULL, NULL, SOCK_CLOEXEC);
	if (c->fd >= 0 && d->nclients < CLIENTS_MAX &&
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		       sizeof(patience)) == 0 &&
	    getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &len) == 0)
		c->readable = event_new(d->base, c->fd, EV_READ | EV_PERSIST,
					client_on_parcel, c);
	if (!c->readable || event_add(c->readable, NULL) < 0) {
		if (c->readable)
			event_free(c->readable);
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return;
	}
	c->next = d->clients;
	d->clients = c;
	d->nclients++;
}
