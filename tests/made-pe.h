/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_PE_H
#define MIG_MADE_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Programs and libraries for a made Windows guest: real files, or small ones
 * made here where there are none, laid out in memory as Windows does it.
 * Broken files are refused, not survived: these are for tests.
 */
struct pe_section {
	uint32_t rva, pages;         /* in memory */
	uint32_t offset, file_bytes; /* in the file */
	bool writable;
	bool discardable; /* not needed once it is loaded */
};

#define PE_SECTIONS_MAX 32

struct pe {
	uint8_t *file;
	size_t len;
	uint64_t base;      /* as linked */
	uint32_t image_len; /* in memory, whole pages */
	uint32_t headers;   /* bytes */
	struct pe_section sections[PE_SECTIONS_MAX];
	size_t nsections;
	uint32_t relocs, relocs_len; /* RVA of the table */
};

/* Reads a PE32+ file; false for what is none. */
bool pe_read(struct pe *pe, const char *path);
/* Reads up to most of the libraries that come with MinGW; none, if it is not
 * installed.
 */
size_t pe_read_installed(struct pe *pes, size_t most);
/* A file of so many pages of code and of tables of pointers; the kernel has a
 * section by that a kernel is known.
 */
void pe_make(struct pe *pe, unsigned code, unsigned tables, bool kernel,
	     uint64_t seed);
void pe_free(struct pe *pe);

/* The image as it stands in memory at that base: .image_len bytes from
 * malloc().  ImageBase in the header becomes the base, as Windows writes it.
 */
uint8_t *pe_load(const struct pe *pe, uint64_t base);

#endif
