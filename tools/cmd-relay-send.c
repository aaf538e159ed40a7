/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/page.h"
#include "memory/shadow.h"
#include "sender/live.h"
#include "tools/relay.h"
#include "tools/transfer.h"
#include "tools/verb.h"

struct relay_send {
	struct relay relay;
	struct endpoint listen, to;
	struct live_sender_config config;
	struct effort codec; /* a pinned one */
	struct loop loop;
	struct tls *tls;
	struct live_sender *live;
	char socket[ENDPOINT_HOST_MAX]; /* to be removed */
	bool have_listen;
};

enum {
	OPT_EFFORT = 1,
	OPT_CODEC,
	OPT_BANDWIDTH,
	OPT_LISTEN,
	OPT_NO_FREE_DROP,
};

static const struct option options[] = {
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "codec", required_argument, NULL, OPT_CODEC },
	{ "effort", required_argument, NULL, OPT_EFFORT },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "no-free-drop", no_argument, NULL, OPT_NO_FREE_DROP },
	RELAY_OPTIONS,
	TRANSFER_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static const char relay_send_usage[] =
	"Usage: virt-mig relay-send [OPTION]... --listen unix:PATH "
	"HOST[:PORT]\n\n"
	"Takes one live migration of QEMU, which connects to PATH, to a host "
	"where\n"
	"'virt-mig relay-receive' waits.\n\n"
	"  --listen unix:PATH   the socket that QEMU migrates to\n"
	"  --effort auto|fixed:NAME  how hard to try; see 'send'\n"
	"  --codec NAME[:LEVEL]  always that one; see 'send'\n"
	"  --bandwidth RATE     at most so many bits a second: 100M, 2.5G\n"
	"  --no-free-drop       send pages that the guest has free, too\n";

static int
relay_send_set(struct relay_send *c, int option, const char *value,
	       struct err *e)
{
	switch (option) {
	case OPT_BANDWIDTH:
		return transfer_parse_rate(value, &c->config.rate, e);
	case OPT_CODEC:
		return transfer_parse_codec(value, &c->codec, &c->config.effort,
					    e);
	case OPT_EFFORT:
		return transfer_parse_effort(value, &c->config.effort, e);
	case OPT_LISTEN:
		c->have_listen = true;
		return endpoint_parse(value, 0, &c->listen, e);
	case OPT_NO_FREE_DROP:
		c->config.memory = NULL;
		return 0;
	default:
		return relay_set(&c->relay, option, value, e);
	}
}

static int
relay_send_parse(struct relay_send *c, int argc, char **argv, struct err *e)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (relay_send_set(c, option, optarg, e) < 0)
			return -1;
	if (c->relay.transfer.help)
		return 0;
	if (argc - optind != 1 || !c->have_listen || !c->listen.is_unix)
		return err_set(e, ERR_USAGE,
			       "from which socket, and to where? see "
			       "'virt-mig relay-send --help'");
	return endpoint_parse(argv[optind], TRANSFER_PORT, &c->to, e);
}

static void
relay_send_on_signal(void *arg)
{
	struct relay_send *c = arg;
	struct err why;

	(void)err_set(&why, ERR_CANCELLED, "interrupted");
	live_sender_cancel(c->live, &why);
}

static void
relay_send_on_tick(void *arg, bool asked)
{
	struct relay_send *c = arg;
	const struct live_sender_stats *s = live_sender_stats(c->live);
	char more[120];
	const struct progress_at at = { .done = s->taken,
					.all = MAX(s->qemu_bytes, s->ram_bytes),
					.wire = s->wire_bytes,
					.more = more };

	snprintf(more, sizeof(more), "%s, %.0f Mb/s%s%s", s->effort,
		 s->link_rate * 8 / 1e6, s->paused ? ", guest stopped" : "",
		 s->lost ? ", connection lost" : "");
	transfer_show(&c->relay.transfer, &at, asked);
}

static void
relay_send_on_notice(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "virt-mig relay-send: %s\n", text);
}

