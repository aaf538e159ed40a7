/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_WINDOWS_IMPL_H
#define MIG_WINDOWS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classify/guest.h"
#include "classify/mmu.h"
#include "common/err.h"

/* What the files windows-*.c share: the tables of 64-bit Windows, 7 to 11, by
 * what is the same in all of them or tells the versions apart by itself.  No
 * symbols, no build numbers; whatever is read must prove itself.
 */
struct windows {
	const struct physical *memory; /* borrowed */
	struct mmu mmu;
	uint64_t pte_base; /* where the page tables map themselves */
	uint32_t major, minor, build;
	/* The PFN database: one entry for each physical page. */
	const struct pfn_layout *layout;
	bool is_old;       /* before Windows 10 */
	uint64_t pfn_base; /* virtual */
	uint64_t npfns;
	uint64_t *pfn_pages; /* physical, of each 4 KiB of it; 0: not there */
	uint64_t npfn_pages;
	struct windows_sections *sections;
	struct windows_module *modules; /* by base */
	size_t nmodules;
};

/* 512 GiB of addresses in which every PTE has its place. */
#define WINDOWS_PTES_BYTES (UINT64_C(1) << 39)

/* windows-find.c: the page tables and the version. */

/* Fills .mmu, .pte_base and the version from the first top table after
 * physical address *from that maps what Windows maps; false if there is none.
 * *from becomes where to look on.
 */
bool windows_find_root(struct windows *w, uint64_t *from)
	__attribute__((nonnull, warn_unused_result));
/* The virtual address of the entry that maps va. */
uint64_t windows_pte_of(const struct windows *w, uint64_t va)
	__attribute__((nonnull));
/* A place inside the self-map. */
bool windows_is_pte(const struct windows *w, uint64_t pte)
	__attribute__((nonnull));
/* What the PTE at that virtual address maps. */
uint64_t windows_va_of(const struct windows *w, uint64_t pte)
	__attribute__((nonnull));

/* windows-pfn.c: the PFN database. */

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

struct pfn {
	uint64_t pte;            /* virtual, of the PTE that maps the page */
	uint64_t original;       /* what that PTE becomes without the page */
	uint64_t frame;          /* the page that holds the PTE */
	uint64_t next, previous; /* in its list */
	uint16_t references;
	uint8_t location, priority;
	bool modified, prototype;
};

/* Finds the database and its layout in the page tables; fills .layout, .is_old and
 * all .pfn_*.  False with e->code ERR_NONE if there is none.
 */
bool windows_find_pfns(struct windows *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Which versions have the layout that was found. */
const char *windows_layout_name(const struct windows *w)
	__attribute__((nonnull));
/* The entry of one page; false if the database has none. */
bool windows_pfn(const struct windows *w, uint64_t n, struct pfn *out)
	__attribute__((nonnull, warn_unused_result));
/* How many page tables, of those that were looked at, have the entry that
 * they must have.
 */
void windows_pfns_agree(const struct windows *w, uint64_t *agree,
			uint64_t *looked) __attribute__((nonnull));
/* Whether page n, which its entry p says is free, is so for all that can be
 * known: nobody counts on it, its neighbours in the list are free and name
 * it, and its last PTE has let it go.
 */
bool windows_is_free(const struct windows *w, uint64_t n, const struct pfn *p)
	__attribute__((nonnull));

/* windows-section.c: from a prototype PTE to the file behind it. */

/* A part of a mapped file or shared memory. */
struct section {
	uint64_t address; /* of the subsection; 0: an empty slot */
	bool valid;
	enum page_class class; /* IMAGE, FILE or SHMEM */
	uint32_t file;
	uint64_t ptes, nptes; /* of the subsection */
	uint64_t first;       /* index of the first page */
};

struct windows_sections {
	struct section *slots;
	size_t n, room; /* a power of two */
	uint64_t asked, valid;
};

int windows_sections_new(struct windows *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void windows_sections_free(struct windows *w) __attribute__((nonnull));
/* The section of a page with a prototype PTE: NULL with e->code ERR_NONE if it
 * does not prove itself.  Its file is added to g when first seen.
 */
const struct section *windows_section(struct windows *w, struct guest *g,
				      const struct pfn *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* windows-module.c: the kernel and its drivers. */
struct windows_module {
	uint64_t base, len;
	uint32_t file;
};

/* Finds what is loaded; what cannot be found is not in the list.  false in
 * *sound: the list broke its own rules.
 */
int windows_find_modules(struct windows *w, struct guest *g, bool *sound,
			 struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The module that has that address, or NULL. */
const struct windows_module *windows_module_at(const struct windows *w,
					       uint64_t va)
	__attribute__((nonnull));

/* A UNICODE_STRING at va as UTF-8 from malloc(); NULL if it is not there, is
 * no string, or there is no memory.
 */
char *windows_string(const struct windows *w, uint64_t va)
	__attribute__((nonnull));

#endif
