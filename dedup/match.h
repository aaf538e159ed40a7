/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MATCH_H
#define MIG_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "wire/plan.h"

/* Long matches between pages: parts of 64 bytes and more, at any pair of word
 * offsets, that stand in an earlier page.  The far-reaching half of a
 * compressor; the codec does the rest within a block.  Memory is made of
 * 8-byte words, so only word offsets are tried, which is several times
 * cheaper than all byte offsets for nearly the same matches.
 *
 * Positions are sampled by the value of their first word (one in 32), so that
 * the same content is sampled alike wherever it stands.
 * One thread at a time, in page order.
 */
struct match {
	uint32_t *slots; /* position + 1 by hash of four words */
	unsigned bits;
	struct plan_ref *pages; /* the page of each position / PAGE_WORDS */
	size_t npages, most;
	const uint8_t *(*page)(void *arg, struct plan_ref ref);
	void *arg;
};

/* Room for 'most' pages.  page() gives the bytes of an entered page again. */
int match_init(struct match *m, size_t most,
	       const uint8_t *(*page)(void *arg, struct plan_ref ref),
	       void *arg, struct err *e)
	__attribute__((nonnull(1, 3, 5), warn_unused_result));
void match_fini(struct match *m) __attribute__((nonnull));

/* Finds the copies in 'page' and enters the page, which is known as ref, for
 * later ones.  Returns the number of copies, in ascending order.
 */
unsigned match_page(struct match *m, const uint8_t *page, struct plan_ref ref,
		    struct plan_copy copies[PLAN_COPIES_MAX])
	__attribute__((nonnull));

#endif
