/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/link-impl.h"
#include "common/mem.h"

/* Unsent bytes the kernel may hold: more would only hide how full we are. */
#define LINK_NOTSENT_BYTES (256 << 10)

static void
link_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 5 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 2 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		/* After our own time, which says what happened. */
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, LINK_DEAD_MS * 3 / 2 },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, LINK_NOTSENT_BYTES },
	};

	/* None of them decides about right and wrong: no error if refused, as
	 * all but the first are on a unix socket.
	 */
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		setsockopt(fd, options[i].level, options[i].name,
			   &options[i].value, sizeof(options[i].value));
}

int
link_adopt(struct link *l, const struct endpoint_addr *addr, struct err *e)
{
	endpoint_addr_text(addr, l->text);
	if (!l->tls && !endpoint_addr_is_local(addr))
		return err_set(e, ERR_AUTH,
			       "without TLS only to and from this host");
	if (addr->sa.ss_family != AF_UNIX)
		link_tune(l->mover.fd);
	l->readable = event_new(l->config.base, l->mover.fd,
				EV_READ | EV_PERSIST, link_on_event, l);
	l->writable = event_new(l->config.base, l->mover.fd,
				EV_WRITE | EV_PERSIST, link_on_event, l);
	if (!l->readable || !l->writable)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return 0;
}

void
link_drop_socket(struct link *l)
{
	if (l->readable)
		event_free(l->readable);
	if (l->writable)
		event_free(l->writable);
	l->readable = NULL;
	l->writable = NULL;
	mover_fini(&l->mover);
}

static int
link_try(struct link *l, const struct endpoint_addr *addr, struct err *e)
{
	l->mover.fd = socket(addr->sa.ss_family,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->mover.fd < 0)
		return err_sys(e, "socket");
	if (link_adopt(l, addr, e) < 0)
		return -1;
	if (connect(l->mover.fd, (const struct sockaddr *)&addr->sa,
		    addr->len) < 0 &&
	    errno != EINPROGRESS)
		return err_sys(e, "connecting");
	return 0;
}

void
link_try_next(struct link *l)
{
	while (l->next_addr < l->naddrs) {
		link_drop_socket(l);
		if (link_try(l, &l->addrs[l->next_addr++], &l->last) == 0) {
			link_enter(l, PHASE_CONNECT);
			return;
		}
	}
	link_fail(l, &l->last);
}

void
link_handshake(struct link *l)
{
	struct err e = { .code = ERR_NONE };
	enum mover_answer answer = mover_handshake(&l->mover, &e);

	l->read_wants_out = answer == MOVER_WANTS_WRITE;
	if (answer == MOVER_DONE) {
		link_enter(l, PHASE_OPEN);
		l->more = l->mover.ssl != NULL;
		link_emit(l, LINK_CONNECTED, NULL);
		return;
	}
	if (answer == MOVER_END)
		(void)err_set(&e, ERR_SYSTEM, "closed in the TLS handshake");
	if (answer == MOVER_END || answer == MOVER_FAILED)
		link_fail(l, &e);
}

void
link_connected(struct link *l)
{
	struct err e = { .code = ERR_NONE };
	socklen_t len = sizeof(errno);
	int why = 0;

	if (getsockopt(l->mover.fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 &&
	    why) {
		errno = why;
		(void)err_sys(&l->last, "connecting");
		link_try_next(l);
		return;
	}
	if (l->tls) {
		l->mover.ssl = tls_session(l->tls, l->mover.fd,
					   *l->host ? l->host : NULL, &e);
		if (!l->mover.ssl) {
			link_fail(l, &e);
			return;
		}
	}
	link_enter(l, PHASE_HANDSHAKE);
	link_handshake(l);
}
