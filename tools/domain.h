/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DOMAIN_H
#define MIG_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What libvirt on this host knows of a VM: the only source of the names of
 * files that belong to it.
 */
#define DOMAIN_LAYERS_MAX 64

struct domain_layer {
	char *path, *format;
	bool active; /* the guest may write to it */
};

struct domain {
	char name[128];
	uint64_t memory_bytes;
	/* All disks, each with its backing files after it. */
	struct domain_layer layers[DOMAIN_LAYERS_MAX];
	size_t nlayers;
};

/* The disks that a domain's XML names, as far as they are files or devices of
 * this host.
 */
int domain_parse(const char *xml, size_t len, struct domain *d, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void domain_free(struct domain *d) __attribute__((nonnull));

/* The domain of that UUID, by asking libvirt at uri.  incoming: it must be
 * there, paused, to be migrated to; ERR_USAGE else.
 */
int domain_look_up(const char *uri, const uint8_t uuid[16], bool incoming,
		   struct domain *d, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
