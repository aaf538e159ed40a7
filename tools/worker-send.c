/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "sender/live.h"
#include "tools/worker.h"

/* Asks whether there is a virt-migd at the other end, then waits for QEMU to
 * come, and only then calls the other end for good: by then its QEMU waits.
 */
enum send_stage {
	SEND_PROBE,
	SEND_WAIT,
	SEND_CALL,
	SEND_LIVE,
};

struct sending {
	struct worker *w;
	enum send_stage stage;
	struct event *qemu;
	struct live_sender *live;
	struct qemu_maps maps; /* of QEMU's memory */
	uint64_t came_ns, retry_ns;
	bool asked; /* for a connection, which has not come yet */
	char notice[240];
};

static void
ask_connection(struct sending *s, bool probe)
{
	if (s->asked)
		return;
	s->asked = true;
	worker_say(s->w,
		   json_pack("{s:s, s:b}", "say", "connect", "probe", probe));
}

static void
on_qemu(evutil_socket_t fd, short what, void *arg)
{
	struct sending *s = arg;

	(void)fd;
	(void)what;
	event_del(s->qemu);
	s->stage = SEND_CALL;
	s->came_ns = clock_wall_ns();
	ask_connection(s, false);
}

/* The link is lost: the monitor makes another; not too often. */
static void
on_lost(void *arg, const struct err *why)
{
	struct sending *s = arg;

	(void)why;
	if (clock_wall_ns() >= s->retry_ns)
		ask_connection(s, false);
}

static void
on_notice(void *arg, const char *text)
{
	struct sending *s = arg;

	strncpy(s->notice, text, sizeof(s->notice) - 1);
}

static bool
on_memory(void *arg, int qemu_fd, struct qemu_maps *out)
{
	struct sending *s = arg;

	(void)qemu_fd;
	*out = qemu_maps_take(&s->maps);
	return out->fd >= 0;
}

/* Where the guest's memory may be in QEMU's, which is the second file then; or
 * in the third, which QEMU has it in.
 */
static void
take_memory(struct sending *s, struct parcel *p)
{
	json_t *maps = json_object_get(p->body, "maps"), *map;
	struct qemu_maps *m = &s->maps;
	size_t i;

	m->fd = parcel_take_fd(p, 1);
	m->file = parcel_take_fd(p, 2);
	json_array_foreach(maps, i, map)
	{
		json_int_t at, len;
		int in_file;

		if (m->n < QEMU_MAPS_MAX &&
		    json_unpack(map, "[I, I, b]", &at, &len, &in_file) == 0 &&
		    at >= 0 && len > 0)
			m->list[m->n++] =
				(struct qemu_map){ (uint64_t)at, (uint64_t)len,
						   in_file };
	}
}

static void
start_live(struct sending *s, int peer)
{
	struct worker *w = s->w;
	const struct live_sender_config config = {
		.loop = w->base,
		.qemu_fd = w->job.socket,
		.peer_fd = peer,
		.tls = w->tls,
		.host = w->job.host,
		.held = w->held,
		.nheld = w->nheld,
		.shadow_fd = w->job.shadow,
		.room = w->job.room,
		.memory = s->maps.fd >= 0 ? on_memory : NULL,
		.keep = w->job.keep,
		.threads = w->job.threads,
		.rate = w->job.rate,
		.reconnect_ms = w->job.reconnect_ms,
		.lost = on_lost,
		.notice = on_notice,
		.arg = s,
	};
	struct err e;

	s->live = live_sender_new(&config, &e);
	w->job.socket = w->job.shadow = -1;
	s->stage = SEND_LIVE;
	if (!s->live)
		worker_end(w, &e);
}

static void
on_connection(struct sending *s, struct parcel *p, int fd)
{
	struct err e;

	s->asked = false;
	switch (s->stage) {
	case SEND_PROBE:
		if (probe_ask(s->w, fd, &e) < 0) {
			worker_end(s->w, &e);
			return;
		}
		s->stage = SEND_WAIT;
		event_add(s->qemu, NULL);
		worker_say(s->w, json_pack("{s:s}", "say", "ready"));
		return;
	case SEND_CALL:
		take_memory(s, p);
		start_live(s, fd);
		return;
	case SEND_LIVE:
		live_sender_reconnect(s->live, fd);
		return;
	case SEND_WAIT:
		close(fd);
	}
}

