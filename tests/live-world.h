/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_WORLD_H
#define MIG_LIVE_WORLD_H

#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "receiver/live.h"
#include "sender/live.h"
#include "tests/fuzz/engine.h"
#include "tests/make-stream.h"
#include "tests/test.h"
#include "wire/message.h"

/* A live migration in one thread: both ends, a QEMU at each, made of nothing
 * but sockets, and a wire between them that the test can look at and cut.
 */
#define WORLD_CHANNELS 4
#define WORLD_SECONDS  20

/* One channel of QEMU, at both hosts. */
struct world_channel {
	const struct buf *in; /* what QEMU at the source says */
	size_t said;
	size_t stop; /* says no more than this, until told */
	int source, dest;
	struct buf out;  /* what QEMU at the destination heard */
	struct buf back; /* what QEMU at the source heard */
	bool source_closed, dest_closed; /* by our ends */
};

/* Bytes from one end to the other, message by message. */
struct world_wire {
	int from, to;
	struct buf bytes;
	size_t passed; /* of them */
};

struct world {
	struct event_base *loop;
	struct live_sender_config sc;
	struct live_receiver_config rc;
	struct live_sender *s;
	struct live_receiver *r;
	struct sockaddr_un where;
	socklen_t where_len;
	int sender_fd, receiver_fd; /* shadows, dup'ed */
	struct world_channel channels[WORLD_CHANNELS];
	unsigned nchannels, nopen;
	bool opened_at_once; /* else the test answers .open */
	struct world_wire up, down;
	/* Whether this message may pass; NULL: all may. */
	bool (*pass)(struct world *w, bool up, enum message_type type);
	bool cut;       /* the wire is */
	unsigned asked; /* for another connection */
	unsigned reconnect_ms;
	char notice[200];
	struct err sender_why, receiver_why;
	bool sender_over, receiver_over;
};

static const uint8_t world_pong[8] = { 0, 2, 0, 4, 0, 0, 0, 1 };
static const uint8_t world_shut[8] = { 0, 1, 0, 4, 0, 0, 0, 0 };

static inline int
world_shadow(int *copy)
{
	int fd = memfd_create("shadow", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	*copy = dup(fd);
	return fd;
}

static inline void
world_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static inline void
world_pair(int fds[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	world_nonblocking(fds[0]);
	world_nonblocking(fds[1]);
}

/* A new wire: gives the ends of sender and receiver. */
static inline void
world_connect(struct world *w, int *sender, int *receiver)
{
	int a[2], b[2];

	world_pair(a);
	world_pair(b);
	*sender = a[0];
	*receiver = b[0];
	buf_reset(&w->up.bytes);
	buf_reset(&w->down.bytes);
	w->up.passed = w->down.passed = 0;
	w->up.from = w->down.to = a[1];
	w->up.to = w->down.from = b[1];
	w->cut = false;
}

static inline void
world_cut(struct world *w)
{
	if (w->cut)
		return;
	w->cut = true;
	close(w->up.from);
	close(w->up.to);
}

static inline void
world_open(void *arg, unsigned channel)
{
	struct world *w = arg;
	int fds[2];

	assert_int_equal(channel, w->nopen);
	world_pair(fds);
	w->channels[w->nopen++].dest = fds[0];
	live_receiver_channel(w->r, fds[1], NULL);
}

static inline void
world_lost(void *arg, const struct err *why)
{
	struct world *w = arg;

	(void)why;
	w->asked++;
}

static inline void
world_notice(void *arg, const char *text)
{
	struct world *w = arg;

	if (!*w->notice)
		snprintf(w->notice, sizeof(w->notice), "%s", text);
}

static inline void
world_listen(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* An abstract name that the kernel chooses. */
	w->where = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_int_equal(
		bind(fd, (struct sockaddr *)&w->where, sizeof(sa_family_t)), 0);
	w->where_len = sizeof(w->where);
	assert_int_equal(
		getsockname(fd, (struct sockaddr *)&w->where, &w->where_len),
		0);
	assert_int_equal(listen(fd, 8), 0);
	w->sc.qemu_fd = fd;
}

static inline void
world_init(struct world *w)
{
	struct err e;

	*w = (struct world){ .loop = event_base_new() };
	w->sc = (struct live_sender_config){ .loop = w->loop,
					     .effort = effort_by_name("middle",
								      &e),
					     .threads = 2,
					     .lost = world_lost,
					     .notice = world_notice,
					     .arg = w };
	w->rc = (struct live_receiver_config){
		.loop = w->loop, .threads = 2, .open = world_open, .arg = w
	};
	w->sc.shadow_fd = world_shadow(&w->sender_fd);
	w->rc.shadow_fd = world_shadow(&w->receiver_fd);
	buf_init(&w->up.bytes, 64 << 20);
	buf_init(&w->down.bytes, 64 << 20);
	world_listen(w);
	world_connect(w, &w->sc.peer_fd, &w->rc.peer_fd);
}

/* QEMU at the source opens a channel, on which it will say these bytes. */
static inline void
world_channel(struct world *w, const struct buf *in)
{
	struct world_channel *c = &w->channels[w->nchannels++];

	*c = (struct world_channel){ .in = in, .stop = in->len, .dest = -1 };
	c->source = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	buf_init(&c->out, 64 << 20);
	buf_init(&c->back, 1 << 20);
	assert_int_equal(
		connect(c->source, (struct sockaddr *)&w->where, w->where_len),
		0);
	world_nonblocking(c->source);
}

static inline void
world_begin(struct world *w)
{
	struct err e;

	w->sc.reconnect_ms = w->rc.reconnect_ms = w->reconnect_ms;
	w->s = live_sender_new(&w->sc, &e);
	assert_non_null(w->s);
	w->r = live_receiver_new(&w->rc, &e);
	assert_non_null(w->r);
}

#endif
