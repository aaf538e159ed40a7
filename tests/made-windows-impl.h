/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_WINDOWS_IMPL_H
#define MIG_MADE_WINDOWS_IMPL_H

#include "tests/made-windows.h"

/* What the files made-windows*.c share. */

/* _MMPFN.u3.e1.PageLocation */
enum pfn_location {
	PFN_ZEROED,
	PFN_FREE,
	PFN_STANDBY,
	PFN_MODIFIED,
	PFN_MODIFIED_NO_WRITE,
	PFN_BAD,
	PFN_ACTIVE,
	PFN_TRANSITION,
};

struct made_entry {
	uint64_t pte, original, frame, next, previous;
	uint8_t location, priority;
	bool exists, prototype, modified;
	bool is_cached; /* free, but a processor keeps it for itself */
};

uint64_t made_random(struct made_windows *w);
uint64_t made_take(struct made_windows *w);
void made_say(struct made_windows *w, uint64_t n, enum page_class class);
uint64_t made_pte(const struct made_windows *w, uint64_t va, unsigned level);
uint64_t *made_entry_of(struct made_windows *w, uint64_t root, uint64_t va,
			unsigned level, uint64_t *frame);
void made_map(struct made_windows *w, uint64_t root, uint64_t va, uint64_t n,
	      enum pfn_location location);
void made_map_large(struct made_windows *w, uint64_t va, uint64_t n);
uint64_t made_translate(struct made_windows *w, uint64_t va);
void made_put(struct made_windows *w, uint64_t va, const void *bytes, size_t n);
void made_put64(struct made_windows *w, uint64_t va, uint64_t v);
void made_put32(struct made_windows *w, uint64_t va, uint32_t v);
uint64_t made_alloc(struct made_windows *w, size_t n);
void made_fill(struct made_windows *w, uint64_t n, uint64_t pointers);

/* made-windows-pfn.c */

/* Whether page n belongs to a large page: of the kernel or of the database. */
bool made_is_reserved(const struct made_windows *w, uint64_t n);
/* The first page of the kernel's large pages. */
#define MADE_KERNEL_AT    0x1000
#define MADE_KERNEL_PAGES 1024
/* An invalid PTE as that build stores it. */
uint64_t made_invalid(const struct made_windows *w, uint64_t pte);
void made_map_database(struct made_windows *w);
/* Last: links the lists and writes every entry. */
void made_put_database(struct made_windows *w);

/* made-windows-file.c */
#define MADE_MODULES 4
/* The file of the i-th module, the kernel first; false after the last. */
bool made_module(const struct made_windows *w, size_t i, struct pe *pe);
void made_put_modules(struct made_windows *w);
void made_put_sections(struct made_windows *w);

#endif
