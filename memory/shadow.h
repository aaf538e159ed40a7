/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SHADOW_H
#define MIG_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "memory/memory.h"

/* A guest's memory as it has been moved so far, with every page at its number,
 * zero before it comes.  Both ends of a live migration have one and write the
 * same pages in the same order.  It is in memory, or in a file where it would
 * take too much of it: that costs three times the CPU (ext4: 0.95 s per GiB that
 * is written, read and given back; memory: 0.33 s to touch it).
 */
struct shadow {
	uint8_t *data; /* NULL when closed or empty; to be read */
	struct memory memory;
	bool in_file;
	uint8_t *put; /* bit n: page n was put; others are not touched */
};

/* The largest guest, in bytes, whose shadow may be in memory on this host: a
 * third of what is available, since at the destination QEMU takes as much for
 * the guest itself.  0 where the kernel does not say.
 */
uint64_t shadow_room(void);

/* One of npages, in memory if it takes at most 'room' bytes, else in the
 * empty file fd, which is the shadow's, even if this fails.  ERR_LIMIT if the
 * file has no room.
 */
int shadow_open(struct shadow *s, int fd, uint64_t npages, uint64_t room,
		struct err *e) __attribute__((nonnull, warn_unused_result));
void shadow_close(struct shadow *s) __attribute__((nonnull));

/* Page n is this now; NULL: zeros. */
int shadow_put(struct shadow *s, uint64_t n, const uint8_t *page, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
/* The file is the guest's memory, which memory_open() reads as a raw one. */
int shadow_save(struct shadow *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
