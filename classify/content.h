/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CONTENT_H
#define MIG_CONTENT_H

#include <stdint.h>

/* What a page looks like when nothing is known of the guest that it comes
 * from.  A guess for reports; nothing may depend on it being right.
 */
enum content_class {
	CONTENT_ZERO,
	CONTENT_FILL,     /* one word, repeated */
	CONTENT_TABLE,    /* entries of an x86-64 page table */
	CONTENT_SPARSE,   /* mostly zero words */
	CONTENT_TEXT,     /* mostly printable ASCII */
	CONTENT_UTF16,    /* the same in UTF-16 */
	CONTENT_CODE,     /* x86-64 instructions */
	CONTENT_POINTERS, /* among other words, many pointers */
	CONTENT_DENSE,    /* compressed or encrypted */
	CONTENT_MIXED,    /* none of these */
	CONTENT__MAX
};

/* "zero", "fill", ... */
const char *content_name(enum content_class c);
/* The class of 4096 bytes at any address. */
enum content_class content_of(const uint8_t *page) __attribute__((nonnull));

#endif
