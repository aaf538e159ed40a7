/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_RELAY_H
#define MIG_RELAY_H

#include <stdbool.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "common/newfile.h"
#include "memory/qemu-live.h"
#include "tools/transfer.h"

/* What 'relay-send' and 'relay-receive' have in common. */

/* The options that both take, beside those of any transfer. */
enum relay_option {
	RELAY_KEEP = 2000,
	RELAY_RECONNECT,
	RELAY_SHADOW_DIR,
};

/* clang-format off */
#define RELAY_OPTIONS                                                          \
	{ "keep", required_argument, NULL, RELAY_KEEP },                       \
	{ "reconnect-timeout", required_argument, NULL, RELAY_RECONNECT },     \
	{ "shadow-dir", required_argument, NULL, RELAY_SHADOW_DIR }
/* clang-format on */
extern const char relay_usage[];

struct relay {
	const char *name; /* of the verb */
	struct transfer transfer;
	const char *keep, *shadow_dir;
	unsigned reconnect_ms;
	struct newfile file; /* that gets the name .keep at the end */
};

void relay_init(struct relay *r, const char *verb) __attribute__((nonnull));
void relay_close(struct relay *r) __attribute__((nonnull));
int relay_set(struct relay *r, int option, const char *value, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));

/* The file for the shadow: what is kept, or one without a name. *fd is the
 * session's.
 */
int relay_shadow(struct relay *r, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The guest has moved: the memory of it gets its name if it is kept; if not,
 * the user is told.
 */
void relay_keep(struct relay *r, bool kept) __attribute__((nonnull));
/* A connection to there. */
int relay_connect(const struct endpoint *to, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The address space of the QEMU that has connected by itself: what
 * live_sender_config.memory wants.
 */
bool relay_memory(void *arg, int qemu_fd, struct qemu_maps *out)
	__attribute__((nonnull(3)));

#endif
