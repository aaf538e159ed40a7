/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "receiver/receive.h"

struct receive {
	const struct receive_config *config;
	struct loop loop;
	int fd; /* listening; -1: no longer */
	struct event *listener;
	struct endpoint_addr where;
	struct tls *tls;
	struct incoming *incoming;
	bool cancelled;
	struct err why; /* for the one session */
};

static void
receive_refused(const struct receive *r, const struct err *why)
{
	if (r->config->refused)
		r->config->refused(r->config->arg, why);
}

/* On this host plain will do, unless the user asked for TLS by name. */
static const struct tls *
receive_tls_for(const struct receive *r, int fd)
{
	struct endpoint_addr peer = { .len = sizeof(peer.sa) };

	if (r->config->tls_dir ||
	    getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len) < 0 ||
	    !endpoint_addr_is_local(&peer))
		return r->tls;
	return NULL;
}

static void
receive_on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct receive *r = arg;
	struct incoming_config c = { .loop = r->loop.base,
				     .output = r->config->output,
				     .held = r->config->held,
				     .nheld = r->config->nheld,
				     .threads = r->config->threads };
	struct err e;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (peer < 0)
		return;
	event_del(r->listener);
	c.tls = receive_tls_for(r, peer);
	r->incoming = incoming_new(&c, peer, &e);
	if (r->incoming)
		return;
	receive_refused(r, &e);
	event_add(r->listener, NULL);
}

static void
receive_on_signal(void *arg)
{
	struct receive *r = arg;

	(void)err_set(&r->why, ERR_CANCELLED, "interrupted");
	if (r->incoming)
		incoming_cancel(r->incoming, &r->why);
	else
		r->cancelled = true;
}

static void
receive_on_tick(void *arg, bool asked)
{
	struct receive *r = arg;

	if (r->config->progress && r->incoming)
		r->config->progress(r->config->arg, incoming_stats(r->incoming),
				    asked);
}

static void
receive_stop_listening(struct receive *r)
{
	struct sockaddr_un sun;

	if (r->listener)
		event_free(r->listener);
	r->listener = NULL;
	if (r->fd < 0)
		return;
	close(r->fd);
	r->fd = -1;
	if (r->where.sa.ss_family == AF_UNIX) {
		memcpy(&sun, &r->where.sa, sizeof(sun));
		unlink(sun.sun_path);
	}
}

static int
receive_start(struct receive *r, struct err *e)
{
	const struct receive_config *c = r->config;

	if (loop_init(&r->loop, receive_on_signal, receive_on_tick, r, e) < 0 ||
	    endpoint_listen(&c->listen, &r->fd, &r->where, e) < 0)
		return -1;
	if (c->tls_dir || !endpoint_addr_is_local(&r->where)) {
		r->tls = tls_open(TLS_SERVER, c->tls_dir, e);
		if (!r->tls)
			return -1;
	}
	r->listener = event_new(r->loop.base, r->fd, EV_READ | EV_PERSIST,
				receive_on_connection, r);
	if (!r->listener || event_add(r->listener, NULL) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return c->listening ? c->listening(c->arg, &r->where, e) : 0;
}

/* One turn of the loop: 1 while there is more to come, else how it ended. */
static int
receive_turn(struct receive *r, struct incoming_stats *stats, struct err *e)
{
	struct err why;

	event_base_loop(r->loop.base, EVLOOP_ONCE);
	if (r->cancelled) {
		*e = r->why;
		return -1;
	}
	if (!r->incoming)
		return 1;
	if (incoming_is_open(r->incoming))
		receive_stop_listening(r);
	if (!incoming_is_over(r->incoming, &why))
		return 1;
	*stats = *incoming_stats(r->incoming);
	if (r->fd < 0 || why.code == ERR_CANCELLED) {
		*e = why;
		return why.code == ERR_NONE ? 0 : -1;
	}
	incoming_free(r->incoming);
	r->incoming = NULL;
	receive_refused(r, &why);
	event_add(r->listener, NULL);
	return 1;
}

int
receive_run(const struct receive_config *c, struct incoming_stats *stats,
	    struct err *e)
{
	struct receive r = { .config = c, .fd = -1 };
	int ret = receive_start(&r, e);

	*stats = (struct incoming_stats){ 0 };
	if (ret == 0)
		do
			ret = receive_turn(&r, stats, e);
		while (ret == 1);
	incoming_free(r.incoming);
	receive_stop_listening(&r);
	tls_close(r.tls);
	loop_fini(&r.loop);
	return ret;
}
