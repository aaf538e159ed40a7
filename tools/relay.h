/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_RELAY_H
#define MIG_RELAY_H

#include <stdbool.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "common/newfile.h"
#include "memory/qemu-live.h"

/* What 'relay-send' and 'relay-receive' have in common. */

#define RELAY_RECONNECT_MS 60000

/* "60": seconds, as milliseconds. */
int relay_parse_seconds(const char *text, unsigned *ms, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The file that is the shadow: with 'keep' it gets that name at the end, else
 * it is one without a name in 'dir' (NULL: /var/tmp).  *fd is the session's.
 */
int relay_shadow(struct newfile *f, const char *keep, const char *dir, int *fd,
		 struct err *e)
	__attribute__((nonnull(1, 4, 5), warn_unused_result));
/* Gives it its name if it is to be kept. */
int relay_keep(struct newfile *f, bool kept, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A connection to there. */
int relay_connect(const struct endpoint *to, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The address space of the QEMU that has connected by itself: what
 * live_sender_config.memory wants.
 */
bool relay_memory(void *arg, int qemu_fd, struct qemu_maps *out)
	__attribute__((nonnull(3)));

#endif
