/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CONTROL_CLIENT_H
#define MIG_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/parcel.h"

/* The command's end of the control socket of this host's virt-migd. */
int control_open(int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

struct control_wish {
	const char *vm, *uuid;
	const char *peer; /* HOST or HOST:PORT */
	uint64_t rate;    /* bytes a second; 0: what the link takes */
	long reconnect_s; /* -1: as this host's settings say */
	bool no_free_drop;
	bool stay; /* prepared even when we are gone */
};

/* Has a migration prepared here and the other end asked whether it agrees.
 * Waits; then path is where QEMU is to connect to.  What fd then says is how
 * it goes.
 */
int control_prepare(int fd, const struct control_wish *wish, char path[108],
		    struct err *e) __attribute__((nonnull, warn_unused_result));
/* The sessions of this host, an array that the caller releases. */
json_t *control_status(int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int control_cancel(int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
