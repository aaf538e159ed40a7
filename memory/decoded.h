/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DECODED_H
#define MIG_DECODED_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

struct memory;
struct memory_region;

/* The memory of a file whose pages do not stand in it as they are: put
 * together page by page in a file without a name, in $TMPDIR or /var/tmp, that
 * is gone when it is closed.  Pages that nobody puts are zero and take no
 * room.
 */
#define DECODED_PAGES_MAX (1ull << 30) /* 4 TiB */

struct decoded {
	int fd; /* -1 while not open */
	uint64_t npages;
	uint64_t *put; /* a bit for each page that was put and not zero */
};

/* An empty file there: its descriptor, or -1. */
int temporary_open(struct err *e) __attribute__((nonnull, warn_unused_result));
int temporary_write(int fd, uint64_t at, const uint8_t *bytes, size_t n,
		    struct err *e)
	__attribute__((nonnull(5), warn_unused_result));

/* Memory for so many pages.  On failure nothing stays open. */
int decoded_open(struct decoded *d, uint64_t npages, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The 4096 bytes of page n < npages.  What is put last counts. */
int decoded_put(struct decoded *d, uint64_t n, const uint8_t *page,
		struct err *e) __attribute__((nonnull, warn_unused_result));
int decoded_put_zero(struct decoded *d, uint64_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Makes it the memory in place of the file that m has mapped: page n stands at
 * offset n * 4096, the opaque bytes after all pages, and the regions say what
 * is where in the guest.
 */
int decoded_lay_out(struct decoded *d, struct span opaque, struct memory *m,
		    struct memory_region *regions, size_t nregions,
		    struct err *e)
	__attribute__((nonnull(1, 3, 6), warn_unused_result));
void decoded_close(struct decoded *d) __attribute__((nonnull));

#endif
