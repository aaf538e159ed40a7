/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VMCOREINFO_H
#define MIG_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/physical.h"

/* What a Linux kernel writes down for those who read its memory after a
 * crash: a page of lines such as "SYMBOL(_stext)=ffffffff81000000" that it
 * keeps from its start on.
 */
#define VMCOREINFO_MAX 8192

struct vmcoreinfo {
	char text[VMCOREINFO_MAX]; /* ends in NUL */
	size_t len;
};

/* Finds the next text at or after page k of run i, counted in *run and *page,
 * and moves them past it.  Copies of one text come one by one; so does what
 * an earlier kernel left.  False at the end.
 */
bool vmcoreinfo_find(const struct physical *p, size_t *run, uint64_t *page,
		     struct vmcoreinfo *v)
	__attribute__((nonnull, warn_unused_result));

/* Takes n bytes at at as such a text, up to its NUL; false if they are none.
 */
bool vmcoreinfo_take(struct vmcoreinfo *v, const void *at, size_t n)
	__attribute__((nonnull, warn_unused_result));

/* The value of a line: of SYMBOL and KERNELOFFSET in base 16, of others in
 * base 10, where those below zero wrap around.  False if there is none.
 */
bool vmcoreinfo_get(const struct vmcoreinfo *v, const char *key,
		    uint64_t *value)
	__attribute__((nonnull, warn_unused_result));
/* The text of a line; an empty one if there is none or it is too long. */
void vmcoreinfo_text(const struct vmcoreinfo *v, const char *key, char *out,
		     size_t cap) __attribute__((nonnull));

#endif
