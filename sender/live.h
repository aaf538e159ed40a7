/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_SENDER_H
#define MIG_LIVE_SENDER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/tls.h"
#include "dedup/held.h"
#include "memory/qemu-live.h"
#include "sender/control.h"
#include "sender/effort.h"
#include "wire/plan.h"
#include "wire/session.h"

/* The sender's side of one live migration: QEMU connects to a socket here,
 * once for each channel, and what it says comes out of the receiver, byte for
 * byte; what the destination's QEMU says back goes to QEMU.  It opens nothing
 * by name: descriptors come from outside, so that it can run confined.
 * Whatever goes wrong before the destination has the guest, all of QEMU's
 * connections are closed at once, and the guest runs on here.
 * On the thread of the loop; frames are encoded by a pool of workers.
 */
struct live_sender;

struct live_sender_config {
	struct event_base *loop;
	int qemu_fd; /* listening; the session's even if new() fails */
	int peer_fd; /* connected to the receiver; likewise */
	const struct tls *tls;   /* NULL: plain, on this host only */
	const char *host;        /* that the certificate must be for */
	const struct held *held; /* that the receiver may hold too */
	size_t nheld;
	/* An empty file: the guest's memory as it was sent, at the end of a
	 * session that keeps it, or all the time if that is larger than
	 * 'room', in bytes.  Likewise the session's.
	 */
	int shadow_fd;
	uint64_t room;
	/* QEMU has connected: its address space, from which pages that the
	 * guest has free are told; false if it cannot be had.  NULL: all pages
	 * are sent.
	 */
	bool (*memory)(void *arg, int qemu_fd, struct qemu_maps *out);
	bool keep; /* end with a shadow that both ends know to be equal */
	const struct effort *effort; /* NULL: chosen frame by frame */
	unsigned threads;
	uint64_t rate;         /* bytes a second; 0: what the link takes */
	unsigned reconnect_ms; /* for how long to try; 0: not at all */
	/* The connection is lost: answer with live_sender_reconnect(), now or
	 * later, again and again until it is not asked for any more.
	 */
	void (*lost)(void *arg, const struct err *why);
	/* Something that the user should know: why nothing can be saved, ...
	 * May be NULL.
	 */
	void (*notice)(void *arg, const char *text);
	void *arg;
};

struct live_sender_stats {
	enum session_state state;
	bool lost;           /* no connection at the moment */
	bool paused;         /* QEMU has stopped the guest here */
	uint64_t paused_ns;  /* for so long, until QEMU there got its last
				byte; it stood at least that long */
	bool postcopy;       /* the guest runs at the destination */
	bool kept;           /* the shadow is what the receiver keeps, too */
	unsigned channels;   /* of QEMU, so far */
	uint64_t ram_bytes;  /* of the guest; 0: not known yet */
	uint64_t qemu_bytes; /* read from QEMU */
	uint64_t taken;      /* of these, by the destination's QEMU */
	uint64_t wire_bytes; /* that went out */
	uint64_t pages;      /* that arrived */
	uint64_t frames, refused, reconnects;
	uint64_t plans[PLAN__MAX]; /* pages that arrived, by what they were */
	double link_rate;          /* bytes a second, measured; 0: not yet */
	double take_rate;   /* at which the destination's QEMU takes bytes */
	const char *effort; /* of the last frame */
	uint64_t efforts[CONTROL_EFFORTS]; /* frames, by effort_number() */
	const char *guest;  /* whose free pages are left out, or why not */
	bool drops;         /* they are */
	const char *opaque; /* why pages are not looked at; NULL: they are */
	size_t nbases;      /* that frames can refer to */
	size_t nwhole;      /* of these, the same on both ends */
};

struct live_sender *live_sender_new(const struct live_sender_config *c,
				    struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Outside of the loop's callbacks.  Waits for workers. */
void live_sender_free(struct live_sender *s);

/* A new connection to the receiver; the session's, needed or not. */
void live_sender_reconnect(struct live_sender *s, int peer_fd)
	__attribute__((nonnull));
/* Whether it has ended; *why then says how: ERR_NONE when the destination's
 * QEMU has taken everything and said so.
 */
bool live_sender_is_over(const struct live_sender *s, struct err *why)
	__attribute__((nonnull));
/* Closes QEMU's connections and tells the receiver. */
void live_sender_cancel(struct live_sender *s, const struct err *why)
	__attribute__((nonnull));
/* Call this some times a second; it measures the link, too. */
const struct live_sender_stats *live_sender_stats(struct live_sender *s)
	__attribute__((nonnull));

#endif
