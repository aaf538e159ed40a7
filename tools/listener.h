/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LISTENER_H
#define MIG_LISTENER_H

#include <event2/event.h>
#include <jansson.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "tools/settings.h"
#include "wire/call.h"

/* virt-mig-listener: all of virt-migd that touches the network, a process
 * without any right.  It waits where peers call, reads the 40 bytes that say
 * which migration they mean, and no more, and hands the connection to
 * virt-migd; and it connects to peers for monitors, which need no network then.
 *
 *	peer -> listener        40 bytes (wire/call.h)
 *	listener -> virt-migd   {"do": "call", "id", "uuid"}, the connection
 *
 *	monitor -> listener     {"do": "connect", "host", "port"}
 *	listener -> monitor     {"do": "connection"}, the connection; or why not
 *
 * One thread and one event loop; a process more for each connection that is
 * being made, since looking up names waits.
 */
#define LISTENER_CALLS    64 /* that have not yet said what they want */
#define LISTENER_PER_PEER 8  /* of them from one address */
#define LISTENER_CALL_MS  5000
#define LISTENER_ASKING   32 /* connections that are being made */
#define LISTENER_ASK_S    50 /* for so long */

/* Where they meet (parcel_listen()). */
#define LISTENER_CALLED SETTINGS_RUN "/calls" /* virt-migd's */
#define LISTENER_ASKED  SETTINGS_RUN "/net"   /* the listener's */

struct listener;

struct caller {
	struct listener *listener;
	struct event *event;
	int fd;
	struct endpoint_addr addr;
	char host[ENDPOINT_IP_MAX];
};

struct listener {
	struct event_base *base;
	int peers_fd, asked_fd; /* listening; the caller's */
	const char *called;     /* path of virt-migd's socket */
	unsigned patience_ms;   /* with who calls */
	struct event *events[5];
	struct caller callers[LISTENER_CALLS];
	unsigned asking;
};

/* Fills what the caller has not: sockets, called and patience_ms. */
int listener_init(struct listener *l, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Until SIGTERM or SIGINT. */
void listener_run(struct listener *l) __attribute__((nonnull));
void listener_fini(struct listener *l) __attribute__((nonnull));

/* For a monitor: has the listener at path connect to there.  Waits. */
int listener_connect(const char *path, const struct endpoint *to, int *fd,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
