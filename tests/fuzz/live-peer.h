/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_LIVE_PEER_H
#define MIG_FUZZ_LIVE_PEER_H

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/fuzz/peer.h"
#include "tests/make-stream.h"

#include "common/clock.h"
#include "wire/live.h"

/* What fuzz-live-send and fuzz-live-receive share: a hostile peer whose
 * connection may break, and that comes back.
 */

/* Who has more to say does not wait for ever for the other to speak. */
#define LIVE_PATIENCE_NS 20000000u
/* Of the largest file: a guest of many terabytes is one that has no room. */
#define LIVE_FILE_BYTES (1 << 20)

static inline struct event_base *
live_loop(void)
{
	static struct event_base *loop;
	const struct rlimit most = { LIVE_FILE_BYTES, LIVE_FILE_BYTES };

	if (loop)
		return loop;
	loop = event_base_new();
	fuzz_check(loop);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &most);
	return loop;
}

static inline int
live_shadow(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_check(fd >= 0);
	return fd;
}

static inline void
live_pair(int fds[2])
{
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		   0);
}

/* A little of what happens on its own. */
static inline void
live_turn(bool wait)
{
	const struct timeval ms = { .tv_usec = 1000 };

	if (wait)
		event_base_loopexit(live_loop(), &ms);
	event_base_loop(live_loop(), wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

/* Says HELLO on a new connection, and gives our end's side of it. */
static inline int
live_peer_connect(struct fuzz_peer *p)
{
	struct buf b;
	int fds[2];

	live_pair(fds);
	p->fd = fds[1];
	p->nhead = p->skip = 0;
	buf_init(&b, 100);
	fuzz_put_hello(&b, HELLO_LIVE);
	fuzz_check(send(p->fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len);
	buf_fini(&b);
	return fds[0];
}

/* It has said all, and our end does not end for that. */
static inline void
live_peer_leave(struct fuzz_peer *p, uint64_t since)
{
	if (p->fd >= 0 && p->say.left == 0 &&
	    clock_wall_ns() - since > LIVE_PATIENCE_NS)
		shutdown(p->fd, SHUT_WR);
}

static inline void
live_peer_cut(struct fuzz_peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Whether the next message, all of it there, is of that type and length. */
static inline bool
live_peer_next_is(const struct fuzz_peer *p, enum message_type type,
		  uint32_t len)
{
	uint32_t n;

	if (p->chunk > 0 || fuzz_peer_next(p) != type)
		return false;
	memcpy(&n, p->say.at + 1, sizeof(n));
	return n == len && p->say.left >= MESSAGE_HEAD_BYTES + n;
}

/* Takes what QEMU is told; true at the end of it. */
static inline bool
live_qemu_hear(int fd, size_t *bytes)
{
	static uint8_t out[65536];
	ssize_t n;

	while ((n = recv(fd, out, sizeof(out), MSG_DONTWAIT)) > 0)
		*bytes += (size_t)n;
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

#endif
