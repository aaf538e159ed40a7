/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "wire/hello.h"
#include "wire/talk.h"

/* Messages put together at a time: the largest are a LAYOUT and REGIONS. */
#define TALK_OUT_MAX (2u << 20)

struct talk {
	struct talk_config config;
	struct session session;
	struct link *link;
	struct event *ping, *again;
	struct buf out;
	uint8_t *body;
	size_t body_cap;
	bool paused;  /* by the owner */
	bool choked;  /* the peer does not take our answers */
	bool stopped; /* the link is paused, for either reason */
	bool closing; /* goodbye was said; .why tells how .ended() ends */
	bool ended;
	bool cut;
	struct err why;
	unsigned pings; /* before the HELLO comes */
	unsigned drips; /* the same, since it got something across */
	uint64_t bytes; /* that had come then */
	unsigned patience;
	unsigned idle; /* pings, since it said something else */
	unsigned idle_max;
};

static struct hello
talk_hello(const struct talk *t)
{
	return (struct hello){
		.version = HELLO_VERSION,
		.oldest = HELLO_OLDEST_VERSION,
		.purpose = t->config.live ? HELLO_LIVE : HELLO_MEMORY_IMAGE,
	};
}

static const char *
talk_peer(const struct talk *t)
{
	return t->config.role == SESSION_SENDER ? "the receiver" : "the sender";
}

static void
talk_end(struct talk *t, const struct err *why)
{
	if (t->ended)
		return;
	t->ended = true;
	event_del(t->ping);
	event_del(t->again);
	if (why)
		session_abort(&t->session);
	t->config.ended(t->config.arg, why);
}

void
talk_close(struct talk *t)
{
	t->closing = true;
	t->why.code = ERR_NONE;
	link_finish(t->link);
}

void
talk_abort(struct talk *t, const struct err *why)
{
	enum session_state was = t->session.state;
	struct err e;

	if (t->closing || t->ended)
		return;
	session_abort(&t->session);
	if (was == SESSION_NEW || was == SESSION_TLS) {
		talk_end(t, why);
		return;
	}
	t->closing = true;
	t->why = *why;
	buf_reset(&t->out);
	if (message_put_error(&t->out, why, &e) < 0 || talk_say(t, &e) < 0) {
		talk_end(t, why);
		return;
	}
	link_finish(t->link);
}

