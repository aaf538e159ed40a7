/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SETTINGS_H
#define MIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/endpoint.h"
#include "common/err.h"

/* The settings of virt-migd (virt-mig.conf.5), each with its default. */
#define SETTINGS_FILE          "/etc/virt-mig/virt-mig.conf"
#define SETTINGS_RUN           "/run/virt-mig"
#define SETTINGS_PORT          49216
#define SETTINGS_RECONNECT_MAX 3600 /* seconds */
#define SETTINGS_LIST_MAX      64
#define SETTINGS_PATH_MAX      4096
/* Of a host that moves all its VMs at once. */
#define SETTINGS_SESSIONS 32

struct settings_list {
	char *at[SETTINGS_LIST_MAX];
	size_t n;
};

struct settings {
	struct endpoint listen;
	char *listen_user;          /* that virt-mig-listener runs as */
	char *tls_dir;              /* NULL: searched */
	struct settings_list allow; /* names in certificates; none: all */
	unsigned long sessions, sessions_per_peer;
	struct settings_list public_images; /* files and folders of files */
	char *user;                         /* that sessions run as */
	char *qemu_group;                   /* whose sockets those are; NULL */
	char *control_group;                /* who may ask us; NULL: root */
	char *libvirt_uri;
	char *memory_dir;
	bool keep_memory;
	unsigned long threads;           /* of a session; 0: all CPUs */
	unsigned long reconnect_timeout; /* seconds; 0: never */
};

/* Defaults, then what the file says.  A missing file is an error only if
 * must_exist.
 */
int settings_open(struct settings *c, const char *path, bool must_exist,
		  struct err *e) __attribute__((nonnull, warn_unused_result));
void settings_close(struct settings *c) __attribute__((nonnull));

/* The groups and the users that it names; those that this host does not have
 * are errors, but for the defaults of groups, which become 0.
 */
struct settings_ids {
	uid_t user, listen_user;
	gid_t group, listen_group; /* of those users */
	gid_t qemu, control;
};

int settings_ids(const struct settings *c, struct settings_ids *ids,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
