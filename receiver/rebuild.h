/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_REBUILD_H
#define MIG_REBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/base.h"
#include "wire/frame.h"
#include "wire/plan.h"

/* The unpacked streams of one frame to pages.  In order, one frame at a time:
 * a page may be made from any page rebuilt before it.
 */

/* One item of the frame's digest. */
struct rebuild_item {
	const uint8_t *at; /* a page or opaque bytes; NULL: a fill */
	uint64_t fill;
	uint32_t nbytes;     /* 0: a page */
	uint32_t head_len;   /* of a framed page */
	const uint8_t *head; /* NULL: it has none, unlike its number */
	uint64_t number;
};

/* Where rebuilt memory goes. */
struct rebuild_target {
	/* Room for the 4096 bytes of page n; NULL: there is no such page. */
	uint8_t *(*page)(void *arg, uint64_t n);
	/* What page n, rebuilt earlier, holds; NULL: no such page. */
	const uint8_t *(*history)(void *arg, uint64_t n);
	/* Opaque bytes number first .. first+n-1. */
	int (*bytes)(void *arg, uint64_t first, const uint8_t *bytes,
		     uint64_t n, struct err *e);
	/* NULL, or the target takes the pages of a framed batch, in any order
	 * and again: puts the head of the next page and says what it is, and
	 * then where the page goes (.page is not asked); NULL: nowhere, which
	 * only a page of zeros may.  false: there is no such page.
	 */
	bool (*place)(void *arg, const struct plan_place *p, bool zero,
		      struct rebuild_item *head, uint8_t **out);
	/* With .place: the page is rebuilt; NULL: zeros. */
	int (*done)(void *arg, uint64_t n, const uint8_t *page, struct err *e);
	void *arg;
};

#define REBUILD_ITEMS_MAX (FRAME_PAGES_MAX * 2 + 1)

struct rebuild {
	const struct base *bases;
	size_t nbases;
	struct rebuild_target target;
	/* out: REBUILD_ITEMS_MAX of them are the caller's */
	struct rebuild_item *items;
	size_t nitems;
};

static inline bool
rebuild_is_framed(const struct rebuild *r)
{
	return r->target.place;
}

/* Rebuilds the frame into the target.  Fails with ERR_PROTOCOL when the
 * streams say what they may not, or as base_page() did.
 */
int rebuild_frame(struct rebuild *r, const struct frame *f,
		  const struct span streams[STREAM__MAX], struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
