/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_HELLO_H
#define MIG_HELLO_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

/* HELLO, the first message of both ends, sent at once by both: "virt-mig"
 * (8 bytes), newest version spoken (u16), oldest version spoken (u16),
 * features (u32), purpose (u8).  These stand at the same place in every
 * version; what a later one adds comes after them and is skipped.
 */
#define HELLO_MAGIC     "virt-mig"
#define HELLO_BYTES     17
#define HELLO_BYTES_MAX 256

#define HELLO_VERSION        4
#define HELLO_OLDEST_VERSION 4

enum hello_purpose {
	HELLO_MEMORY_IMAGE = 1, /* a file that holds a guest's memory */
	HELLO_LIVE = 2,         /* QEMU's stream of a running guest */
};

struct hello {
	uint16_t version, oldest;
	uint32_t features; /* bits; both ends use what both have set */
	uint8_t purpose;
};

/* The whole message. */
int hello_put(struct buf *b, const struct hello *h, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Its body.  ERR_PROTOCOL if it is no hello of virt-mig. */
int hello_get(struct span body, struct hello *h, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Whether two ends that said this can go on: ERR_VERSION, or ERR_PROTOCOL
 * where they are not here for the same purpose.
 */
int hello_check(const struct hello *ours, const struct hello *theirs,
		struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
