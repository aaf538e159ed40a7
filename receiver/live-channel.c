/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "receiver/live-impl.h"

/* TAKEN is said for so many bytes and not more often than that, or when QEMU
 * has all there is: of what the sender has under way, FLOW_MS, a small part.
 */
#define CHANNEL_TAKEN_STEP (128u << 10)
#define CHANNEL_TAKEN_NS   5000000u
/* What one event may write, so that the other channels have their turn. */
#define CHANNEL_TURN_BYTES (4u << 20)

static int
channel_say_taken(struct live_out_channel *c, struct err *e)
{
	uint64_t now = clock_wall_ns();

	if (c->taken == c->said || ((c->taken - c->said < CHANNEL_TAKEN_STEP ||
				     now - c->said_ns < CHANNEL_TAKEN_NS) &&
				    evbuffer_get_length(c->ready) > 0))
		return 0;
	c->said = c->taken;
	c->said_ns = now;
	if (live_put_taken(&c->r->out, (uint8_t)c->number, c->taken, e) < 0)
		return -1;
	return land_say(c->r, e);
}

static void
channel_watch(struct live_out_channel *c)
{
	if (c->fd < 0)
		return;
	if (evbuffer_get_length(c->ready) > 0)
		event_add(c->writable, NULL);
	else
		event_del(c->writable);
	if (!c->closed)
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
}

/* QEMU has ended it; after COMMIT, or if the sender does not follow the
 * stream, that is how it ends, and the sender knows which.
 */
static int
channel_say_closed(struct live_out_channel *c, struct err *e)
{
	if (c->closed)
		return 0;
	c->closed = true;
	if (c->r->stats.lost)
		return err_set(e, ERR_CANCELLED,
			       "QEMU here ended the migration");
	if (live_put_channel(&c->r->out, (uint8_t)c->number, e) < 0)
		return -1;
	return land_say(c->r, e);
}

/* Writes what QEMU takes; a QEMU that is gone takes everything. */
static int
channel_write(struct live_out_channel *c, struct err *e)
{
	uint64_t until = c->taken + CHANNEL_TURN_BYTES;

	while (evbuffer_get_length(c->ready) > 0 && c->taken < until) {
		int n = evbuffer_write(c->ready, c->fd);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			n = (int)evbuffer_get_length(c->ready);
			evbuffer_drain(c->ready, (size_t)n);
			if (channel_say_closed(c, e) < 0)
				return -1;
		}
		c->taken += (uint64_t)n;
		c->r->stats.qemu_bytes += (uint64_t)n;
	}
	if (channel_say_taken(c, e) < 0)
		return -1;
	if (c->last && !c->shut && land_channel_is_done(c)) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
	}
	channel_watch(c);
	return land_move_on(c->r, e);
}

static void
channel_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct live_out_channel *c = arg;
	struct err e;

	(void)fd;
	(void)what;
	if (channel_write(c, &e) < 0)
		land_fail(c->r, &e);
}

static int
channel_read(struct live_out_channel *c, struct err *e)
{
	uint8_t bytes[LIVE_RETURN_MAX];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		if (channel_say_closed(c, e) < 0)
			return -1;
		channel_watch(c);
		return 0;
	}
	if (live_put_return(&c->r->out, (uint8_t)c->number, bytes, (size_t)n,
			    e) < 0)
		return -1;
	return land_say(c->r, e);
}

static void
channel_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct live_out_channel *c = arg;
	struct err e;

	(void)fd;
	(void)what;
	if (channel_read(c, &e) < 0)
		land_fail(c->r, &e);
}

int
land_channel_new(struct live_receiver *r, unsigned number, struct err *e)
{
	struct live_out_channel *c = calloc(1, sizeof(*c));

	if (!c)
		return err_sys(e, "channel");
	*c = (struct live_out_channel){ .r = r, .number = number, .fd = -1 };
	r->channels[r->nchannels++] = c;
	r->stats.channels = r->nchannels;
	c->ready = evbuffer_new();
	c->tail = evbuffer_new();
	if (!c->ready || !c->tail)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return 0;
}

int
land_channel_open(struct live_out_channel *c, int fd, struct err *e)
{
	struct event_base *loop = c->r->config.loop;

	evutil_make_socket_nonblocking(fd);
	c->fd = fd;
	c->readable = event_new(loop, fd, EV_READ | EV_PERSIST,
				channel_on_readable, c);
	c->writable = event_new(loop, fd, EV_WRITE | EV_PERSIST,
				channel_on_writable, c);
	if (!c->readable || !c->writable)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return channel_write(c, e);
}

void
land_channel_close(struct live_out_channel *c)
{
	if (c->fd < 0)
		return;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	c->readable = NULL;
	c->writable = NULL;
	close(c->fd);
	c->fd = -1;
}

void
land_channel_free(struct live_out_channel *c)
{
	land_channel_close(c);
	if (c->ready)
		evbuffer_free(c->ready);
	if (c->tail)
		evbuffer_free(c->tail);
	free(c);
}

static void
channel_free_bytes(const void *bytes, size_t n, void *arg)
{
	(void)bytes;
	(void)n;
	free(arg);
}

int
land_channel_put(struct live_out_channel *c, uint8_t *bytes, size_t n,
		 uint8_t flags, struct err *e)
{
	bool wait = (flags & LIVE_TAIL) && !c->r->committed;

	c->last = flags & LIVE_LAST;
	if (n == 0) {
		free(bytes);
	} else if (evbuffer_add_reference(wait ? c->tail : c->ready, bytes, n,
					  channel_free_bytes, bytes) < 0) {
		free(bytes);
		return err_set(e, ERR_SYSTEM, "out of memory");
	}
	if (evbuffer_get_length(c->ready) + evbuffer_get_length(c->tail) >
	    LIVE_AHEAD_MAX)
		return err_set(e, ERR_PROTOCOL,
			       "the sender is too far ahead of QEMU");
	return c->fd < 0 ? 0 : channel_write(c, e);
}

int
land_channel_release(struct live_out_channel *c, struct err *e)
{
	if (evbuffer_add_buffer(c->ready, c->tail) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return c->fd < 0 ? 0 : channel_write(c, e);
}

bool
land_channel_is_done(const struct live_out_channel *c)
{
	return c->last && evbuffer_get_length(c->ready) == 0 &&
	       evbuffer_get_length(c->tail) == 0;
}
