/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LOOKUP_H
#define MIG_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "dedup/base.h"
#include "dedup/table.h"
#include "wire/plan.h"

/* Finds pages of the bases that are equal to a page, or equal but for moved
 * pointers.  Whatever it returns was compared byte by byte (or, for an image
 * that is not mapped, by fingerprint).  One thread at a time.
 */
#define LOOKUP_PLACES 4
#define LOOKUP_HELD   4
#define LOOKUP_REFS   (LOOKUP_PLACES + 1)

struct lookup {
	const struct memory *memory;
	const struct base *bases;
	size_t nbases;
	size_t kept; /* the BASE_MEMORY base; 0: none that is here */
	/* Bases laid out like the guest: page n of the memory at guest-physical
	 * address a stands in them at a - shift.  The kept memory comes first.
	 * A kernel that is seen to run is looked for as it runs, in that way.
	 */
	struct lookup_place {
		size_t base;
		uint64_t shift;
		unsigned way; /* vmlinux-run.h; 0: not known */
	} places[LOOKUP_PLACES];
	size_t nplaces;
	/* Live: kernels that were not found yet; pages are still to come. */
	size_t unplaced[LOOKUP_PLACES], nunplaced;
	/* Live: bit n: the history holds page n, as it was sent; the kept
	 * memory numbers its pages alike.
	 */
	uint8_t *seen;
	struct table sent, sent_normal; /* of the history */
	/* Of the kept memory and of programs, which stand anywhere. */
	struct lookup_held {
		size_t base;
		struct table equal, normal;
	} held[LOOKUP_HELD];
	size_t nheld;
	/* Of the modules of programs: which page has such a line. */
	struct lookup_modules {
		size_t base;
		struct table lines;
		uint64_t *may; /* a bit for some of a line: fits the cache */
	} modules[LOOKUP_HELD];
	size_t nmodules;
	struct plan_ref expect; /* the block after the last image reference */
};

/* live: pages come in any order and again. */
int lookup_init(struct lookup *l, const struct memory *memory,
		const struct base *bases, size_t nbases, bool live,
		struct err *e) __attribute__((nonnull, warn_unused_result));
void lookup_fini(struct lookup *l) __attribute__((nonnull));

/* Live: the history holds page n from now on. */
void lookup_sent(struct lookup *l, uint64_t n) __attribute__((nonnull));
/* The pages that were or should be where page n of the memory is, the likeliest
 * first: of the history, of the kept memory, of a kernel.  Returns how many.
 */
size_t lookup_places(const struct lookup *l, uint64_t n,
		     struct plan_ref refs[LOOKUP_REFS])
	__attribute__((nonnull));

/* A page that is looked for: not one word repeated. */
struct lookup_page {
	const uint8_t *bytes;
	uint64_t number;
	uint64_t hint; /* its digest_hint(), once hashed */
	bool hashed;
};

/* Whether hashing pages ahead pays: not where most are expected in place. */
bool lookup_looks_ahead(const struct lookup *l) __attribute__((nonnull));
/* Hashes the page and starts loading what lookup_equal() will look at: call it
 * some pages ahead.
 */
void lookup_ahead(const struct lookup *l, struct lookup_page *p)
	__attribute__((nonnull));
/* A page equal to p, which is hashed when there is none. */
bool lookup_equal(struct lookup *l, struct lookup_page *p, struct plan_ref *ref)
	__attribute__((nonnull));

/* A page that differs only in where its pointers point; 'normal' is the
 * normal_hash() of this one.
 */
bool lookup_moved(const struct lookup *l, const uint8_t *page, uint64_t normal,
		  struct plan_ref *ref, struct plan_move *m)
	__attribute__((nonnull));

/* A page of a kernel module that this one is alike, and in which words it
 * differs.
 */
bool lookup_alike(const struct lookup *l, const uint8_t *page,
		  struct plan_ref *ref, struct plan_delta *d)
	__attribute__((nonnull));

/* The bytes of a page of any base but an image; scratch may get them. */
const uint8_t *lookup_bytes(const struct lookup *l, struct plan_ref ref,
			    uint8_t scratch[4096]) __attribute__((nonnull));

#endif
