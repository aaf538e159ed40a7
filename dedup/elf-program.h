/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ELF_PROGRAM_H
#define MIG_ELF_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A Linux program or library (ELF, x86-64) as the dynamic linker leaves it in
 * memory: into its data go the addresses of its own parts.  Laid out here at
 * one address for all, pages differ from those of any guest in where pointers
 * point.  Pages that need no such thing are blocks of the disk, and left out.
 */
struct elf_program {
	/* Reads n bytes of the file; false when they are not there. */
	bool (*read)(void *arg, uint64_t offset, void *out, size_t n);
	/* Takes one page. */
	int (*page)(void *arg, const uint8_t page[4096], struct err *e);
	void *arg;
};

/* Whether a file that begins like this may have such pages. */
bool elf_program_starts(const uint8_t head[4096]) __attribute__((nonnull));

/* Lays out the file whose first 4096 bytes are 'head': what makes no sense in
 * it is passed over.  Fails if .page fails or memory is short.
 */
int elf_program_pages(const uint8_t head[4096], const struct elf_program *p,
		      struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
