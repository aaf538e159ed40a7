/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  One function, link_step(), is called for whatever
 * happened (readable, writable, woken); it does what the phase asks for and
 * then link_watch() derives from the state what to wait for next.  No other
 * place adds or removes events, so no combination of full, paused, throttled
 * and "TLS wants the other direction" needs a case of its own.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link-impl.h"
#include "common/mem.h"

#define LINK_TICK_MS      250
#define LINK_RATE_TICK_MS 5
#define NS_PER_MS         1000000u

static void link_step(struct link *l);

void
link_enter(struct link *l, enum link_phase phase)
{
	l->phase = phase;
	l->phase_ns = clock_wall_ns();
	l->heard_ns = l->phase_ns;
}

void
link_emit(struct link *l, enum link_event ev, const struct err *why)
{
	if (l->freed)
		return;
	if (ev == LINK_CLOSED || ev == LINK_FAILED)
		link_enter(l, PHASE_OVER);
	l->config.fn(l, ev, why, l->config.arg);
}

void
link_fail(struct link *l, struct err *e)
{
	(void)err_prefix(e, "%s %.80s", l->config.peer, l->text);
	link_emit(l, LINK_FAILED, e);
}

static void
event_want(struct event *ev, bool want)
{
	if (!ev)
		return;
	if (want)
		event_add(ev, NULL);
	else
		event_del(ev);
}

/* Waits for what the state asks for. */
static void
link_watch(struct link *l)
{
	bool in = link_reads(l), out = link_writes(l);
	const struct timeval ms = { .tv_usec = LINK_RATE_TICK_MS * 1000 };

	if (l->phase == PHASE_HANDSHAKE) {
		in = !l->read_wants_out;
		out = l->read_wants_out;
	} else if (l->phase == PHASE_CONNECT) {
		out = true;
	} else {
		out = out || (in && l->read_wants_out);
		in = in || l->write_wants_in;
	}
	event_want(l->readable, in);
	event_want(l->writable, out);
	if (in && l->more && l->phase != PHASE_HANDSHAKE)
		event_active(l->readable, EV_READ, 0);
	if (l->throttled && l->phase <= PHASE_FINISH)
		evtimer_add(l->wake, &ms);
}

/* After a call from outside; inside a step its end does this. */
static void
link_rewatch(struct link *l)
{
	if (!l->stepping)
		link_watch(l);
}

void
link_on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_step(arg);
}

static void
link_free_now(struct link *l)
{
	link_drop_socket(l);
	if (l->wake)
		event_free(l->wake);
	if (l->tick)
		event_free(l->tick);
	if (l->in)
		evbuffer_free(l->in);
	if (l->out)
		evbuffer_free(l->out);
	free(l);
}

static void
link_step(struct link *l)
{
	l->stepping = true;
	if (l->phase == PHASE_START)
		link_try_next(l);
	else if (l->phase == PHASE_CONNECT)
		link_connected(l);
	else if (l->phase == PHASE_HANDSHAKE)
		link_handshake(l);
	else if (l->phase == PHASE_OPEN || l->phase == PHASE_FINISH)
		link_flush(l);
	if (!l->freed && link_reads(l))
		link_fill(l);
	l->stepping = false;
	if (l->freed)
		link_free_now(l);
	else
		link_watch(l);
}

/* Now and then: has anything that we wait for taken too long? */
static void
link_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	uint64_t now = clock_wall_ns();
	uint64_t dead = (uint64_t)l->config.dead_ms * NS_PER_MS;
	struct err e;

	(void)fd;
	(void)what;
	if (l->phase == PHASE_OVER)
		return;
	if (l->phase == PHASE_OPEN && !link_reads(l))
		l->heard_ns = now;
	if (now - (l->phase == PHASE_OPEN ? l->heard_ns : l->phase_ns) < dead)
		return;
	(void)err_set(&e, ERR_LIMIT, "no answer for %.3g seconds",
		      l->config.dead_ms / 1000.0);
	l->stepping = true;
	if (l->phase == PHASE_CONNECT) {
		l->last = e;
		link_try_next(l);
	} else if (l->phase == PHASE_FINISH || l->phase == PHASE_LINGER) {
		link_emit(l, LINK_CLOSED, NULL);
	} else {
		link_fail(l, &e);
	}
	l->stepping = false;
	if (l->freed)
		link_free_now(l);
	else
		link_watch(l);
}

