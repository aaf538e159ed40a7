/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MEMORY_IMPL_H
#define MIG_MEMORY_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct map;
struct memory;
struct memory_region;

/* What one file format gives to memory.c. */
struct memory_format {
	const char *name;
	/* The mapped file begins like this format; raw has no such mark. */
	bool (*is)(const struct map *map);
	/* The pages do not stand in the file as they are: lay_out() maps
	 * another one (decoded.h).
	 */
	bool decodes;
	/* Finds where the file keeps the guest's pages and ends in
	 * memory_lay_out().  Only m->map and m->format are set before; a file
	 * that leaves pages out says so in m->format.
	 */
	int (*lay_out)(struct memory *m, struct err *e);
	/* Instead of lay_out() where the pages are in a file beside that one. */
	int (*lay_out_beside)(struct memory *m, const char *path,
			      struct err *e);
};

extern const struct memory_format memory_elf, memory_kdump, memory_libvirt_save,
	memory_lime, memory_qemu_stream, memory_raw, memory_vmware,
	memory_windump;

/* Where the low memory of QEMU's PC with 'len' bytes of memory ends; the rest
 * begins at 4 GiB.  Without q35 it is a "pc".
 */
uint64_t memory_low_end(bool q35, uint64_t len);

/* A raw file with regions that the user named. */
int memory_raw_regions(struct memory *m, const struct memory_region *regions,
		       size_t nregions, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));

/* Cuts the mapped file into segments: the pages that the n regions hold, and
 * everything else as opaque bytes.  Regions come in any order and are sorted
 * in place; they need not be whole pages: what sticks out over page-aligned
 * guest addresses is opaque.  Regions may overlap where they agree on the
 * address of every byte.  Those that disagree, leave the file or wrap around
 * are an error with the code 'blame'.
 */
int memory_lay_out(struct memory *m, struct memory_region *regions, size_t n,
		   enum err_code blame, struct err *e)
	__attribute__((nonnull(1, 5), warn_unused_result));

#endif
