/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "receiver/live.h"
#include "tools/report.h"
#include "tools/worker.h"

static void
receive_on_open(void *arg, unsigned channel)
{
	struct worker *w = arg;

	worker_say(w, json_pack("{s:s, s:i}", "say", "channel", "number",
				channel));
}

static void
receive_on_parcel(struct worker *w, struct parcel *p)
{
	struct live_receiver *r = w->state;
	const char *what = parcel_text(p, "do");
	int fd = parcel_take_fd(p, 0);
	struct err why;

	if (strcmp(what, "channel") == 0 && fd >= 0) {
		live_receiver_channel(r, fd, NULL);
	} else if (strcmp(what, "connection") == 0 && fd >= 0) {
		live_receiver_reconnect(r, fd);
	} else if (fd >= 0) {
		close(fd);
	} else if (strcmp(what, "none") == 0) {
		worker_refusal(p, &why);
		live_receiver_channel(r, -1, &why);
	}
}

static void
receive_on_tick(struct worker *w)
{
	json_t *refuse = json_object_get(w->job.parcel.body, "refuse");
	struct err why = { .code = ERR_NONE };

	if (refuse && live_receiver_is_open(w->state)) {
		report_get_end(refuse, &why);
		live_receiver_cancel(w->state, &why);
	}
	if (live_receiver_is_over(w->state, &why))
		worker_end(w, &why);
}

static json_t *
receive_report(struct worker *w)
{
	const struct live_receiver_stats *st = live_receiver_stats(w->state);

	return json_pack(
		"{s:s, s:b, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"state", session_state_name(st->state), "lost", st->lost,
		"kept", st->kept, "channels", st->channels, "ram_bytes",
		(json_int_t)st->ram_bytes, "qemu_bytes",
		(json_int_t)st->qemu_bytes, "wire_bytes",
		(json_int_t)st->wire_bytes, "pages", (json_int_t)st->pages,
		"frames", (json_int_t)st->frames, "refused",
		(json_int_t)st->refused, "reconnects",
		(json_int_t)st->reconnects);
}

static void
receive_cancel(struct worker *w, const struct err *why)
{
	live_receiver_cancel(w->state, why);
}

int
worker_receive(struct worker *w, struct err *e)
{
	const struct live_receiver_config config = {
		.loop = w->base,
		.peer_fd = w->job.socket,
		.tls = w->tls,
		.held = w->held,
		.nheld = w->nheld,
		.shadow_fd = w->job.shadow,
		.room = w->job.room,
		.keep = w->job.keep,
		.threads = w->job.threads,
		.reconnect_ms = w->job.reconnect_ms,
		.open = receive_on_open,
		.arg = w,
	};
	struct live_receiver *r = live_receiver_new(&config, e);
	int ret;

	w->job.socket = w->job.shadow = -1;
	if (!r)
		return -1;
	w->state = r;
	w->on_parcel = receive_on_parcel;
	w->on_tick = receive_on_tick;
	w->report = receive_report;
	w->cancel = receive_cancel;
	ret = worker_loop(w, e);
	worker_say_end(w, ret == 0 ? NULL : e);
	live_receiver_free(r);
	return ret;
}
