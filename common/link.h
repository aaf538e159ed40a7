/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LINK_H
#define MIG_LINK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "common/tls.h"

/* One connection, bounded both ways: TCP or a unix socket; TLS is only
 * another way in which it moves the same bytes.  After OpenSMTPD's ioev.
 * Everything happens on the thread of its event loop.
 *
 * Output: link_send() and link_give() queue; a producer stops when
 * link_is_full() says so and goes on at LINK_LOWAT.
 * Input: the owner takes bytes at LINK_READABLE; reading stops while
 * LINK_AHEAD bytes, or as many as link_want() said, wait to be taken.
 */
enum link_event {
	LINK_CONNECTED, /* and with TLS, both ends verified */
	LINK_READABLE,  /* new bytes came in */
	LINK_LOWAT,     /* the queue of a full link has drained */
	LINK_CLOSED,    /* the other end will send no more */
	LINK_FAILED,    /* of no more use; why says what happened */
};

struct link;

/* why is filled for LINK_FAILED.  The function may call link_free(). */
typedef void link_fn(struct link *l, enum link_event ev, const struct err *why,
		     void *arg);

#define LINK_AHEAD (512u << 10)
#define LINK_HIGH  (2u << 20)   /* full from here on */
#define LINK_LOW   (512u << 10) /* drained below this */
/* Nothing arrives for this long though we are reading: the peer is dead (it
 * is the owners who see to it that there is always something to say).  The
 * same bound holds for connecting, for the TLS handshake, for bytes of ours
 * that the peer's host does not acknowledge (half as much again, so that it is
 * we who say so), and for link_finish().
 */
#define LINK_DEAD_MS 10000

struct link_config {
	struct event_base *base;
	link_fn *fn;
	void *arg;
	const char *peer; /* "the receiver": for errors; static */
	uint64_t rate;    /* bytes a second that may leave; 0: no bound */
	unsigned dead_ms; /* instead of LINK_DEAD_MS; 0: that */
};

/* Connects to the first address that answers.  host is what the user named,
 * which the certificate must be for.  tls NULL: plain, which only goes to
 * local addresses; ERR_AUTH else.  All outcomes come as events.
 */
struct link *link_connect(const struct link_config *config,
			  const struct endpoint_addr *addrs, size_t naddrs,
			  const struct tls *tls, const char *host,
			  struct err *e)
	__attribute__((nonnull(1, 2, 6), warn_unused_result));
/* Takes over a connection that accept() gave: fd is the link's even if this
 * fails.  tls as above.
 */
struct link *link_accept(const struct link_config *config, int fd,
			 const struct tls *tls, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
/* The same from either end; host as for link_connect(). */
struct link *link_over(const struct link_config *config, int fd,
		       const struct tls *tls, const char *host, struct err *e)
	__attribute__((nonnull(1, 5), warn_unused_result));
/* Closes at once; what is queued is lost. */
void link_free(struct link *l);

/* Queues a copy of n bytes. */
int link_send(struct link *l, const void *bytes, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Queues n bytes from malloc(), which now belong to the link even if this
 * fails.
 */
int link_give(struct link *l, uint8_t *bytes, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Whether the producer should wait for LINK_LOWAT, which then will come. */
bool link_is_full(struct link *l) __attribute__((nonnull));
size_t link_queued(const struct link *l) __attribute__((nonnull));
/* Whether nothing waits to be sent, neither here nor in the kernel: then the
 * connection could carry more.
 */
bool link_starves(const struct link *l) __attribute__((nonnull));

/* How many bytes wait to be taken. */
size_t link_has(const struct link *l) __attribute__((nonnull));
/* The first n of them: copied, and left where they are or taken.  n is at
 * most link_has().
 */
void link_peek(const struct link *l, void *out, size_t n)
	__attribute__((nonnull));
void link_take(struct link *l, void *out, size_t n) __attribute__((nonnull));
/* Reads on until n bytes wait, if that is more than LINK_AHEAD. */
void link_want(struct link *l, size_t n) __attribute__((nonnull));
/* Stops reading; the peer is not held dead meanwhile. */
void link_pause(struct link *l) __attribute__((nonnull));
void link_resume(struct link *l) __attribute__((nonnull));

/* Instead of config.dead_ms from now on. */
void link_set_dead_ms(struct link *l, unsigned ms) __attribute__((nonnull));
/* Says goodbye: sends what is queued, then ends our direction, throws away
 * what still comes, and reports LINK_CLOSED (or LINK_FAILED) when the peer
 * has closed too, so that our last words are not overtaken by a reset.
 */
void link_finish(struct link *l) __attribute__((nonnull));

/* Bytes moved so far, those of TLS not counted. */
uint64_t link_sent(const struct link *l) __attribute__((nonnull));
uint64_t link_received(const struct link *l) __attribute__((nonnull));

#endif
