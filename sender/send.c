/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/loop.h"
#include "sender/send.h"

struct send {
	const struct send_config *config;
	struct loop loop;
	struct tls *tls;
	struct outgoing *outgoing;
};

static void
send_on_signal(void *arg)
{
	struct send *s = arg;
	struct err why;

	(void)err_set(&why, ERR_CANCELLED, "interrupted");
	outgoing_cancel(s->outgoing, &why);
}

static void
send_on_tick(void *arg, bool asked)
{
	struct send *s = arg;
	const struct outgoing_stats *stats = outgoing_stats(s->outgoing);

	if (s->config->progress)
		s->config->progress(s->config->arg, stats, asked);
}

static bool
send_stays_here(const struct endpoint_addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!endpoint_addr_is_local(&addrs[i]))
			return false;
	return true;
}

static int
send_start(struct send *s, struct err *e)
{
	const struct send_config *c = s->config;
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	struct outgoing_config o = { .addrs = addrs,
				     .host = c->to.host,
				     .memory = c->memory,
				     .held = c->held,
				     .nheld = c->nheld,
				     .effort = c->effort,
				     .threads = c->threads,
				     .rate = c->rate };

	if (loop_init(&s->loop, send_on_signal, send_on_tick, s, e) < 0 ||
	    endpoint_resolve(&c->to, addrs, &o.naddrs, e) < 0)
		return -1;
	if (c->tls_dir || !send_stays_here(addrs, o.naddrs)) {
		s->tls = tls_open(TLS_CLIENT, c->tls_dir, e);
		if (!s->tls)
			return -1;
	}
	o.loop = s->loop.base;
	o.tls = s->tls;
	s->outgoing = outgoing_new(&o, e);
	return s->outgoing ? 0 : -1;
}

int
send_run(const struct send_config *c, struct outgoing_stats *stats,
	 struct err *e)
{
	struct send s = { .config = c };
	int ret = send_start(&s, e);

	*stats = (struct outgoing_stats){ .effort = "" };
	if (ret == 0) {
		while (!outgoing_is_over(s.outgoing, e))
			event_base_loop(s.loop.base, EVLOOP_ONCE);
		*stats = *outgoing_stats(s.outgoing);
		ret = e->code == ERR_NONE ? 0 : -1;
	}
	outgoing_free(s.outgoing);
	tls_close(s.tls);
	loop_fini(&s.loop);
	return ret;
}
