/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LINUX_IMPL_H
#define MIG_LINUX_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/mmu.h"
#include "classify/vmcoreinfo.h"
#include "common/err.h"

struct guest;

/* What only the kernel's types tell.  Without them files are not told apart. */
struct linux_types {
	bool known;
	uint64_t page_index, space_host;
	uint64_t inode_data, inode_number, inode_size, inode_super, inode_rdev;
	uint64_t super_magic, super_name, super_uuid, super_dev, super_type;
	uint64_t type_name;
	uint64_t dirty, writeback, uptodate, reserved; /* masks of page.flags */
	/* Of struct per_cpu_pages; no lists: not known. */
	uint64_t percpu_count, percpu_lists, percpu_nlists;
};

/* How this kernel lays out what is read. */
struct linux_layout {
	uint64_t page_size; /* of struct page */
	uint64_t flags, mapping, private, mapcount, refcount, head;
	uint64_t list;      /* of page.lru */
	uint64_t head_flag; /* the first page of several */
	uint64_t slab_flag; /* 0: told by the type of the page */
	uint32_t type_mask; /* of page._mapcount where it holds a type */
	uint32_t buddy, slab, offline, table; /* such types; 0: not known */
	uint64_t section_bits, sections_per_root, nroots, section_size;
	uint64_t section_map, roots; /* virtual, of the top of the sections */
	uint64_t orders;             /* of blocks of free pages */
	uint64_t nodes, nnodes, node_zones, node_nzones, zone_size;
	uint64_t zone_area, area_size;
};

struct linux_tables {
	struct mmu mmu;
	struct vmcoreinfo info;
	struct linux_layout layout;
	struct linux_types types;
};

/* One struct page. */
struct linux_entry {
	uint64_t flags, prev, head, mapping, index, private;
	uint32_t type, refcount;
};

struct linux_entry linux_entry_read(const struct linux_tables *t,
				    const uint8_t *at) __attribute__((nonnull));
/* Whether page._mapcount holds that type; 0 is none. */
bool linux_is_type(const struct linux_layout *l, uint32_t type, uint32_t want)
	__attribute__((nonnull));
/* Where the struct pages of a section are, if it has any: that of page n of all
 * stands at *array + n * .page_size.
 */
bool linux_section(const struct linux_tables *t, uint64_t section,
		   uint64_t *array)
	__attribute__((nonnull, warn_unused_result));

/* Fills .layout from .info; false when something is missing or absurd. */
bool linux_layout_read(struct linux_tables *t)
	__attribute__((nonnull, warn_unused_result));
/* Fills .types from the types that stand in the kernel's image from gpa on.
 * Where there are none .types.known is false, which is no error.
 */
int linux_types_read(struct linux_tables *t, uint64_t gpa, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Whether the allocator's own count of free blocks of each size is found:
 * blocks[order].
 */
#define LINUX_ORDERS_MAX 16
bool linux_zones_count(const struct linux_tables *t,
		       uint64_t blocks[LINUX_ORDERS_MAX])
	__attribute__((nonnull, warn_unused_result));

/* The files that pages are cached from, by address of their mapping. */
struct linux_files {
	struct guest *guest;
	const struct linux_tables *tables;
	struct linux_file {
		uint64_t mapping; /* 0: none */
		uint64_t size;    /* of the file */
		uint32_t file;
		uint8_t class; /* CLASS_UNKNOWN: it is no mapping */
	} * slots;
	size_t nslots, used;
	const struct linux_file *last;
};

int linux_files_init(struct linux_files *f, struct guest *g,
		     const struct linux_tables *t, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void linux_files_fini(struct linux_files *f) __attribute__((nonnull));
/* NULL with *e filled when a call failed. */
const struct linux_file *linux_files_of(struct linux_files *f, uint64_t mapping,
					struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Free pages that each CPU keeps for itself: struct per_cpu_pages has lists of
 * them and counts them.  It is found by its lists.
 */
#define LINUX_HEADS_MAX 4096

struct linux_percpu {
	struct guest *guest;
	const struct linux_tables *tables;
	uint64_t array; /* of struct page, 0: not known */
	uint64_t end;   /* pages in it */
	uint64_t heads[LINUX_HEADS_MAX];
	size_t nheads;
	uint64_t looks; /* that are left */
};

/* A page that no one uses and that is first in a list at 'head'. */
void linux_percpu_note(struct linux_percpu *p, uint64_t head)
	__attribute__((nonnull));
/* Makes pages free that are in such lists; all others were classified. */
void linux_percpu_classify(struct linux_percpu *p) __attribute__((nonnull));

/* Fills the pages, files and volumes of the guest and its checks. */
int linux_pages_classify(struct guest *g, const struct linux_tables *t,
			 struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The clock of a kernel that runs (linux-clock.c). */
struct linux_clock {
	struct clock_word *words; /* that may be it */
	size_t nwords;
	uint64_t began_ns; /* when they were looked at first; 0: never */
	uint64_t ticks;    /* looks in which it had gone on */
};

int linux_clock_find(struct linux_clock *c, const struct linux_tables *t,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));
void linux_clock_close(struct linux_clock *c) __attribute__((nonnull));
/* Looks again at what may be the clock: true once some went at the rate of one.
 */
bool linux_clock_moves(struct linux_clock *c, const struct physical *m,
		       uint64_t now_ns) __attribute__((nonnull));
/* Whether it can be that it has not gone back since it was last looked at. */
bool linux_clock_holds(struct linux_clock *c, const struct physical *m)
	__attribute__((nonnull, warn_unused_result));

#endif
