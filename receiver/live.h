/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_RECEIVER_H
#define MIG_LIVE_RECEIVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/tls.h"
#include "dedup/held.h"
#include "wire/session.h"

/* The receiver's side of one live migration: what QEMU says at the source is
 * rebuilt, verified, and said to QEMU here, which waits for an incoming
 * migration.  It opens nothing by name: descriptors come from outside, so
 * that it can run confined.  Whatever goes wrong, all connections to QEMU are
 * closed at once.
 *
 * QEMU here must have been started so that the guest stays paused until
 * somebody who knows both ends lets it run (-S; libvirt does so): a guest that
 * starts by itself could run twice if the link is lost at the wrong moment.
 * Who drives this API checks that.
 *
 * On the thread of the loop; frames are decoded by a pool of workers.
 */
struct live_receiver;

struct live_receiver_config {
	struct event_base *loop;
	int peer_fd;           /* accepted; the session's even if new() fails */
	const struct tls *tls; /* of this connection; NULL: plain */
	const struct held *held; /* what the sender may refer to */
	size_t nheld;            /* at most PLAN_BASES_MAX - 1 */
	/* An empty file: the guest's memory as it came, at the end of a
	 * session that keeps it, or all the time if that is larger than
	 * 'room', in bytes.  Likewise the session's.
	 */
	int shadow_fd;
	uint64_t room;
	bool keep; /* end with a shadow that both ends know to be equal */
	unsigned threads;
	unsigned reconnect_ms; /* for how long to wait; 0: not at all */
	/* Asks for a connection to QEMU, in order and one at a time; the
	 * answer is live_receiver_channel(), now or later.
	 */
	void (*open)(void *arg, unsigned channel);
	void *arg;
};

struct live_receiver_stats {
	enum session_state state;
	bool lost;   /* no connection at the moment */
	bool sealed; /* all frames came, and both ends agree on them */
	bool kept;   /* the shadow is what the sender keeps, too */
	unsigned channels;
	uint64_t ram_bytes;  /* of the guest; 0: not known yet */
	uint64_t qemu_bytes; /* taken by QEMU */
	uint64_t wire_bytes; /* that came in */
	uint64_t pages, frames, refused, reconnects;
};

struct live_receiver *live_receiver_new(const struct live_receiver_config *c,
					struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Outside of the loop's callbacks.  Waits for workers. */
void live_receiver_free(struct live_receiver *r);

/* The connection that .open asked for, or -1: there is none, *why says so. */
void live_receiver_channel(struct live_receiver *r, int fd,
			   const struct err *why) __attribute__((nonnull(1)));
/* Another connection was accepted while this session may be waiting for its
 * sender; the session's, whoever it is.
 */
void live_receiver_reconnect(struct live_receiver *r, int peer_fd)
	__attribute__((nonnull));
/* Whether the sender got as far as a HELLO that we agree with. */
bool live_receiver_is_open(const struct live_receiver *r)
	__attribute__((nonnull));
/* Whether it has ended; *why then says how: ERR_NONE when QEMU has taken
 * everything.
 */
bool live_receiver_is_over(const struct live_receiver *r, struct err *why)
	__attribute__((nonnull));
/* Closes the connections to QEMU and tells the sender. */
void live_receiver_cancel(struct live_receiver *r, const struct err *why)
	__attribute__((nonnull));
const struct live_receiver_stats *live_receiver_stats(struct live_receiver *r)
	__attribute__((nonnull));

#endif
