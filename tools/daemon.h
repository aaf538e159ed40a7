/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DAEMON_H
#define MIG_DAEMON_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "tools/monitor.h"
#include "tools/settings.h"
#include "wire/call.h"

/* virt-migd: answers calls of peers and requests of the command, starts a
 * monitor for each migration, and knows how each of them goes.  It reads
 * nothing of a peer: virt-mig-listener hands calls over (tools/listener.h).
 * One thread, one event loop.
 */
#define DAEMON_ENDED 16 /* whose end is remembered */

struct client;

struct migration {
	struct daemon *daemon;
	struct migration *next;
	enum monitor_role role;
	struct call call;
	char vm[128], peer[ENDPOINT_TEXT_MAX];
	char address[ENDPOINT_IP_MAX]; /* of the peer */
	int pid;                       /* of the monitor; 0: it has ended */
	int fd;                        /* parcels */
	struct event *readable;
	json_t *status;        /* the last one; the "end", once it has ended */
	struct client *client; /* who asked for it and still listens */
	uint64_t began_ns;
	bool stay; /* even when the client is gone before it begins */
	bool ended;
};

struct daemon {
	struct settings *settings;
	struct settings_ids ids;
	struct event_base *base;
	int control_fd, calls_fd;
	int peers_fd, asked_fd; /* for a listener of our own; or -1 */
	int listener_pid;       /* 0: none */
	struct event *control, *calls, *child;
	struct migration *migrations; /* newest first */
	struct client *clients;
	size_t nclients;
};

/* The caller has filled the sockets. */
int daemon_init(struct daemon *d, struct settings *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Until SIGTERM or SIGINT.  Migrations go on without us. */
void daemon_run(struct daemon *d) __attribute__((nonnull));
void daemon_fini(struct daemon *d) __attribute__((nonnull));

/* daemon-migration.c */
struct migration_plan {
	enum monitor_role role;
	struct call call;
	const char *vm;
	const struct endpoint *to; /* MONITOR_SEND */
	uint64_t rate;
	long reconnect_s; /* MONITOR_SEND; -1: as the settings say */
	bool no_free_drop;
	bool stay; /* even when the client is gone before it begins */
	int peer;  /* MONITOR_RECEIVE; stays the caller's */
	const struct endpoint_addr *from;
};

/* Starts a monitor; NULL with *e filled where that would be too many. */
struct migration *migration_start(struct daemon *d,
				  const struct migration_plan *plan,
				  struct err *e)
	__attribute__((nonnull, warn_unused_result));
struct migration *migration_find(struct daemon *d,
				 const uint8_t id[CALL_ID_BYTES])
	__attribute__((nonnull));
/* Sends the monitor a parcel: {"do": what}, with a file if fd is not -1. */
void migration_tell(struct migration *m, const char *what, int fd)
	__attribute__((nonnull));
/* All that is known of it, for "status". */
json_t *migration_status(const struct migration *m) __attribute__((nonnull));
void migration_on_child(struct daemon *d, int pid) __attribute__((nonnull));
void migrations_free(struct daemon *d) __attribute__((nonnull));

/* daemon-call.c */
/* The listener hands a peer over. */
void call_accept(struct daemon *d) __attribute__((nonnull));

/* daemon-listener.c */
/* Starts a listener of our own, if that is for us to do. */
int listener_start(struct daemon *d, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Whether that was the listener, which is then started again. */
bool listener_on_child(struct daemon *d, int pid) __attribute__((nonnull));
void listener_stop(const struct daemon *d) __attribute__((nonnull));

/* daemon-control.c */
/* So many may ask at a time: more are hung up on. */
#define CLIENTS_MAX 256

void client_accept(struct daemon *d) __attribute__((nonnull));
/* Tells whoever asks, and hangs up where that is not possible. */
void client_tell(struct client *c, json_t *body) __attribute__((nonnull(1)));
void clients_free(struct daemon *d) __attribute__((nonnull));
/* In a child, which is to hold none of them open. */
void clients_leave(const struct daemon *d) __attribute__((nonnull));

#endif
