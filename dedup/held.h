/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_HELD_H
#define MIG_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "dedup/base.h"
#include "dedup/index-build.h"

/* Something that this end holds and pages may be taken from: open, and named
 * by digests, so that two ends can find out what they both hold.  Read-only
 * once open: any thread.
 */
struct held {
	struct base base; /* .regions is NULL: all of it */
	struct digest root;
	const struct digest *regions; /* of each 4 MiB, over fingerprints */
	size_t nregions;
	const char *name; /* the last part of the path */
	/* What the above points into. */
	struct image *image;
	struct index *index;
	struct memory memory;
	struct fingerprint *own_fps;
	struct digest *own_regions;
	struct modules *modules;
};

/* A disk image, with the index at its default place, built there first if it
 * is not that of this generation.  format as for image_open_as().  A path
 * must outlive what was opened from it.
 */
int held_open_image(struct held *h, const char *path, const char *format,
		    const struct index_how *how, struct err *e)
	__attribute__((nonnull(1, 2, 4, 5), warn_unused_result));
/* A disk image and its index, lent to a process that can open nothing.  The
 * lender keeps the loan until that process is done.
 */
struct held_loan {
	const char *format;
	int disk, index; /* open files; the disk's may be a connection */
	int programs;    /* likewise, -1: none are kept */
	struct child server;
};

/* Lends an image that has an index of this generation at the default place;
 * ERR_USAGE where it has none.  format as for image_open_as().
 */
int held_lend(struct held_loan *loan, const char *path, const char *format,
	      struct err *e)
	__attribute__((nonnull(1, 2, 4), warn_unused_result));
void held_loan_close(struct held_loan *loan) __attribute__((nonnull));
/* Takes what held_lend() lent: the two descriptors are the image's even on
 * error.  name must outlive it.
 */
int held_take_image(struct held *h, const char *name, const char *format,
		    int disk, int index, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A memory image; how->report gets pages.  All of it is read. */
int held_open_memory(struct held *h, const char *path,
		     const struct memory_region *regions, size_t nregions,
		     const struct index_how *how, struct err *e)
	__attribute__((nonnull(1, 2, 5, 6), warn_unused_result));
/* The root that held_open_memory() would find. */
int held_root(const struct memory *m, struct digest *root, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The memory of a VM that this host kept, open as fd, which is the base's even
 * on error.
 */
int held_take_memory(struct held *h, const char *name, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* How many kernels an open image seems to hold. */
size_t held_kernels(const struct held *image) __attribute__((nonnull));
/* The i-th kernel that an open image holds; the image stays open longer.
 * Kernels in pieces that are not known or packed in unknown ways are errors, to
 * be passed over.
 */
int held_open_kernel(struct held *h, const struct held *image, size_t i,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The programs that an open image holds, which may have to be looked for; an
 * error where there are none, to be passed over.
 */
int held_open_programs(struct held *h, const struct held *image,
		       const struct index_how *how, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* What a receiver that holds these says of them (n < PLAN_BASES_MAX). */
void held_offer(const struct held *held, size_t n,
		const uint8_t key[OFFER_KEY_BYTES], struct offer *out)
	__attribute__((nonnull(3, 4)));
/* Those that held_lend() lent with the image; fd is the base's even on error.
 */
int held_take_programs(struct held *h, const struct held *image, int fd,
		       struct err *e)
	__attribute__((nonnull, warn_unused_result));
void held_close(struct held *h) __attribute__((nonnull));

#endif
