/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdint.h>

#include "wire/session.h"

#define BIT(n) (1u << (n))

/* Said in every state once the two are connected. */
#define ALWAYS (BIT(MESSAGE_PING) | BIT(MESSAGE_PONG) | BIT(MESSAGE_ERROR))

#define FROM_RECEIVER                                                          \
	(ALWAYS | BIT(MESSAGE_CHANNEL) | BIT(MESSAGE_TAKEN) |                  \
	 BIT(MESSAGE_RETURN) | BIT(MESSAGE_ACK) | BIT(MESSAGE_NAK))
#define FROM_SENDER                                                            \
	(ALWAYS | BIT(MESSAGE_CHANNEL) | BIT(MESSAGE_FRAME) |                  \
	 BIT(MESSAGE_BLOCKS))

static const struct {
	const char *name;
	uint32_t next;     /* bit s: an arrow leads to state s */
	uint32_t hears[2]; /* bit m: this role may hear message m */
	uint32_t live[2];  /* the same where a running guest moves */
} states[SESSION__MAX] = {
	[SESSION_NEW] = { "NEW",
			  BIT(SESSION_TLS) | BIT(SESSION_HELLO) |
				  BIT(SESSION_ABORT),
			  { 0, 0 },
			  { 0, 0 } },
	[SESSION_TLS] = { "TLS",
			  BIT(SESSION_HELLO) | BIT(SESSION_ABORT),
			  { 0, 0 },
			  { 0, 0 } },
	[SESSION_HELLO] = { "HELLO",
			    BIT(SESSION_BASES) | BIT(SESSION_ABORT),
			    { ALWAYS | BIT(MESSAGE_HELLO),
			      ALWAYS | BIT(MESSAGE_HELLO) },
			    { ALWAYS | BIT(MESSAGE_HELLO),
			      ALWAYS | BIT(MESSAGE_HELLO) } },
	[SESSION_BASES] = { "BASES",
			    BIT(SESSION_STREAM) | BIT(SESSION_ABORT),
			    { ALWAYS | BIT(MESSAGE_OFFER) |
				      BIT(MESSAGE_REGIONS),
			      ALWAYS | BIT(MESSAGE_LAYOUT) | BIT(MESSAGE_WANT) |
				      BIT(MESSAGE_BASES) },
			    { ALWAYS | BIT(MESSAGE_OFFER) |
				      BIT(MESSAGE_REGIONS) | BIT(MESSAGE_AGAIN),
			      ALWAYS | BIT(MESSAGE_WANT) | BIT(MESSAGE_BASES) |
				      BIT(MESSAGE_AGAIN) } },
	[SESSION_STREAM] = { "STREAM",
			     BIT(SESSION_SEAL) | BIT(SESSION_ABORT),
			     { ALWAYS | BIT(MESSAGE_ACK) | BIT(MESSAGE_NAK) |
				       BIT(MESSAGE_ANSWER),
			       ALWAYS | BIT(MESSAGE_FRAME) |
				       BIT(MESSAGE_QUERY) | BIT(MESSAGE_SEAL) },
			     { FROM_RECEIVER,
			       FROM_SENDER | BIT(MESSAGE_SEAL) } },
	[SESSION_SEAL] = { "SEAL",
			   BIT(SESSION_COMMIT) | BIT(SESSION_ABORT),
			   { ALWAYS | BIT(MESSAGE_ANSWER) | BIT(MESSAGE_SEALED),
			     ALWAYS },
			   { FROM_RECEIVER | BIT(MESSAGE_SEALED),
			     FROM_SENDER | BIT(MESSAGE_COMMIT) } },
	[SESSION_COMMIT] = { "COMMIT",
			     BIT(SESSION_DONE) | BIT(SESSION_ABORT),
			     { ALWAYS, ALWAYS },
			     { FROM_RECEIVER | BIT(MESSAGE_END),
			       FROM_SENDER | BIT(MESSAGE_END) } },
	[SESSION_DONE] = { "DONE", 0, { ALWAYS, ALWAYS }, { ALWAYS, ALWAYS } },
	[SESSION_ABORT] = { "ABORT", 0, { 0, 0 }, { 0, 0 } },
};

const char *
session_state_name(enum session_state state)
{
	return states[state].name;
}

void
session_init(struct session *s, enum session_role role, bool live)
{
	s->role = role;
	s->live = live;
	s->state = SESSION_NEW;
}

int
session_enter(struct session *s, enum session_state next, struct err *e)
{
	static_assert(SESSION__MAX == 9, "the table is whole");
	if (!(states[s->state].next & BIT(next)))
		return err_set(e, ERR_PROTOCOL, "no way from %s to %s",
			       states[s->state].name, states[next].name);
	s->state = next;
	return 0;
}

void
session_abort(struct session *s)
{
	if (states[s->state].next & BIT(SESSION_ABORT))
		s->state = SESSION_ABORT;
}

int
session_hear(const struct session *s, enum message_type type, struct err *e)
{
	const uint32_t *hears =
		s->live ? states[s->state].live : states[s->state].hears;

	if (hears[s->role] & BIT(type))
		return 0;
	return err_set(e, ERR_PROTOCOL, "%s came in state %s",
		       message_name(type), states[s->state].name);
}
