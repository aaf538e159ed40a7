/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_TALK_H
#define MIG_TALK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/link.h"
#include "wire/message.h"
#include "wire/session.h"

/* One end of a conversation: whole messages over a link, each checked against
 * the state of the session.  The talk itself says and hears HELLO, PING, PONG
 * and ERROR; all else is the owner's.  Who does not say HELLO for as long as
 * the link waits for a dead peer is not waited for, whatever else he says; nor
 * is, later, who for twice that time gets no whole message across and fewer
 * than TALK_SLOW_BYTES; nor who for TALK_IDLE_S only says that he is there
 * (PING, PONG), before COMMIT: until then the guest is safe where it was.
 * Everything on the thread of the loop.
 */
struct talk;

#define TALK_PING_MS    1000
#define TALK_SLOW_BYTES 4096
/* QEMU may have nothing to say for long, while libvirt copies disks; */
#define TALK_IDLE_S 900
/* but hardly once the guest stands: so many times what a dead peer gets. */
#define TALK_HURRY 40

struct talk_config {
	enum session_role role;
	bool live;       /* a running guest, not a file */
	unsigned idle_s; /* instead of TALK_IDLE_S; 0: that */
	/* The HELLOs agree; the session has entered SESSION_BASES. */
	void (*opened)(void *arg);
	/* A message came; its body lasts for this call, or see talk_keep().
	 * An error ends the talk.
	 */
	int (*heard)(void *arg, enum message_type type, struct span body,
		     struct err *e);
	/* Output has drained: see talk_is_full(). */
	void (*drained)(void *arg);
	/* The last call, once: why it ended, or NULL after talk_close(). */
	void (*ended)(void *arg, const struct err *why);
	void *arg;
};

/* Connects, as the sender does. */
struct talk *
talk_connect(const struct talk_config *config, const struct link_config *link,
	     const struct endpoint_addr *addrs, size_t naddrs,
	     const struct tls *tls, const char *host, struct err *e)
	__attribute__((nonnull(1, 2, 3, 7), warn_unused_result));
/* Takes over an accepted connection, as the receiver does.  .fn, .arg and
 * .peer of the link's config are the talk's.
 */
struct talk *talk_accept(const struct talk_config *config,
			 const struct link_config *link, int fd,
			 const struct tls *tls, struct err *e)
	__attribute__((nonnull(1, 2, 5), warn_unused_result));
/* The same with a connection that is open already, and as the config says:
 * host is what the certificate must be for.
 */
struct talk *talk_over(const struct talk_config *config,
		       const struct link_config *link, int fd,
		       const struct tls *tls, const char *host, struct err *e)
	__attribute__((nonnull(1, 2, 6), warn_unused_result));
/* Any time but inside a callback; without a word to the other end. */
void talk_free(struct talk *t);

struct session *talk_session(struct talk *t) __attribute__((nonnull));
const struct link *talk_link(const struct talk *t) __attribute__((nonnull));

/* Begin messages here, then talk_say(); the buffer is empty afterwards. */
struct buf *talk_out(struct talk *t) __attribute__((nonnull));
int talk_say(struct talk *t, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Says the whole messages in bytes, n bytes from malloc(), now the talk's. */
int talk_give(struct talk *t, uint8_t *bytes, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Says a copy of them. */
int talk_copy(struct talk *t, const uint8_t *bytes, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Whether to wait for .drained before saying more that nobody asked for. */
bool talk_is_full(struct talk *t) __attribute__((nonnull));

/* Inside .heard: the body is now the caller's to free(). */
uint8_t *talk_keep(struct talk *t) __attribute__((nonnull));
/* Hears nothing more until talk_resume(). */
void talk_pause(struct talk *t) __attribute__((nonnull));
void talk_resume(struct talk *t) __attribute__((nonnull));

/* The conversation is over and all is well: .ended(NULL) follows. */
void talk_close(struct talk *t) __attribute__((nonnull));
/* It is over because of what happened here: tells the other end, if it can
 * hear it, and .ended(why) follows.
 */
void talk_abort(struct talk *t, const struct err *why) __attribute__((nonnull));

/* Whether it ended because the connection did, without a word. */
bool talk_was_cut(const struct talk *t) __attribute__((nonnull));
/* From now on the other end is dead after so many ms of silence, and not waited
 * for when in TALK_HURRY times that it only says that it is there.
 */
void talk_set_dead_ms(struct talk *t, unsigned ms) __attribute__((nonnull));

#endif
