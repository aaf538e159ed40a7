/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MEMORY_H
#define MIG_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/map.h"

/* A memory image: a file that holds a guest's memory among other bytes.
 *
 * The file is cut, without a gap and in file order, into segments: runs of
 * guest pages, and opaque bytes (headers, notes, device state).  Where pages
 * are compressed, repeated or left out in the file, what is mapped and cut is
 * another one, made from it (decoded.h), and 'file' below is that one.  Pages are
 * numbered from 0 in file order; the number of a page, not its guest-physical
 * address, is what the engine works with.  Read-only once open: any thread.
 */
struct memory_segment {
	uint64_t offset;     /* in the file; need not be a multiple of 4096 */
	uint64_t len;        /* bytes; a multiple of 4096 when is_pages */
	uint64_t first_page; /* number of the first page here, or of the next
				page in the file when not is_pages */
	uint64_t gpa;        /* guest-physical address, a multiple of 4096,
				when is_pages */
	bool is_pages;
};

/* Pages that follow each other both in the guest and in the file. */
struct memory_run {
	uint64_t gpa, npages, first_page;
};

struct memory {
	struct map map;
	const char *format; /* "raw", "elf", "windump", "windump, active memory
			       only": what is not in the file is named */
	struct memory_segment *segments;
	size_t nsegments;
	uint64_t npages;
	struct memory_run *by_gpa; /* in order of gpa, none in two of them */
	size_t nruns;
};

/* "GPA:OFFSET:LENGTH": where a raw file keeps what. */
struct memory_region {
	uint64_t gpa, offset, len;
};

/* Opens path and finds its format by content, never by name.  With regions
 * the file is taken as raw, whatever it begins with, and laid out as they
 * say; without, a raw file is laid out as QEMU's PC does (low memory, hole
 * below 4 GiB, the rest above).  A truncated or lying file is ERR_CORRUPT
 * naming the offset; a format that is known but not read, or regions that do
 * not fit the file, are ERR_USAGE.  On failure nothing stays open.
 */
int memory_open(struct memory *m, const char *path,
		const struct memory_region *regions, size_t nregions,
		struct err *e)
	__attribute__((nonnull(1, 2, 5), warn_unused_result));
/* As memory_open(), but so that the segments are the bytes of the file itself:
 * where the pages would have to be decoded first it is taken as raw.
 */
int memory_open_file(struct memory *m, const char *path,
		     const struct memory_region *regions, size_t nregions,
		     struct err *e)
	__attribute__((nonnull(1, 2, 5), warn_unused_result));
/* The guest's memory and nothing else, open as fd, which is the memory's even
 * on error: laid out by number, whatever it looks like.
 */
int memory_take(struct memory *m, int fd, const char *name, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* An ELF core, open as fd, which is the memory's even on error. */
int memory_take_core(struct memory *m, int fd, const char *name, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void memory_close(struct memory *m) __attribute__((nonnull));

/* Parses "GPA:OFFSET:LENGTH", each 0x..., decimal, or with K, M, G. */
int memory_region_parse(const char *text, struct memory_region *r,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* The 4096 bytes of page n < npages, inside the mapping. */
const uint8_t *memory_page(const struct memory *m, uint64_t n)
	__attribute__((nonnull));
/* The segment that holds page n < npages. */
const struct memory_segment *memory_segment_of(const struct memory *m,
					       uint64_t n)
	__attribute__((nonnull));
/* The number of the page that holds guest-physical address gpa; false if
 * there is none.  Where a file holds a page of the guest twice, one of them.
 */
bool memory_page_at(const struct memory *m, uint64_t gpa, uint64_t *n)
	__attribute__((nonnull));
/* The same in runs that are in order of gpa. */
bool memory_run_at(const struct memory_run *runs, size_t nruns, uint64_t gpa,
		   uint64_t *n) __attribute__((nonnull(4)));

#endif