static int
talk_opened(struct talk *t, struct err *e)
{
	const struct timeval each = { .tv_sec = TALK_PING_MS / 1000 };
	const struct hello ours = talk_hello(t);

	if (session_enter(&t->session, SESSION_HELLO, e) < 0 ||
	    hello_put(&t->out, &ours, e) < 0)
		return -1;
	if (event_add(t->ping, &each) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return talk_say(t, e);
}

static int
talk_heard_hello(struct talk *t, struct span body, struct err *e)
{
	const struct hello ours = talk_hello(t);
	struct hello theirs;

	if (hello_get(body, &theirs, e) < 0 ||
	    hello_check(&ours, &theirs, e) < 0 ||
	    session_enter(&t->session, SESSION_BASES, e) < 0)
		return -1;
	t->config.opened(t->config.arg);
	return 0;
}

/* A peer that pings but does not listen gets no answer that would pile up. */
static int
talk_heard_ping(struct talk *t, struct span body, struct err *e)
{
	uint64_t stamp;

	if (message_get_u64(body, &stamp, e) < 0)
		return -1;
	if (link_is_full(t->link))
		return 0;
	if (message_put_u64(&t->out, MESSAGE_PONG, stamp, e) < 0)
		return -1;
	return talk_say(t, e);
}

static int
talk_heard_error(struct talk *t, struct span body, struct err *e)
{
	struct err said;

	if (message_get_error(body, &said, e) < 0)
		return -1;
	(void)err_prefix(&said, "%s says", talk_peer(t));
	talk_end(t, &said);
	return 0;
}

static int
talk_heard(struct talk *t, enum message_type type, struct span body,
	   struct err *e)
{
	t->drips = 0;
	if (type != MESSAGE_PING && type != MESSAGE_PONG)
		t->idle = 0;
	switch ((int)type) {
	case MESSAGE_HELLO:
		return talk_heard_hello(t, body, e);
	case MESSAGE_PING:
		return talk_heard_ping(t, body, e);
	case MESSAGE_PONG:
		return 0;
	case MESSAGE_ERROR:
		return talk_heard_error(t, body, e);
	default:
		return t->config.heard(t->config.arg, type, body, e);
	}
}

static int
talk_room(struct talk *t, size_t len, struct err *e)
{
	if (len <= t->body_cap && t->body)
		return 0;
	free(t->body);
	t->body_cap = MAX(len, (size_t)4096);
	t->body = malloc(t->body_cap);
	if (t->body)
		return 0;
	t->body_cap = 0;
	return err_sys(e, "message of %zu bytes", len);
}

/* Hears one message: 1, or 0 when it is not there yet. */
static int
talk_next(struct talk *t, struct err *e)
{
	uint8_t head[MESSAGE_HEAD_BYTES];
	enum message_type type;
	uint32_t len;

	if (link_has(t->link) < sizeof(head))
		return 0;
	link_peek(t->link, head, sizeof(head));
	if (message_get_head(head, &type, &len, e) < 0 ||
	    session_hear(&t->session, type, e) < 0)
		return -1;
	link_want(t->link, sizeof(head) + len);
	if (link_has(t->link) < sizeof(head) + len)
		return 0;
	if (talk_room(t, len, e) < 0)
		return -1;
	link_take(t->link, head, sizeof(head));
	link_take(t->link, t->body, len);
	return talk_heard(t, type, span_of(t->body, len), e) < 0 ? -1 : 1;
}

static void
talk_fail(struct talk *t, struct err *e)
{
	if (e->code == ERR_PROTOCOL)
		(void)err_prefix(e, "from %s", talk_peer(t));
	talk_abort(t, e);
}

/* Reading stops while the owner says so, and while a receiver's answers are
 * not taken; a sender's output is mostly full and must not make it deaf.
 */
static bool
talk_stops(struct talk *t)
{
	t->choked = t->config.role == SESSION_RECEIVER && link_is_full(t->link);
	return t->choked || t->paused;
}

static void
talk_listen(struct talk *t)
{
	bool stop = talk_stops(t);

	if (stop == t->stopped || t->closing || t->ended)
		return;
	t->stopped = stop;
	if (stop)
		link_pause(t->link);
	else
		link_resume(t->link);
}

static void
talk_hear(struct talk *t)
{
	struct err e = { .code = ERR_NONE };
	int got = 1;

	while (got > 0 && !t->closing && !t->ended && !talk_stops(t))
		got = talk_next(t, &e);
	if (got < 0)
		talk_fail(t, &e);
	talk_listen(t);
}

static void
talk_closed(struct talk *t, const struct err *why)
{
	struct err e;

	if (t->closing) {
		talk_end(t, t->why.code == ERR_NONE ? NULL : &t->why);
		return;
	}
	if (!why) {
		(void)err_set(
			&e, ERR_SYSTEM, "%s closed the connection in state %s",
			talk_peer(t), session_state_name(t->session.state));
		why = &e;
	}
	t->cut = true;
	talk_end(t, why);
}

static void
talk_on_link(struct link *l, enum link_event ev, const struct err *why,
	     void *arg)
{
	struct talk *t = arg;
	struct err e = { .code = ERR_NONE };

	(void)l;
	if (t->ended)
		return;
	switch (ev) {
	case LINK_CONNECTED:
		if (talk_opened(t, &e) < 0)
			talk_fail(t, &e);
		break;
	case LINK_READABLE:
		talk_hear(t);
		break;
	case LINK_LOWAT:
		if (t->choked)
			event_active(t->again, EV_TIMEOUT, 0);
		if (!t->closing)
			t->config.drained(t->config.arg);
		break;
	case LINK_CLOSED:
	case LINK_FAILED:
		talk_closed(t, why);
		break;
	}
}

static void
talk_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct talk *t = arg;

	(void)fd;
	(void)what;
	talk_hear(t);
}

/* A peer says a whole message each second (PING), unless a large one takes its
 * time; then bytes of it come.  One that drips neither speaks nor is silent; it
 * is not waited for either, but for longer: silence is the link's to find.
 */
static bool
talk_gets_across(struct talk *t)
{
	uint64_t bytes = link_received(t->link);

	if (t->stopped || bytes >= t->bytes + TALK_SLOW_BYTES) {
		t->bytes = bytes;
		t->drips = 0;
	}
	return ++t->drips <= 2 * t->patience;
}

/* Nor is one that only says that it is there; but from COMMIT on there is
 * nothing to save by giving up.
 */
static bool
talk_goes_on(struct talk *t)
{
	if (t->stopped || t->session.state >= SESSION_COMMIT)
		t->idle = 0;
	return ++t->idle <= t->idle_max;
}

static void
talk_on_ping(evutil_socket_t fd, short what, void *arg)
{
	struct talk *t = arg;
	struct err e;

	(void)fd;
	(void)what;
	if (t->closing)
		return;
	if (t->session.state == SESSION_HELLO) {
		if (++t->pings < t->patience)
			return;
		(void)err_set(&e, ERR_LIMIT, "%s does not say who it is",
			      talk_peer(t));
		talk_abort(t, &e);
		return;
	}
	if (!talk_gets_across(t) || !talk_goes_on(t)) {
		(void)err_set(&e, ERR_LIMIT, "%s gets nothing across",
			      talk_peer(t));
		talk_abort(t, &e);
		return;
	}
	if (message_put_u64(&t->out, MESSAGE_PING, clock_wall_ns(), &e) < 0 ||
	    talk_say(t, &e) < 0)
		talk_abort(t, &e);
}

