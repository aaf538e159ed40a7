/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MONITOR_H
#define MIG_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "common/parcel.h"
#include "dedup/held.h"
#include "memory/qemu-live.h"
#include "tools/settings.h"
#include "wire/call.h"

/* The privileged half of one migration, a process of its own: opens what the
 * session (virt-mig-session) needs, hands it over, and does for it what a
 * confined process cannot: connect, rename, ask libvirt.  It never reads a
 * byte that the peer sent.  What the session asks for is checked, since the
 * peer may have taken it over; the worst it can ask for is its own VM.
 * One thread, which waits.
 */
#define MONITOR_IMAGES 12
#define MONITOR_USE_S  900 /* so long one for virsh may wait to be used */

enum monitor_role {
	MONITOR_SEND,
	MONITOR_RECEIVE,
	MONITOR_ANSWER, /* a peer only asks whether we are here */
};

struct monitor {
	const struct settings *settings;
	const struct settings_ids *ids;
	enum monitor_role role;
	struct call call;
	int daemon; /* parcels from and to virt-migd */
	/* MONITOR_SEND */
	struct endpoint to;
	uint64_t rate;    /* bytes a second; 0: what the link takes */
	long reconnect_s; /* -1: as the settings say */
	bool no_free_drop;
	bool stay; /* whoever asked for it does not wait for it */
	/* MONITOR_RECEIVE */
	int peer;
	bool peer_is_local;

	/* Its own. */
	bool plain;  /* without TLS: within this host */
	int session; /* parcels */
	int pid;     /* of the session */
	int listening, shadow, kept;
	char vm[128], socket_path[108], kept_path[SETTINGS_PATH_MAX];
	struct held_loan loans[MONITOR_IMAGES];
	char *names[MONITOR_IMAGES];
	size_t nloans;
	bool used;  /* QEMU has come */
	bool ended; /* the session has said how it went */
};

/* Runs the migration to its end.  What there is to say goes to m->daemon as
 * parcels: "ready", "status", and once, at the end, "end".
 */
void monitor_run(struct monitor *m) __attribute__((nonnull));

/* monitor-open.c */
/* Opens everything that can be opened before the session begins. */
int monitor_open(struct monitor *m, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A connection to the peer's virt-migd, which knows what it is about; probe:
 * only to ask whether it is there and agrees.
 */
int monitor_connect(const struct monitor *m, bool probe, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A connection to the QEMU that waits here for this migration. */
int monitor_connect_qemu(const struct monitor *m, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The memory of the guest that is sent, to tell which of it is free, if it is
 * asked for and can be had; where not, all is sent.
 */
struct qemu_maps monitor_guest(const struct monitor *m)
	__attribute__((nonnull));
/* The memory as it was migrated gets its name. */
void monitor_keep(struct monitor *m) __attribute__((nonnull));
void monitor_close(struct monitor *m) __attribute__((nonnull));

/* index-later.c */
/* Builds the index of an image in the background, after those that others
 * build; whether that works is nobody's concern.
 */
void index_build_later(const char *path, const char *format)
	__attribute__((nonnull(1)));

#endif
