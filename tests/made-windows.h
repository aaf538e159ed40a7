/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_WINDOWS_H
#define MIG_MADE_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/made-pe.h"

#include "classify/class.h"

/* SYNTHETIC: the memory of a Windows guest that never ran.  Its page tables,
 * PFN database, lists, sections and files are laid out as the published
 * structures of that build say, so it shows that they are read as documented,
 * not that Windows is as documented.  What each page is, is known.
 */
struct made_config {
	unsigned build; /* 7601 .. 26100 */
	uint64_t bytes; /* of memory: 48 MiB or more; with an even seed 8 */
	uint64_t seed;
	/* Images to load, as many as fit into a third of it. */
	const struct pe *pes;
	size_t npes;
};

struct made_file {
	char name[64]; /* "": paged out */
	uint64_t base; /* of an image */
};

#define MADE_FILES_MAX 512

struct made_truth {
	uint8_t class, flags, priority;
	bool list_only; /* zeroed by its list, but not by its content */
	uint16_t file;  /* place in .files, from 1 on; 0: none */
	uint32_t index;
};

struct made_entry; /* one page, as the PFN database will have it */

struct made_windows {
	struct made_config config;
	uint64_t random;
	uint8_t *ram;       /* as a memory file has it, without the hole */
	uint64_t low, high; /* page numbers: end of low memory, of memory */
	struct made_truth *truth; /* by physical page number, high of them */
	struct made_entry *entries;
	struct made_file files[MADE_FILES_MAX];
	size_t nfiles;
	uint64_t *stack; /* pages not yet used, in no order */
	size_t nstack;
	uint64_t root, self, pte_base, pfn_base, pool, pool_end, modules;
	uint64_t processes[2]; /* their top tables */
};

enum made_container {
	MADE_RAW,
	MADE_FULL,
	MADE_BITMAP,
	MADE_ELF,
	MADE__MAX
};

/* Aborts where there is no memory. */
void made_windows_init(struct made_windows *w, const struct made_config *c);
void made_windows_fini(struct made_windows *w);
/* "raw", "full", ... */
const char *made_container_name(enum made_container c);
/* Writes the memory to fd, from its beginning. */
bool made_windows_write(const struct made_windows *w, enum made_container c,
			int fd);
/* Writes a disk image that holds the files, each at a multiple of 4 KiB. */
bool made_windows_disk(const struct made_windows *w, int fd);
/* The physical page n, which is not in the hole. */
uint8_t *made_page(const struct made_windows *w, uint64_t n);

#endif
