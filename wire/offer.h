/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_OFFER_H
#define MIG_OFFER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "wire/plan.h"

/* How the two ends agree on what both hold.  The receiver offers what it has;
 * bases with equal roots are equal; of others the sender may want the digests
 * of their regions, and shares those that agree; then it says which of the
 * offered bases it will refer to, and under which numbers.
 */
#define OFFER_KEY_BYTES  32
#define OFFER_NAME_MAX   64
#define OFFER_HELD_BYTES (1 + 8 + DIGEST_BYTES + 1)
#define OFFER_BYTES_MIN  OFFER_KEY_BYTES
#define OFFER_BYTES_MAX                                                        \
	(OFFER_KEY_BYTES +                                                     \
	 (PLAN_BASES_MAX - 1) * (OFFER_HELD_BYTES + OFFER_NAME_MAX))

enum offer_kind {
	OFFER_IMAGE = 1,    /* a disk image */
	OFFER_MEMORY = 2,   /* memory kept from an earlier visit */
	OFFER_KERNEL = 3,   /* a kernel, unpacked from a disk image */
	OFFER_PROGRAMS = 4, /* programs of one, as in memory */
};

struct offer_held {
	uint8_t kind;
	uint64_t npages;
	struct digest root;
	char name[OFFER_NAME_MAX + 1]; /* for people; printable ASCII */
};

/* OFFER: the key under which fingerprints in queries are encrypted, then for
 * each base: kind (u8), pages (u64), root, length of the name (u8), name.
 */
struct offer {
	uint8_t key[OFFER_KEY_BYTES];
	struct offer_held held[PLAN_BASES_MAX - 1];
	size_t nheld;
};

int offer_put(struct buf *b, const struct offer *o, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int offer_get(struct span body, struct offer *o, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* WANT: base in the offer (u8), first region (u32), how many (u32).
 * REGIONS, the answer: their digests, as many as were wanted.
 */
#define WANT_BYTES  9
#define REGIONS_MAX 32768 /* 128 GiB of a base */

struct want {
	uint8_t held;
	uint32_t first, n; /* 1 .. REGIONS_MAX */
};

int want_put(struct buf *b, const struct want *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int want_get(struct span body, struct want *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int regions_put(struct buf *b, const struct digest *regions, uint32_t n,
		struct err *e) __attribute__((nonnull, warn_unused_result));
/* Exactly n of them. */
int regions_get(struct span body, struct digest *out, uint32_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* BASES: base i+1 of the frames is held[bases[i]] of the offer (u8 each).
 */
int bases_put(struct buf *b, const uint8_t *held, size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Each is < nheld, and none comes twice. */
int bases_get(struct span body, size_t nheld, uint8_t held[PLAN_BASES_MAX - 1],
	      size_t *n, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
