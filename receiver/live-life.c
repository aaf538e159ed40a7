/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  Frames go from the talk through live-frames.c to
 * QEMU's channels (live-channel.c); land_move_on() does what became possible:
 * SEALED when all that the sender sealed is verified, END when QEMU has taken
 * all.  The tail, from QEMU_VM_EOF on, waits for COMMIT, so that QEMU here
 * has the guest only when both ends know that every byte before was right.
 *
 * If the connection breaks before that, the session waits for another one
 * that begins with AGAIN and the session's secret, and goes on where it
 * stood.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "dedup/keyed.h"
#include "receiver/live-impl.h"
#include "wire/offer.h"

/* It is over; the first reason counts. */
void
land_end(struct live_receiver *r, const struct err *why)
{
	if (r->ended)
		return;
	r->ended = true;
	r->why.code = ERR_NONE;
	if (why)
		r->why = *why;
	for (unsigned i = 0; i < r->nchannels; i++)
		land_channel_close(r->channels[i]);
	event_del(r->give_up);
}

void
land_fail(struct live_receiver *r, const struct err *why)
{
	struct err e = *why;

	if (r->ended)
		return;
	land_end(r, &e);
	if (r->peer)
		talk_abort(r->peer->talk, &e);
}

int
land_say(struct live_receiver *r, struct err *e)
{
	return journal_say_buf(&r->journal, r->peer ? r->peer->talk : NULL,
			       &r->out, e);
}

/* A worker: what is kept here. */
static void
live_digest(struct pool_job *job, unsigned worker)
{
	struct live_work *x = (struct live_work *)job;
	struct digest ours;

	(void)worker;
	if (held_root(&x->r->shadow.memory, &ours, &x->err) < 0 ||
	    shadow_save(&x->r->shadow, &x->err) < 0) {
		x->r->config.keep = false;
		return;
	}
	x->r->stats.kept = memcmp(ours.b, x->root.b, sizeof(ours.b)) == 0;
	x->root = ours;
}

static int
live_say_end(struct live_receiver *r, struct err *e)
{
	if (live_put_end(&r->out, r->config.keep ? &r->root.root : NULL, e) <
		    0 ||
	    land_say(r, e) < 0 ||
	    session_enter(land_session(r), SESSION_DONE, e) < 0)
		return -1;
	talk_close(r->peer->talk);
	land_end(r, NULL);
	return 0;
}

static int
live_seal(struct live_receiver *r, struct err *e)
{
	size_t at;

	r->sealed = true;
	if (seal_check(span_of(r->theirs, SEAL_BYTES), &r->seal, e) < 0 ||
	    message_begin(&r->out, MESSAGE_SEALED, &at, e) < 0 ||
	    message_end(&r->out, at, e) < 0)
		return -1;
	return land_say(r, e);
}

int
land_move_on(struct live_receiver *r, struct err *e)
{
	if (r->seal_came && !r->sealed && r->next_done == r->seal_at &&
	    live_seal(r, e) < 0)
		return -1;
	if (!r->ending || r->root.r || r->ended)
		return 0;
	for (unsigned i = 0; i < r->nchannels; i++)
		if (!land_channel_is_done(r->channels[i]))
			return 0;
	r->root.r = r;
	if (!r->config.keep)
		return live_say_end(r, e);
	r->root.job.early = live_digest;
	pool_submit(r->pool, &r->root.job);
	return 0;
}

void
land_peer_gone(struct live_peer *p)
{
	struct live_receiver *r = p->r;

	if (p == r->peer)
		r->peer = NULL;
	if (p == r->next)
		r->next = NULL;
	r->received += link_received(talk_link(p->talk));
	p->next = r->gone;
	r->gone = p;
	event_active(r->later, EV_TIMEOUT, 0);
}

static void
live_free_gone(struct live_receiver *r)
{
	while (r->gone) {
		struct live_peer *p = r->gone;

		r->gone = p->next;
		talk_free(p->talk);
		free(p);
	}
}

static void
live_on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	live_free_gone(arg);
}

static void
live_on_give_up(evutil_socket_t fd, short what, void *arg)
{
	struct live_receiver *r = arg;

	(void)fd;
	(void)what;
	(void)err_prefix(&r->cut,
			 "no new connection for %u seconds, and "
			 "before that",
			 r->config.reconnect_ms / 1000);
	land_fail(r, &r->cut);
}