static struct link *
link_new(const struct link_config *config, const struct tls *tls, struct err *e)
{
	const struct timeval tick = { .tv_usec = LINK_TICK_MS * 1000 };
	struct link *l = calloc(1, sizeof(*l));

	if (!l) {
		(void)err_sys(e, "link");
		return NULL;
	}
	l->config = *config;
	if (l->config.dead_ms == 0)
		l->config.dead_ms = LINK_DEAD_MS;
	l->tls = tls;
	l->mover.fd = -1;
	l->allowance_ns = clock_wall_ns();
	l->in = evbuffer_new();
	l->out = evbuffer_new();
	l->wake = evtimer_new(config->base, link_on_event, l);
	l->tick = event_new(config->base, -1, EV_PERSIST, link_on_tick, l);
	if (!l->in || !l->out || !l->wake || !l->tick ||
	    evtimer_add(l->tick, &tick) < 0) {
		(void)err_set(e, ERR_SYSTEM, "link: out of memory");
		link_free_now(l);
		return NULL;
	}
	return l;
}

struct link *
link_connect(const struct link_config *config,
	     const struct endpoint_addr *addrs, size_t naddrs,
	     const struct tls *tls, const char *host, struct err *e)
{
	struct link *l = link_new(config, tls, e);

	if (!l)
		return NULL;
	l->naddrs = MIN(naddrs, (size_t)ENDPOINT_ADDRS_MAX);
	memcpy(l->addrs, addrs, l->naddrs * sizeof(*addrs));
	snprintf(l->host, sizeof(l->host), "%s", host ? host : "");
	link_enter(l, PHASE_START);
	event_active(l->wake, EV_TIMEOUT, 0);
	return l;
}

struct link *
link_over(const struct link_config *config, int fd, const struct tls *tls,
	  const char *host, struct err *e)
{
	struct endpoint_addr addr = { .len = sizeof(addr.sa) };
	struct link *l = link_new(config, tls, e);

	if (!l) {
		close(fd);
		return NULL;
	}
	l->mover.fd = fd;
	snprintf(l->host, sizeof(l->host), "%s", host ? host : "");
	if (evutil_make_socket_nonblocking(fd) < 0 ||
	    getpeername(fd, (struct sockaddr *)&addr.sa, &addr.len) < 0) {
		(void)err_sys(e, "connection");
		link_free_now(l);
		return NULL;
	}
	if (link_adopt(l, &addr, e) < 0) {
		(void)err_prefix(e, "%s %.80s", config->peer, l->text);
		link_free_now(l);
		return NULL;
	}
	link_enter(l, PHASE_CONNECT);
	event_active(l->wake, EV_TIMEOUT, 0);
	return l;
}

void
link_free(struct link *l)
{
	if (!l)
		return;
	if (l->stepping)
		l->freed = true;
	else
		link_free_now(l);
}

struct link *
link_accept(const struct link_config *config, int fd, const struct tls *tls,
	    struct err *e)
{
	return link_over(config, fd, tls, NULL, e);
}

void
link_set_dead_ms(struct link *l, unsigned ms)
{
	l->config.dead_ms = ms;
}

static bool
link_takes_output(const struct link *l)
{
	return l->phase == PHASE_OPEN && !l->deaf;
}

int
link_send(struct link *l, const void *bytes, size_t n, struct err *e)
{
	if (link_takes_output(l) && evbuffer_add(l->out, bytes, n) < 0)
		return err_set(e, ERR_SYSTEM, "link: out of memory");
	link_rewatch(l);
	return 0;
}

static void
link_free_bytes(const void *bytes, size_t n, void *arg)
{
	(void)bytes;
	(void)n;
	free(arg);
}

int
link_give(struct link *l, uint8_t *bytes, size_t n, struct err *e)
{
	if (!link_takes_output(l) || n == 0) {
		free(bytes);
	} else if (evbuffer_add_reference(l->out, bytes, n, link_free_bytes,
					  bytes) < 0) {
		free(bytes);
		return err_set(e, ERR_SYSTEM, "link: out of memory");
	}
	link_rewatch(l);
	return 0;
}

bool
link_is_full(struct link *l)
{
	l->full = l->full || link_queued(l) >= LINK_HIGH;
	return l->full;
}

size_t
link_queued(const struct link *l)
{
	return evbuffer_get_length(l->out);
}

size_t
link_has(const struct link *l)
{
	return evbuffer_get_length(l->in);
}

void
link_peek(const struct link *l, void *out, size_t n)
{
	evbuffer_copyout(l->in, out, n);
}

void
link_take(struct link *l, void *out, size_t n)
{
	evbuffer_remove(l->in, out, n);
	link_rewatch(l);
}

void
link_want(struct link *l, size_t n)
{
	l->want = n;
	link_rewatch(l);
}

void
link_pause(struct link *l)
{
	l->paused = true;
	link_rewatch(l);
}

void
link_resume(struct link *l)
{
	l->paused = false;
	l->heard_ns = clock_wall_ns();
	link_rewatch(l);
}

void
link_finish(struct link *l)
{
	if (l->phase != PHASE_OPEN)
		return;
	link_enter(l, PHASE_FINISH);
	link_rewatch(l);
}

uint64_t
link_sent(const struct link *l)
{
	return l->sent;
}

uint64_t
link_received(const struct link *l)
{
	return l->received;
}
