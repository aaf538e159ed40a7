/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/link-impl.h"
#include "common/mem.h"

/* What one event may move, so that one direction does not starve the other. */
#define LINK_TURN_BYTES   (1u << 20)
#define LINK_READ_BYTES   (128u << 10)
#define LINK_RATE_STEP_US 1000

static size_t
link_limit(const struct link *l)
{
	return MAX(l->want, (size_t)LINK_AHEAD);
}

bool
link_reads(const struct link *l)
{
	if (l->phase == PHASE_OPEN)
		return !l->paused && link_has(l) < link_limit(l);
	return l->phase == PHASE_FINISH || l->phase == PHASE_LINGER;
}

bool
link_writes(const struct link *l)
{
	if (l->phase == PHASE_FINISH)
		return !l->write_wants_in && !l->throttled;
	return l->phase == PHASE_OPEN && link_queued(l) > 0 &&
	       !l->write_wants_in && !l->throttled && !l->deaf;
}

bool
link_starves(const struct link *l)
{
	struct tcp_info info = { .tcpi_notsent_bytes = 0 };
	socklen_t len = sizeof(info);

	/* On anything but TCP this fails, and the kernel holds little. */
	if (l->mover.fd >= 0)
		(void)getsockopt(l->mover.fd, IPPROTO_TCP, TCP_INFO, &info,
				 &len);
	return link_queued(l) == 0 && info.tcpi_notsent_bytes == 0;
}

/* How much may leave now under config.rate.  The allowance never grows beyond
 * 50 ms' worth, so that a pause is not followed by a burst.
 */
static size_t
link_allowance(struct link *l)
{
	uint64_t now, us, rate = l->config.rate;

	if (rate == 0)
		return SIZE_MAX;
	now = clock_wall_ns();
	us = (now - l->allowance_ns) / 1000;
	if (us >= LINK_RATE_STEP_US) {
		l->allowance += us * rate / 1000000;
		l->allowance =
			MIN(l->allowance, MAX(rate / 20, (uint64_t)4096));
		l->allowance_ns = now;
	}
	l->throttled = l->allowance < MIN(link_queued(l), (size_t)4096);
	return l->throttled ? 0 : (size_t)l->allowance;
}

/* What the peer said last may be in the socket still (an ERROR, an alert):
 * reading goes on and reports how this ended.
 */
static void
link_write_failed(struct link *l, const struct err *e)
{
	l->last = *e;
	l->deaf = true;
	evbuffer_drain(l->out, link_queued(l));
}

/* Writes one chunk; false: not now, or never more. */
static bool
link_write_chunk(struct link *l, size_t max)
{
	struct err e = { .code = ERR_NONE };
	struct evbuffer_iovec v;
	enum mover_answer answer;
	size_t n, done;

	if (evbuffer_peek(l->out, -1, NULL, &v, 1) < 1)
		return false;
	n = l->retry ? l->retry : MIN(v.iov_len, max);
	if (n == 0)
		return false;
	answer = mover_write(&l->mover, v.iov_base, n, &done, &e);
	l->retry = 0;
	l->write_wants_in = false;
	switch (answer) {
	case MOVER_DONE:
		evbuffer_drain(l->out, done);
		l->sent += done;
		l->allowance -= MIN(l->allowance, done);
		return true;
	case MOVER_WANTS_READ:
	case MOVER_WANTS_WRITE:
		l->retry = n;
		l->write_wants_in = answer == MOVER_WANTS_READ;
		return false;
	case MOVER_END:
	case MOVER_FAILED:
	default:
		link_write_failed(l, &e);
		return false;
	}
}

void
link_flush(struct link *l)
{
	uint64_t until = l->sent + LINK_TURN_BYTES;

	l->throttled = false;
	while (!l->deaf && l->sent < until &&
	       link_write_chunk(l, link_allowance(l)))
		;
	if (l->phase == PHASE_FINISH && link_queued(l) == 0) {
		mover_end(&l->mover);
		link_enter(l, PHASE_LINGER);
	} else if (l->full && link_queued(l) <= LINK_LOW && !l->deaf) {
		l->full = false;
		link_emit(l, LINK_LOWAT, NULL);
	}
}

/* Reads one piece into l->in. */
static enum mover_answer
link_read_chunk(struct link *l, struct err *e)
{
	struct evbuffer_iovec v;
	enum mover_answer answer;
	size_t room = LINK_READ_BYTES, done = 0;

	if (l->phase == PHASE_OPEN)
		room = MIN(room, link_limit(l) - link_has(l));
	if (evbuffer_reserve_space(l->in, (ev_ssize_t)room, &v, 1) < 1) {
		(void)err_set(e, ERR_SYSTEM, "out of memory");
		return MOVER_FAILED;
	}
	answer = mover_read(&l->mover, v.iov_base, MIN(v.iov_len, room), &done,
			    e);
	v.iov_len = answer == MOVER_DONE ? done : 0;
	evbuffer_commit_space(l->in, &v, 1);
	l->received += v.iov_len;
	if (l->phase != PHASE_OPEN)
		evbuffer_drain(l->in, link_has(l));
	return answer;
}

void
link_fill(struct link *l)
{
	struct err e = { .code = ERR_NONE };
	enum mover_answer answer = MOVER_DONE;
	uint64_t was = l->received;

	l->read_wants_out = false;
	while (answer == MOVER_DONE && link_reads(l) &&
	       l->received < was + LINK_TURN_BYTES)
		answer = link_read_chunk(l, &e);
	l->more = answer == MOVER_DONE;
	l->read_wants_out = answer == MOVER_WANTS_WRITE;
	if (l->received > was) {
		l->heard_ns = clock_wall_ns();
		if (l->phase == PHASE_OPEN)
			link_emit(l, LINK_READABLE, NULL);
	}
	if (l->freed || answer == MOVER_DONE || answer == MOVER_WANTS_READ ||
	    answer == MOVER_WANTS_WRITE)
		return;
	if (l->phase == PHASE_OVER)
		return;
	if (l->phase == PHASE_LINGER || (answer == MOVER_END && !l->deaf))
		link_emit(l, LINK_CLOSED, NULL);
	else
		link_fail(l, answer == MOVER_END ? &l->last : &e);
}