static void
send_on_parcel(struct worker *w, struct parcel *p)
{
	struct sending *s = w->state;
	const char *what = parcel_text(p, "do");
	int fd = parcel_take_fd(p, 0);
	struct err why;

	if (strcmp(what, "connection") == 0 && fd >= 0) {
		on_connection(s, p, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (strcmp(what, "none") != 0 || !s->asked)
		return;
	s->asked = false;
	worker_refusal(p, &why);
	if (s->stage != SEND_LIVE)
		worker_end(w, &why);
	else
		s->retry_ns = clock_wall_ns() + WORKER_RETRY_MS * 1000000ull;
}

static void
send_on_tick(struct worker *w)
{
	struct sending *s = w->state;
	const struct live_sender_stats *st;
	struct err why = { .code = ERR_NONE };
	uint64_t now = clock_wall_ns();

	if (!s->live)
		return;
	st = live_sender_stats(s->live);
	if (st->lost && s->retry_ns && now >= s->retry_ns) {
		s->retry_ns = 0;
		ask_connection(s, false);
	}
	if (live_sender_is_over(s->live, &why))
		worker_end(w, &why);
}

static json_t *
plans_of(const uint64_t plans[PLAN__MAX])
{
	json_t *o = json_object();

	for (unsigned i = 0; i < PLAN__MAX; i++)
		json_object_set_new(o, plan_code_name(i),
				    json_integer((json_int_t)plans[i]));
	return o;
}

static json_t *
send_report(struct worker *w)
{
	struct sending *s = w->state;
	const struct live_sender_stats *st;
	json_t *o;

	if (!s->live)
		return json_pack("{s:s}", "state",
				 s->stage == SEND_PROBE ? "PROBE" : "WAIT");
	st = live_sender_stats(s->live);
	o = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:o, s:s, s:s*, "
		      "s:s*, s:s*}",
		      "state", session_state_name(st->state), "lost", st->lost,
		      "paused", st->paused, "postcopy", st->postcopy, "kept",
		      st->kept, "drops", st->drops, "channels", st->channels,
		      "plans", plans_of(st->plans), "guest", st->guest,
		      "effort", st->effort, "opaque", st->opaque, "notice",
		      *s->notice ? s->notice : NULL);
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "ram_bytes", st->ram_bytes },
		{ "qemu_bytes", st->qemu_bytes },
		{ "taken", st->taken },
		{ "wire_bytes", st->wire_bytes },
		{ "pages", st->pages },
		{ "frames", st->frames },
		{ "refused", st->refused },
		{ "reconnects", st->reconnects },
		{ "link_rate", (uint64_t)st->link_rate },
		{ "take_rate", (uint64_t)st->take_rate },
		{ "nbases", st->nbases },
		{ "nwhole", st->nwhole },
		{ "paused_ms", st->paused_ns / 1000000 },
		{ "elapsed_ms", (clock_wall_ns() - s->came_ns) / 1000000 },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(o, numbers[i].key,
				    json_integer((json_int_t)numbers[i].value));
	return o;
}

/* Where the guest already runs at the other end, to give up here would be to
 * lose it.
 */
static void
send_cancel(struct worker *w, const struct err *why)
{
	struct sending *s = w->state;

	if (!s->live)
		worker_end(w, why);
	else if (!live_sender_stats(s->live)->postcopy)
		live_sender_cancel(s->live, why);
}

int
worker_send(struct worker *w, struct err *e)
{
	struct sending s = { .w = w,
			     .stage = SEND_PROBE,
			     .maps = QEMU_MAPS_NONE };
	int ret;

	w->state = &s;
	w->on_parcel = send_on_parcel;
	w->on_tick = send_on_tick;
	w->report = send_report;
	w->cancel = send_cancel;
	s.qemu = event_new(w->base, w->job.socket, EV_READ, on_qemu, &s);
	if (!s.qemu)
		return err_set(e, ERR_SYSTEM, "no event loop");
	ask_connection(&s, true);
	ret = worker_loop(w, e);
	worker_say_end(w, ret == 0 ? NULL : e);
	event_free(s.qemu);
	if (s.live)
		live_sender_free(s.live);
	qemu_maps_close(&s.maps);
	return ret;
}
