/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LINK_IMPL_H
#define MIG_LINK_IMPL_H

#include <event2/buffer.h>

#include "common/link.h"
#include "common/mover.h"

/* What the three parts of a link share: its life (link-loop.c), how it opens
 * (link-open.c), and how bytes flow (link-flow.c).
 */
enum link_phase {
	PHASE_START,     /* the next address is to be tried */
	PHASE_CONNECT,   /* connect() is under way */
	PHASE_HANDSHAKE, /* TLS */
	PHASE_OPEN,
	PHASE_FINISH, /* only what is queued; what comes is thrown away */
	PHASE_LINGER, /* our direction has ended */
	PHASE_OVER,   /* reported LINK_CLOSED or LINK_FAILED */
};

struct link {
	struct link_config config;
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	size_t naddrs, next_addr;
	const struct tls *tls;
	char host[ENDPOINT_HOST_MAX];
	char text[ENDPOINT_TEXT_MAX];

	enum link_phase phase;
	uint64_t phase_ns; /* since when */
	struct mover mover;
	struct event *readable, *writable, *wake, *tick;
	struct evbuffer *in, *out;
	size_t want;        /* input that link_want() asked for */
	size_t retry;       /* bytes of a TLS write that must be repeated */
	uint64_t allowance; /* bytes that config.rate lets out now */
	uint64_t allowance_ns;
	uint64_t heard_ns; /* when something last came in */
	uint64_t sent, received;
	struct err last; /* what address failed, or why writing did */
	bool full, paused, throttled;
	bool more;            /* reading stopped before the socket was dry */
	bool read_wants_out;  /* TLS: reading waits for writable */
	bool write_wants_in;  /* TLS: writing waits for readable */
	bool deaf;            /* writing failed; last words may still come */
	bool stepping, freed; /* link_free() inside the callback waits */
};

/* link-loop.c */
void link_enter(struct link *l, enum link_phase phase) __attribute__((nonnull));
/* Nothing may touch the link after this but what checks .freed first. */
void link_emit(struct link *l, enum link_event ev, const struct err *why)
	__attribute__((nonnull(1)));
void link_fail(struct link *l, struct err *e) __attribute__((nonnull));
void link_on_event(evutil_socket_t fd, short what, void *arg);

/* link-open.c */
/* The socket in the mover becomes the link's: events, options, name. */
int link_adopt(struct link *l, const struct endpoint_addr *addr, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void link_drop_socket(struct link *l) __attribute__((nonnull));
/* Tries addresses until one connects or is on the way. */
void link_try_next(struct link *l) __attribute__((nonnull));
/* connect() is done, well or not. */
void link_connected(struct link *l) __attribute__((nonnull));
void link_handshake(struct link *l) __attribute__((nonnull));

/* link-flow.c */
bool link_reads(const struct link *l) __attribute__((nonnull));
bool link_writes(const struct link *l) __attribute__((nonnull));
void link_flush(struct link *l) __attribute__((nonnull));
void link_fill(struct link *l) __attribute__((nonnull));

#endif
