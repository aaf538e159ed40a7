/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MODULES_H
#define MIG_MODULES_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "dedup/image.h"
#include "dedup/module.h"
#include "memory/memory.h"

/* The kernel modules that a disk image holds (module.h).  There are thousands,
 * and a guest has loaded eighty: so only a list of them is kept, behind the
 * programs (programs.h), and each is laid out when one of its pages is asked
 * for.  Their pages are numbered on from the base's own.  The list also has for
 * each page the hashes of some lines of it, by which pages of a guest are found
 * to be alike.
 */
#define MODULES_LINES     8
#define MODULES_PAGES_MAX (1u << 20)

/* The hash of line k of a page; 0 if it is one word repeated. */
uint32_t modules_line(const uint8_t page[4096], unsigned k)
	__attribute__((nonnull));

/* Lays out the module whose file begins at that block, packed or not; no pages
 * if there is none.
 */
int modules_read(struct module *m, struct image *img, uint64_t block,
		 const uint8_t head[4096], struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* A list under way. */
struct modules_list {
	struct buf modules, lines;
	uint32_t n, npages;
};

void modules_list_init(struct modules_list *l) __attribute__((nonnull));
void modules_list_fini(struct modules_list *l) __attribute__((nonnull));
/* Adds a module, unless there are too many. */
int modules_list_add(struct modules_list *l, uint64_t block,
		     const struct module *m, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The list as whole pages, in l->modules; nothing if it is empty. */
int modules_list_end(struct modules_list *l, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The modules of an image by the list at the end of its programs, NULL if that
 * has none or makes no sense.  Both must stay open longer.
 */
struct modules *modules_new(const struct memory *programs, struct image *img);
void modules_free(struct modules *ms);

uint32_t modules_npages(const struct modules *ms) __attribute__((nonnull));
/* modules_line(k) of page n < modules_npages(). */
uint32_t modules_line_of(const struct modules *ms, uint32_t n, unsigned k)
	__attribute__((nonnull));
/* Makes page n < modules_npages(); ERR_CORRUPT where the image holds another
 * module now, or none.  Any thread.
 */
int modules_page(struct modules *ms, uint32_t n, uint8_t out[4096],
		 struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
