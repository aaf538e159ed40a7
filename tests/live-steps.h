/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_STEPS_H
#define MIG_LIVE_STEPS_H

#include <errno.h>

#include "tests/live-world.h"

/* What goes on in a world: both QEMUs and the wire, step by step. */

/* Takes what there is; true at the end. */
static inline bool
world_hear(int fd, struct buf *out)
{
	uint8_t bytes[65536];
	struct err e;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		assert_ok(buf_put(out, bytes, (size_t)n, &e), &e);
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static inline bool
world_is(const struct buf *b, const uint8_t want[8], size_t at)
{
	return b->len >= at + 8 && memcmp(b->data + at, want, 8) == 0;
}

static inline void
world_close_source(struct world_channel *c)
{
	if (!c->source_closed)
		close(c->source);
	c->source_closed = true;
}

static inline void
world_close_dest(struct world_channel *c)
{
	if (!c->dest_closed && c->dest >= 0)
		close(c->dest);
	c->dest_closed = true;
}

/* What both QEMUs do in a moment.  On channel 0, the one at the destination
 * answers a PING that it is there, and ends when it has all.
 */
static inline void
world_qemus(struct world *w, unsigned i)
{
	struct world_channel *c = &w->channels[i];
	size_t n = c->stop - c->said;
	ssize_t sent;

	if (!c->source_closed) {
		sent = send(c->source, c->in->data + c->said,
			    n < 100000 ? n : 100000,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		c->said += sent > 0 ? (size_t)sent : 0;
		if (world_hear(c->source, &c->back))
			world_close_source(c);
	}
	if (c->dest < 0 || c->dest_closed)
		return;
	n = c->out.len;
	if (world_hear(c->dest, &c->out)) {
		world_close_dest(c);
		return;
	}
	if (i == 0 && n < 100 && c->out.len >= 100)
		(void)!write(c->dest, world_pong, 8);
	if (i == 0 && n < c->in->len && c->out.len == c->in->len)
		(void)!write(c->dest, world_shut, 8);
	if (i > 0 && c->out.len == c->in->len && c->stop == c->in->len)
		world_close_source(c);
	if (i == 0 && c->back.len >= 8 &&
	    world_is(&c->back, world_shut, c->back.len - 8))
		world_close_source(c);
}

static inline void
world_wire(struct world *w, struct world_wire *l)
{
	struct buf *b = &l->bytes;

	if (world_hear(l->from, b) && l->passed == b->len) {
		shutdown(l->to, SHUT_WR);
		return;
	}
	while (!w->cut && b->len - l->passed >= MESSAGE_HEAD_BYTES) {
		const uint8_t *at = b->data + l->passed;
		uint32_t len;

		memcpy(&len, at + 1, sizeof(len));
		if (len > b->len - l->passed - MESSAGE_HEAD_BYTES)
			return;
		if (w->pass && !w->pass(w, l == &w->up, at[0])) {
			if (!w->cut) /* it is lost, and nothing else */
				l->passed += MESSAGE_HEAD_BYTES + len;
			continue;
		}
		len += MESSAGE_HEAD_BYTES;
		for (size_t done = 0; done < len;) {
			ssize_t n = send(l->to, at + done, len - done,
					 MSG_NOSIGNAL | MSG_DONTWAIT);

			if (n < 0 && errno != EAGAIN)
				break;
			if (n < 0)
				event_base_loop(w->loop, EVLOOP_NONBLOCK);
			else
				done += (size_t)n;
		}
		l->passed += len;
	}
}

static inline void
world_step(struct world *w)
{
	struct err why;

	for (unsigned i = 0; i < w->nchannels; i++)
		world_qemus(w, i);
	if (!w->cut)
		world_wire(w, &w->up);
	if (!w->cut)
		world_wire(w, &w->down);
	event_base_loop(w->loop, EVLOOP_NONBLOCK);
	if (!w->sender_over && live_sender_is_over(w->s, &why)) {
		w->sender_over = true;
		w->sender_why = why;
	}
	if (!w->receiver_over && live_receiver_is_over(w->r, &why)) {
		w->receiver_over = true;
		w->receiver_why = why;
	}
}

/* Until 'done' says so, or both ends are over. */
static inline void
world_run(struct world *w, bool (*done)(const struct world *w))
{
	uint64_t until = clock_wall_ns() + WORLD_SECONDS * 1000000000ull;

	while (!(w->sender_over && w->receiver_over) && !(done && done(w))) {
		world_step(w);
		if (clock_wall_ns() > until)
			fail_msg("nothing happens: channel 0 said %zu, heard "
				 "%zu, back %zu; %s, %s",
				 w->channels[0].said, w->channels[0].out.len,
				 w->channels[0].back.len,
				 session_state_name(
					 live_sender_stats(w->s)->state),
				 session_state_name(
					 live_receiver_stats(w->r)->state));
	}
	/* What is still in a socket. */
	for (unsigned i = 0; i < 3; i++)
		world_step(w);
}

static inline void
world_fini(struct world *w)
{
	live_sender_free(w->s);
	live_receiver_free(w->r);
	world_cut(w);
	for (unsigned i = 0; i < w->nchannels; i++) {
		world_close_source(&w->channels[i]);
		world_close_dest(&w->channels[i]);
		buf_fini(&w->channels[i].out);
		buf_fini(&w->channels[i].back);
	}
	close(w->sender_fd);
	close(w->receiver_fd);
	buf_fini(&w->up.bytes);
	buf_fini(&w->down.bytes);
	event_base_free(w->loop);
}

#endif
