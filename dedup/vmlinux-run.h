/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VMLINUX_RUN_H
#define MIG_VMLINUX_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "memory/memory.h"

/* How a kernel differs, once it runs, from what its file holds: it was moved
 * to a random address, calls of its tracer were made no-operations, and where
 * the CPU needs no return thunks, so were jumps to them.  The file says where:
 * a table of relocations stands behind the packed ELF file, the section
 * .return_sites in it.  From these a table of sites is made, which stands
 * behind the kernel's own pages (virt-mig-protocol.7, "A kernel as it runs"):
 * so both ends agree on it as on any page.
 *
 * With npages pages in all, number v * npages + k is page k of the kernel as
 * it runs in way v; way 0 is as it was laid out.
 */
#define VMLINUX_SLIDE    (2u << 20) /* addresses are multiples of this, */
#define VMLINUX_SLIDES   512        /* below 1 GiB */
#define VMLINUX_WAYS     (1 + 2 * VMLINUX_SLIDES)
#define VMLINUX_RUN_ROOM 32 /* bytes that end the table */

/* The most bytes that the table of this ELF file may take; 0: it has none. */
size_t vmlinux_run_bound(const uint8_t *elf, size_t len)
	__attribute__((nonnull));
/* Writes the table of a kernel whose npages pages, from physical address low
 * on, stand before it, into so much room (vmlinux_run_bound(), in whole
 * pages).  Returns how many pages it takes; 0: what the file says makes no
 * sense, and the kernel is good as it is only.
 */
uint64_t vmlinux_run_table(const uint8_t *elf, size_t len, uint64_t low,
			   uint8_t *pages, uint64_t npages, uint64_t room)
	__attribute__((nonnull));

/* How many of its pages are the kernel's own. */
uint64_t vmlinux_run_pages(const struct memory *kernel)
	__attribute__((nonnull));
/* Whether n numbers a page of the kernel as it runs in some way. */
bool vmlinux_run_has(const struct memory *kernel, uint64_t n)
	__attribute__((nonnull));
/* Makes that page. */
void vmlinux_run_make(const struct memory *kernel, uint64_t n,
		      uint8_t out[4096]) __attribute__((nonnull));
/* In which way the kernel runs whose page k stands there: 0 if this page does
 * not tell.
 */
unsigned vmlinux_run_way(const struct memory *kernel, uint64_t k,
			 const uint8_t page[4096]) __attribute__((nonnull));

#endif
