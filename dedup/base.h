/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BASE_H
#define MIG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "dedup/image.h"
#include "dedup/index.h"
#include "dedup/modules.h"
#include "memory/memory.h"
#include "wire/offer.h"

/* Pages that both ends hold and that references may name, by number. */
enum base_kind {
	BASE_HISTORY = 0,         /* pages of this session, already rebuilt */
	BASE_IMAGE = OFFER_IMAGE, /* a generation of a disk image */
	/* memory of this VM kept from an earlier visit */
	BASE_MEMORY = OFFER_MEMORY,
	/* a kernel as a disk image holds it (vmlinux.h) */
	BASE_KERNEL = OFFER_KERNEL,
	/* programs as one holds them (programs.h) */
	BASE_PROGRAMS = OFFER_PROGRAMS,
};

#define BASE_REGION_PAGES 1024 /* what is agreed upon at a time: 4 MiB */

struct base {
	enum base_kind kind;
	uint64_t npages;
	struct image *image;         /* BASE_IMAGE */
	const struct index *index;   /* BASE_IMAGE, where it is searched */
	const struct memory *memory; /* of all but images */
	struct modules *modules;     /* of programs; NULL: none */
	const uint8_t *regions;      /* bit r: region r is shared; NULL: all */
	const struct fingerprint *fps; /* of each page; NULL: not known */
};

/* Whether there is a page n >= npages, which is made of all of the base, and that
 * is shared: of a kernel as it runs, of a module.
 */
bool base_makes(const struct base *b, uint64_t n) __attribute__((nonnull));

static inline bool
base_shares(const struct base *b, uint64_t n)
{
	uint64_t r = n / BASE_REGION_PAGES;

	if (n >= b->npages)
		return base_makes(b, n);
	return (!b->regions || (b->regions[r / 8] >> r % 8 & 1));
}

/* The 4096 bytes of page n, which it shares, of anything but the history:
 * inside a mapping or, where there is none, in scratch.  NULL with *e filled when it
 * cannot be read.  One thread at a time for images that are not mapped.
 */
const uint8_t *base_page(const struct base *b, uint64_t n,
			 uint8_t scratch[4096], struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The fingerprint of page n where it is at hand, else NULL. */
const struct fingerprint *base_fingerprint(const struct base *b, uint64_t n)
	__attribute__((nonnull));

/* Bit i is set where bases[i] is laid out like the guest. */
uint32_t base_guest_like(const struct base *bases, size_t n)
	__attribute__((nonnull));

#endif