static int
live_job_done(struct live_receiver *r, struct pool_job *job, struct err *e)
{
	if (job == &r->lay_out.job) {
		*e = r->lay_out.err;
		r->laid_out = e->code == ERR_NONE;
		r->stats.ram_bytes = r->shadow.memory.map.len;
		return r->laid_out ? 0 : -1;
	}
	if (job != &r->root.job)
		return land_frames_done(r, job, e);
	return live_say_end(r, e);
}

static void
live_on_pool(void *arg)
{
	struct live_receiver *r = arg;
	struct pool_job *job;
	struct err e;

	while ((job = pool_take(r->pool)))
		if (!r->ended && live_job_done(r, job, &e) < 0)
			land_fail(r, &e);
}

static int
live_start(struct live_receiver *r, struct err *e)
{
	int peer = r->config.peer_fd;

	static_assert(LIVE_SECRET_BYTES == KEYED_KEY_BYTES, "the same key");
	r->config.peer_fd = -1;
	r->peer = land_accept(r, peer, e);
	if (!r->peer || seal_init(&r->seal, e) < 0 || keyed_draw(r->key, e) < 0)
		return -1;
	r->pool = pool_new(r->config.threads, e);
	if (!r->pool ||
	    pool_watch(r->pool, r->config.loop, live_on_pool, r, e) < 0)
		return -1;
	r->later = evtimer_new(r->config.loop, live_on_later, r);
	r->give_up = evtimer_new(r->config.loop, live_on_give_up, r);
	if (!r->later || !r->give_up)
		return err_set(e, ERR_SYSTEM, "session: out of memory");
	return 0;
}

struct live_receiver *
live_receiver_new(const struct live_receiver_config *c, struct err *e)
{
	struct live_receiver *r = calloc(1, sizeof(*r));

	if (!r) {
		(void)err_sys(e, "session");
		close(c->peer_fd);
		close(c->shadow_fd);
		return NULL;
	}
	r->config = *c;
	buf_init(&r->out, 1u << 20);
	r->shadow.memory.map.fd = -1;
	stream_blocks_init(&r->blocks);
	journal_init(&r->journal);
	if (live_start(r, e) == 0)
		return r;
	live_receiver_free(r);
	return NULL;
}

static void
live_peer_free(struct live_peer *p)
{
	if (!p)
		return;
	talk_free(p->talk);
	free(p);
}

void
live_receiver_free(struct live_receiver *r)
{
	if (!r)
		return;
	live_peer_free(r->peer);
	live_peer_free(r->next);
	live_free_gone(r);
	if (r->later)
		event_free(r->later);
	if (r->give_up)
		event_free(r->give_up);
	pool_free(r->pool);
	while (r->nchannels > 0)
		land_channel_free(r->channels[--r->nchannels]);
	land_frames_fini(r);
	seal_fini(&r->seal);
	shadow_close(&r->shadow);
	stream_numbers_fini(&r->numbers);
	stream_blocks_fini(&r->blocks);
	journal_fini(&r->journal);
	buf_fini(&r->out);
	if (r->config.shadow_fd >= 0)
		close(r->config.shadow_fd);
	free(r);
}

void
live_receiver_channel(struct live_receiver *r, int fd, const struct err *why)
{
	struct err e;

	if (r->ended || r->nopen == r->nchannels) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd < 0) {
		land_fail(r, why);
		return;
	}
	if (land_channel_open(r->channels[r->nopen++], fd, &e) < 0)
		land_fail(r, &e);
	else
		land_open_next(r);
}

void
live_receiver_reconnect(struct live_receiver *r, int peer_fd)
{
	struct err e;

	if (r->ended || r->next || !land_may_wait(r)) {
		close(peer_fd);
		return;
	}
	r->next = land_accept(r, peer_fd, &e);
}

bool
live_receiver_is_open(const struct live_receiver *r)
{
	return r->opened;
}

bool
live_receiver_is_over(const struct live_receiver *r, struct err *why)
{
	if (!r->ended || (r->peer && !r->peer->ended))
		return false;
	*why = r->why;
	return true;
}

void
live_receiver_cancel(struct live_receiver *r, const struct err *why)
{
	land_fail(r, why);
}

const struct live_receiver_stats *
live_receiver_stats(struct live_receiver *r)
{
	r->stats.sealed = r->sealed;
	r->stats.state = SESSION_STREAM;
	if (r->ended)
		r->stats.state =
			r->why.code == ERR_NONE ? SESSION_DONE : SESSION_ABORT;
	else if (r->peer)
		r->stats.state = land_session(r)->state;
	r->stats.wire_bytes = r->received;
	if (r->peer)
		r->stats.wire_bytes += link_received(talk_link(r->peer->talk));
	return &r->stats;
}