static void
relay_send_on_lost(void *arg, const struct err *why)
{
	struct relay_send *c = arg;
	struct err e;
	int fd;

	fprintf(stderr, "virt-mig relay-send: %s; connecting again\n",
		why->text);
	if (relay_connect(&c->to, &fd, &e) == 0)
		live_sender_reconnect(c->live, fd);
	else if (e.sys == ECONNREFUSED || e.sys == ENOENT)
		live_sender_cancel(c->live, why); /* the receiver has ended */
}

static int
relay_send_open(struct relay_send *c, struct err *e)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	struct endpoint_addr bound;
	struct live_sender_config *l = &c->config;
	size_t n;

	if (loop_init(&c->loop, relay_send_on_signal, relay_send_on_tick, c,
		      e) < 0 ||
	    endpoint_resolve(&c->to, addrs, &n, e) < 0)
		return -1;
	if (c->relay.transfer.tls_dir || !endpoint_addr_is_local(&addrs[0])) {
		c->tls = tls_open(TLS_CLIENT, c->relay.transfer.tls_dir, e);
		if (!c->tls)
			return -1;
	}
	l->loop = c->loop.base;
	l->tls = c->tls;
	l->host = c->to.host;
	l->held = c->relay.transfer.held;
	l->nheld = c->relay.transfer.nheld;
	l->threads = c->relay.transfer.threads;
	l->reconnect_ms = c->relay.reconnect_ms;
	l->room = shadow_room();
	l->keep = c->relay.keep;
	if (relay_connect(&c->to, &l->peer_fd, e) < 0 ||
	    relay_shadow(&c->relay, &l->shadow_fd, e) < 0 ||
	    endpoint_listen(&c->listen, &l->qemu_fd, &bound, e) < 0)
		return -1;
	snprintf(c->socket, sizeof(c->socket), "%s", c->listen.host);
	c->live = live_sender_new(l, e);
	return c->live ? 0 : -1;
}

static int
relay_send_print(struct relay_send *c, uint64_t began, struct err *e)
{
	const struct live_sender_stats *s = live_sender_stats(c->live);
	const struct transfer_result r = {
		.memory_bytes = s->qemu_bytes,
		.wire_bytes = s->wire_bytes,
		.frames = s->frames,
		.refused = s->refused,
		.wall_s = (double)(clock_wall_ns() - began) / 1e9,
		.plans = s->plans,
		.efforts = s->efforts,
		.nbases = s->nbases,
		.nwhole = s->nwhole,
		.guest = s->guest,
		.drops = s->drops,
	};

	relay_keep(&c->relay, s->kept);
	return transfer_print(&c->relay.transfer, &r, e);
}

static int
relay_send_run(struct relay_send *c, struct err *e)
{
	uint64_t began = clock_wall_ns();
	struct err why = { .code = ERR_NONE };

	if (relay_send_open(c, e) < 0)
		return -1;
	transfer_begin(&c->relay.transfer, "migrating");
	while (!live_sender_is_over(c->live, &why))
		event_base_loop(c->loop.base, EVLOOP_ONCE);
	transfer_end(&c->relay.transfer);
	if (why.code != ERR_NONE) {
		*e = why;
		return -1;
	}
	return relay_send_print(c, began, e);
}

int
cmd_relay_send(int argc, char **argv, struct err *e)
{
	auto_free struct relay_send *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_sys(e, "relay-send");
	relay_init(&c->relay, "relay-send");
	c->config = (struct live_sender_config){ .memory = relay_memory,
						 .lost = relay_send_on_lost,
						 .notice = relay_send_on_notice,
						 .arg = c };
	if (relay_send_parse(c, argc, argv, e) < 0)
		return -1;
	if (c->relay.transfer.help) {
		fputs(relay_send_usage, stdout);
		fputs(relay_usage, stdout);
		fputs(transfer_usage, stdout);
		return 0;
	}
	ret = transfer_open(&c->relay.transfer, e);
	if (ret == 0)
		ret = relay_send_run(c, e);
	live_sender_free(c->live);
	if (*c->socket)
		unlink(c->socket);
	tls_close(c->tls);
	loop_fini(&c->loop);
	relay_close(&c->relay);
	return ret;
}
