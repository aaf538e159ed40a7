/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SESSION_H
#define MIG_SESSION_H

#include <stdbool.h>

#include "common/err.h"
#include "wire/message.h"

/* Where a session stands, and what may be heard there.  session_enter() is
 * the only door from one state to the next.
 */
enum session_state {
	SESSION_NEW,    /* a connection, or the wait for one */
	SESSION_TLS,    /* the handshake; left out on this host */
	SESSION_HELLO,  /* connected: who are you? */
	SESSION_BASES,  /* what do both hold? */
	SESSION_STREAM, /* frames and their acknowledgements */
	SESSION_SEAL,   /* all frames are acknowledged: is that all? */
	SESSION_COMMIT, /* the receiver puts it on disk; QEMU gets the end */
	SESSION_DONE,
	SESSION_ABORT, /* something failed, here or there */
	SESSION__MAX
};

enum session_role {
	SESSION_SENDER,
	SESSION_RECEIVER,
};

struct session {
	enum session_role role;
	enum session_state state;
	bool live; /* a running guest, not a file */
};

/* "NEW", "TLS", ... */
const char *session_state_name(enum session_state state);

void session_init(struct session *s, enum session_role role, bool live)
	__attribute__((nonnull));
/* Goes to the next state.  ERR_PROTOCOL, and nothing changes, where no arrow
 * leads there.  To where it is already is no arrow either.
 */
int session_enter(struct session *s, enum session_state next, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Goes to SESSION_ABORT from anywhere but SESSION_DONE, where it stays. */
void session_abort(struct session *s) __attribute__((nonnull));
/* Whether that message may come now; ERR_PROTOCOL. */
int session_hear(const struct session *s, enum message_type type, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
