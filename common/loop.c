/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>

#include "common/loop.h"
#include "common/mem.h"

static void
loop_on_stop(evutil_socket_t number, short what, void *arg)
{
	struct loop *l = arg;

	(void)number;
	(void)what;
	l->stop(l->arg);
}

static void
loop_on_asked(evutil_socket_t number, short what, void *arg)
{
	struct loop *l = arg;

	(void)number;
	(void)what;
	l->tick(l->arg, true);
}

static void
loop_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	l->tick(l->arg, false);
}

static struct event_base *
loop_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

int
loop_init(struct loop *l, void (*stop)(void *arg),
	  void (*tick)(void *arg, bool asked), void *arg, struct err *e)
{
	const struct timeval each = { .tv_usec = LOOP_TICK_MS * 1000 };

	*l = (struct loop){ loop_base(), { NULL }, stop, tick, arg };
	if (!l->base)
		return err_set(e, ERR_SYSTEM, "no event loop");
	l->events[0] = evsignal_new(l->base, SIGINT, loop_on_stop, l);
	l->events[1] = evsignal_new(l->base, SIGTERM, loop_on_stop, l);
	l->events[2] = evsignal_new(l->base, SIGUSR1, loop_on_asked, l);
	l->events[3] = event_new(l->base, -1, EV_PERSIST, loop_on_tick, l);
	for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
		if (!l->events[i] ||
		    event_add(l->events[i], i == 3 ? &each : NULL) < 0) {
			loop_fini(l);
			return err_set(e, ERR_SYSTEM, "no event loop");
		}
	return 0;
}

void
loop_fini(struct loop *l)
{
	for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
		if (l->events[i])
			event_free(l->events[i]);
	if (l->base)
		event_base_free(l->base);
	*l = (struct loop){ .base = NULL };
}