static unsigned
talk_patience(unsigned dead_ms)
{
	return MAX(dead_ms / TALK_PING_MS, 1u);
}

static struct talk *
talk_new(const struct talk_config *config, struct link_config *link,
	 struct err *e)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t) {
		(void)err_sys(e, "talk");
		return NULL;
	}
	t->config = *config;
	session_init(&t->session, config->role, config->live);
	buf_init(&t->out, TALK_OUT_MAX);
	t->patience =
		talk_patience(link->dead_ms ? link->dead_ms : LINK_DEAD_MS);
	t->idle_max = config->idle_s ? config->idle_s : TALK_IDLE_S;
	t->ping = event_new(link->base, -1, EV_PERSIST, talk_on_ping, t);
	t->again = event_new(link->base, -1, 0, talk_on_again, t);
	link->fn = talk_on_link;
	link->arg = t;
	link->peer = talk_peer(t);
	if (t->ping && t->again)
		return t;
	(void)err_set(e, ERR_SYSTEM, "out of memory");
	talk_free(t);
	return NULL;
}

static struct talk *
talk_started(struct talk *t, struct link *l, bool tls, struct err *e)
{
	t->link = l;
	if (l && (!tls || session_enter(&t->session, SESSION_TLS, e) == 0))
		return t;
	talk_free(t);
	return NULL;
}

struct talk *
talk_connect(const struct talk_config *config, const struct link_config *link,
	     const struct endpoint_addr *addrs, size_t naddrs,
	     const struct tls *tls, const char *host, struct err *e)
{
	struct link_config c = *link;
	struct talk *t = talk_new(config, &c, e);

	if (!t)
		return NULL;
	return talk_started(t, link_connect(&c, addrs, naddrs, tls, host, e),
			    tls, e);
}

struct talk *
talk_over(const struct talk_config *config, const struct link_config *link,
	  int fd, const struct tls *tls, const char *host, struct err *e)
{
	struct link_config c = *link;
	struct talk *t = talk_new(config, &c, e);

	if (!t) {
		evutil_closesocket(fd);
		return NULL;
	}
	return talk_started(t, link_over(&c, fd, tls, host, e), tls, e);
}

struct talk *
talk_accept(const struct talk_config *config, const struct link_config *link,
	    int fd, const struct tls *tls, struct err *e)
{
	return talk_over(config, link, fd, tls, NULL, e);
}

void
talk_free(struct talk *t)
{
	if (!t)
		return;
	link_free(t->link);
	if (t->ping)
		event_free(t->ping);
	if (t->again)
		event_free(t->again);
	buf_fini(&t->out);
	free(t->body);
	free(t);
}

struct session *
talk_session(struct talk *t)
{
	return &t->session;
}

const struct link *
talk_link(const struct talk *t)
{
	return t->link;
}

struct buf *
talk_out(struct talk *t)
{
	return &t->out;
}

int
talk_say(struct talk *t, struct err *e)
{
	int ret = link_send(t->link, t->out.data, t->out.len, e);

	buf_reset(&t->out);
	return ret;
}

int
talk_give(struct talk *t, uint8_t *bytes, size_t n, struct err *e)
{
	return link_give(t->link, bytes, n, e);
}

int
talk_copy(struct talk *t, const uint8_t *bytes, size_t n, struct err *e)
{
	return link_send(t->link, bytes, n, e);
}

bool
talk_is_full(struct talk *t)
{
	return link_is_full(t->link);
}

uint8_t *
talk_keep(struct talk *t)
{
	uint8_t *body = t->body;

	t->body = NULL;
	t->body_cap = 0;
	return body;
}

void
talk_pause(struct talk *t)
{
	t->paused = true;
	talk_listen(t);
}

/* Whole messages may be waiting in the link: the loop hears them, not this
 * call, which may come from anywhere.
 */
void
talk_resume(struct talk *t)
{
	if (!t->paused)
		return;
	t->paused = false;
	event_active(t->again, EV_TIMEOUT, 0);
}

bool
talk_was_cut(const struct talk *t)
{
	return t->cut;
}

void
talk_set_dead_ms(struct talk *t, unsigned ms)
{
	link_set_dead_ms(t->link, ms);
	t->patience = talk_patience(ms);
	t->idle_max = MIN(t->idle_max, TALK_HURRY * ms / TALK_PING_MS);
}
