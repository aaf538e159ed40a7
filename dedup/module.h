/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MODULE_H
#define MIG_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A module of the Linux kernel, x86-64, as the kernel leaves it in memory: the
 * sections of an object file, one behind the other in the kernel's own order,
 * its references to itself filled in, calls of the tracer and jumps to the
 * return thunk patched, the table for stack traces sorted.  Laid out here at
 * one address for all and without the symbols of others, pages differ from
 * those of any guest in some words (virt-mig-protocol.7, "Modules").
 */
struct module {
	uint8_t *bytes; /* for free() */
	uint32_t npages;
	uint32_t nblocks; /* modules_read(): that were read for it */
};

/* The longest file, unpacked, and what it may be laid out to. */
#define MODULE_FILE_MAX  (64u << 20)
#define MODULE_PAGES_MAX 16384

/* The bytes that a module's file has whose first n these are; what may follow
 * them, its signature, is not loaded.  0 if that is no module.
 */
size_t module_file_bytes(const uint8_t *head, size_t n)
	__attribute__((nonnull));

/* Lays out the file of len bytes, which may be any: no pages if it makes no
 * sense.  Fails if memory is short.
 */
int module_lay_out(struct module *m, const uint8_t *file, size_t len,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
