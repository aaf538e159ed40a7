/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"
#include "common/mem.h"
#include "memory/shadow.h"
#include "receiver/live.h"
#include "tools/relay.h"
#include "tools/transfer.h"
#include "tools/verb.h"

struct relay_receive {
	struct relay relay;
	struct endpoint listen, target;
	const char *port_file;
	struct live_receiver_config config;
	struct loop loop;
	int fd; /* listening */
	struct event *listener;
	struct endpoint_addr where;
	struct tls *tls;
	struct live_receiver *live;
	uint64_t began;
	bool have_target, cancelled;
};

enum {
	OPT_LISTEN = 1,
	OPT_PORT_FILE,
	OPT_TARGET,
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "target", required_argument, NULL, OPT_TARGET },
	RELAY_OPTIONS,
	TRANSFER_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static const char relay_receive_usage[] =
	"Usage: virt-mig relay-receive [OPTION]... --target unix:PATH\n\n"
	"Waits for 'virt-mig relay-send' and gives the migration to the QEMU "
	"that waits\n"
	"at PATH (-incoming unix:PATH).  That QEMU must have been started with "
	"-S, as\n"
	"libvirt does: let the guest run once the source has ended.\n\n"
	"  --target unix:PATH   the socket that QEMU waits at\n"
	"  --listen ADDR[:PORT] address to wait at ([::]:49216, which is all "
	"of "
	"them)\n"
	"  --listen unix:PATH   a socket on this host\n"
	"  --port-file FILE     write there where we listen, once we do\n";

static int
relay_receive_set(struct relay_receive *c, int option, const char *value,
		  struct err *e)
{
	switch (option) {
	case OPT_LISTEN:
		return endpoint_parse(value, TRANSFER_PORT, &c->listen, e);
	case OPT_PORT_FILE:
		c->port_file = value;
		return 0;
	case OPT_TARGET:
		c->have_target = true;
		return endpoint_parse(value, 0, &c->target, e);
	default:
		return relay_set(&c->relay, option, value, e);
	}
}

static int
relay_receive_parse(struct relay_receive *c, int argc, char **argv,
		    struct err *e)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (relay_receive_set(c, option, optarg, e) < 0)
			return -1;
	if (c->relay.transfer.help)
		return 0;
	if (argc != optind || !c->have_target || !c->target.is_unix)
		return err_set(e, ERR_USAGE,
			       "to which socket? see 'virt-mig relay-receive "
			       "--help'");
	return 0;
}

static void
relay_receive_on_open(void *arg, unsigned channel)
{
	struct relay_receive *c = arg;
	struct err e;
	int fd;

	(void)channel;
	if (relay_connect(&c->target, &fd, &e) < 0)
		live_receiver_channel(c->live, -1, &e);
	else
		live_receiver_channel(c->live, fd, NULL);
}

static void
relay_receive_on_signal(void *arg)
{
	struct relay_receive *c = arg;
	struct err why;

	(void)err_set(&why, ERR_CANCELLED, "interrupted");
	if (c->live)
		live_receiver_cancel(c->live, &why);
	else
		c->cancelled = true;
}

static void
relay_receive_on_tick(void *arg, bool asked)
{
	struct relay_receive *c = arg;
	const struct live_receiver_stats *s;
	struct progress_at at;

	if (!c->live)
		return;
	s = live_receiver_stats(c->live);
	at = (struct progress_at){ .done = s->qemu_bytes,
				   .all = MAX(s->qemu_bytes, s->ram_bytes),
				   .wire = s->wire_bytes };
	transfer_show(&c->relay.transfer, &at, asked);
}

/* The first connection is the session; another can only be the same sender,
 * again.
 */
static void
relay_receive_on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct relay_receive *c = arg;
	struct live_receiver_config *l = &c->config;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;

	(void)what;
	if (peer < 0)
		return;
	if (c->live) {
		live_receiver_reconnect(c->live, peer);
		return;
	}
	l->peer_fd = peer;
	if (relay_shadow(&c->relay, &l->shadow_fd, &e) < 0) {
		close(peer);
		fprintf(stderr, "virt-mig relay-receive: %s\n", e.text);
		return;
	}
	c->began = clock_wall_ns();
	c->live = live_receiver_new(l, &e);
	if (!c->live)
		fprintf(stderr, "virt-mig relay-receive: refused: %s\n",
			e.text);
}

