/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/daemon.h"

/* One that asks whether we are here names no migration. */
static bool
is_question(const struct call *call)
{
	static const struct call nothing;

	return memcmp(call, &nothing, sizeof(nothing)) == 0;
}

/* For a migration that goes on here already, or for a new one. */
static int
call_connect(struct daemon *d, const struct call *call, int fd,
	     const struct endpoint_addr *from, struct err *e)
{
	struct migration *m = migration_find(d, call->id);
	const struct migration_plan plan = { .role = is_question(call)
							     ? MONITOR_ANSWER
							     : MONITOR_RECEIVE,
					     .call = *call,
					     .vm = "",
					     .peer = fd,
					     .from = from };

	if (m && m->role == MONITOR_RECEIVE) {
		migration_tell(m, "connection", fd);
		return 0;
	}
	return migration_start(d, &plan, e) ? 0 : -1;
}

/* Who it is, the kernel says: the listener may be taken over. */
static int
call_take(struct daemon *d, const struct parcel *p, struct endpoint_addr *from,
	  struct err *e)
{
	struct call call;

	from->len = sizeof(from->sa);
	if (strcmp(parcel_text(p, "do"), "call") != 0 || p->nfds != 1 ||
	    !call_parse_id(parcel_text(p, "id"), call.id) ||
	    !call_parse_id(parcel_text(p, "uuid"), call.uuid))
		return err_set(e, ERR_PROTOCOL, "not a call");
	if (getpeername(p->fds[0], (struct sockaddr *)&from->sa, &from->len) <
	    0)
		return err_sys(e, "its connection");
	return call_connect(d, &call, p->fds[0], from, e);
}

void
call_accept(struct daemon *d)
{
	struct endpoint_addr from = { .len = 0 };
	char text[ENDPOINT_TEXT_MAX];
	struct parcel p;
	struct err e;

	if (parcel_receive(d->calls_fd, &p, &e) <= 0)
		return;
	if (call_take(d, &p, &from, &e) < 0) {
		endpoint_addr_text(&from, text);
		fprintf(stderr, "virt-migd: refused %s: %s\n", text, e.text);
	}
	parcel_free(&p);
}
