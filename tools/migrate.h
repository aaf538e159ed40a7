/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MIGRATE_H
#define MIG_MIGRATE_H

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "tools/progress.h"

/* One run of 'virt-mig migrate': what the user wants, and how it went. */
struct migrate_wish {
	const char *connect; /* libvirt of this host */
	const char *vm;
	char *to;       /* libvirt's URI of the destination */
	char *peer;     /* HOST[:PORT] of the destination's virt-migd */
	unsigned flags; /* virDomainMigrateFlags */
	const char *disks_uri, *migrate_disks, *dname, *xml, *persistent_xml;
	unsigned bandwidth;  /* MiB/s on the network; 0: what it takes */
	unsigned switchover; /* MiB/s, what QEMU is to count on at the end;
				0: what it sees itself */
	unsigned timeout_s;  /* 0: none */
	long reconnect_s;    /* -1: as virt-migd's settings say */
	bool timeout_postcopy, postcopy_after_precopy;
	unsigned connections; /* of --parallel */
	unsigned auto_converge_initial, auto_converge_increment;
	bool json, no_free_drop;
	bool stay; /* what was prepared is for somebody else */
	enum progress_kind progress;
	int progress_fd;
};

struct migrate_result {
	json_t *session; /* what the session said at its end; NULL */
	uint64_t elapsed_ms, passes;
	uint64_t downtime_ms;
	bool downtime_known; /* by libvirt; else it was that at least */
};

/* Migrates, and shows how it goes.  On error the text says where the VM is,
 * and the code, too: ERR_UNKNOWN where only asking both hosts will tell.
 */
int migrate_run(const struct migrate_wish *w, struct migrate_result *r,
		struct err *e) __attribute__((nonnull, warn_unused_result));
/* On standard output. */
int migrate_show(const struct migrate_wish *w, const struct migrate_result *r,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

/* libvirt has it since 11.1: MiB/s, VIR_TYPED_PARAM_ULLONG, refused where QEMU
 * is older than 8.2.
 */
#define MIGRATE_PARAM_SWITCHOVER "bandwidth.avail.switchover"
#define MIGRATE_SWITCHOVER_SINCE 11001000 /* virConnectGetLibVersion() */

/* libvirt's last word on what failed. */
int migrate_libvirt_failed(struct err *e, const char *what)
	__attribute__((nonnull));
/* Where the migrations of this VM are made ready: the domain, and the parcels
 * of virt-migd.
 */
struct migrate_place {
	virConnectPtr conn;
	virDomainPtr dom;
	char uuid[VIR_UUID_STRING_BUFLEN];
	int control;
	char path[108];
};

int migrate_prepare(const struct migrate_wish *w, struct migrate_place *p,
		    struct err *e) __attribute__((nonnull, warn_unused_result));
void migrate_place_close(struct migrate_place *p) __attribute__((nonnull));

/* The destination as the user wrote it, a host's name or libvirt's URI, as
 * what libvirt and virt-migd take; peer may be given.
 */
int migrate_destination(struct migrate_wish *w, const char *dest,
			const char *peer, struct err *e)
	__attribute__((nonnull(1, 2, 4), warn_unused_result));

#endif