static int
relay_receive_open(struct relay_receive *c, struct err *e)
{
	struct live_receiver_config *l = &c->config;

	if (loop_init(&c->loop, relay_receive_on_signal, relay_receive_on_tick,
		      c, e) < 0 ||
	    endpoint_listen(&c->listen, &c->fd, &c->where, e) < 0)
		return -1;
	if (c->relay.transfer.tls_dir || !endpoint_addr_is_local(&c->where)) {
		c->tls = tls_open(TLS_SERVER, c->relay.transfer.tls_dir, e);
		if (!c->tls)
			return -1;
	}
	l->loop = c->loop.base;
	l->tls = c->tls;
	l->held = c->relay.transfer.held;
	l->nheld = c->relay.transfer.nheld;
	l->threads = c->relay.transfer.threads;
	l->reconnect_ms = c->relay.reconnect_ms;
	l->room = shadow_room();
	l->keep = c->relay.keep;
	c->listener = event_new(c->loop.base, c->fd, EV_READ | EV_PERSIST,
				relay_receive_on_connection, c);
	if (!c->listener || event_add(c->listener, NULL) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return transfer_listening(&c->relay.transfer, &c->where, c->port_file,
				  e);
}

/* One turn of the loop: 1 while there is more to come, else how it ended. */
static int
relay_receive_turn(struct relay_receive *c, struct err *e)
{
	struct err why;

	event_base_loop(c->loop.base, EVLOOP_ONCE);
	if (c->cancelled)
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (!c->live || !live_receiver_is_over(c->live, &why))
		return 1;
	*e = why;
	if (why.code == ERR_NONE)
		return 0;
	if (live_receiver_is_open(c->live) || why.code == ERR_CANCELLED)
		return -1;
	fprintf(stderr, "virt-mig relay-receive: refused: %s\n", why.text);
	live_receiver_free(c->live);
	c->live = NULL;
	return 1;
}

static int
relay_receive_print(struct relay_receive *c, struct err *e)
{
	const struct live_receiver_stats *s = live_receiver_stats(c->live);
	const struct transfer_result r = {
		.memory_bytes = s->qemu_bytes,
		.wire_bytes = s->wire_bytes,
		.frames = s->frames,
		.refused = s->refused,
		.wall_s = (double)(clock_wall_ns() - c->began) / 1e9,
	};

	relay_keep(&c->relay, s->kept);
	return transfer_print(&c->relay.transfer, &r, e);
}

static int
relay_receive_run(struct relay_receive *c, struct err *e)
{
	int ret = relay_receive_open(c, e);

	if (ret < 0)
		return -1;
	transfer_begin(&c->relay.transfer, "migrating");
	do
		ret = relay_receive_turn(c, e);
	while (ret == 1);
	transfer_end(&c->relay.transfer);
	return ret < 0 ? -1 : relay_receive_print(c, e);
}

int
cmd_relay_receive(int argc, char **argv, struct err *e)
{
	auto_free struct relay_receive *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_sys(e, "relay-receive");
	relay_init(&c->relay, "relay-receive");
	c->fd = -1;
	c->listen.port = TRANSFER_PORT;
	c->config =
		(struct live_receiver_config){ .open = relay_receive_on_open,
					       .arg = c };
	if (relay_receive_parse(c, argc, argv, e) < 0)
		return -1;
	if (c->relay.transfer.help) {
		fputs(relay_receive_usage, stdout);
		fputs(relay_usage, stdout);
		fputs(transfer_usage, stdout);
		return 0;
	}
	ret = transfer_open(&c->relay.transfer, e);
	if (ret == 0)
		ret = relay_receive_run(c, e);
	live_receiver_free(c->live);
	if (c->listener)
		event_free(c->listener);
	if (c->fd >= 0) {
		close(c->fd);
		if (c->listen.is_unix)
			unlink(c->listen.host);
	}
	tls_close(c->tls);
	loop_fini(&c->loop);
	relay_close(&c->relay);
	return ret;
}
