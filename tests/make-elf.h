/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_ELF_H
#define MIG_MAKE_ELF_H

#include <elf.h>
#include <string.h>

#include "common/mem.h"
#include "memory/memory.h"

/* Makes small ELF cores, right and wrong ones, for test-memory and
 * fuzz-elf: headers only, the caller fills in what they point to.
 */
static inline Elf64_Ehdr
make_elf_header(uint16_t nheaders)
{
	return (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = nheaders,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
}

static inline Elf64_Phdr
make_elf_load(struct memory_region r)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = r.offset,
		.p_paddr = r.gpa,
		.p_filesz = r.len,
		.p_memsz = r.len,
	};
}

/* The file header, then one note of 32 bytes and one program header for each
 * region; returns where they end.
 */
static inline size_t
make_elf(uint8_t *out, const struct memory_region *r, size_t n)
{
	Elf64_Ehdr h = make_elf_header((uint16_t)(n + 1));
	size_t at = sizeof(h);
	Elf64_Phdr p = { .p_type = PT_NOTE, .p_filesz = 32 };

	memcpy(out, &h, sizeof(h));
	p.p_offset = sizeof(h) + (n + 1) * sizeof(p);
	memcpy(out + at, &p, sizeof(p));
	at += sizeof(p);
	for (size_t i = 0; i < n; i++, at += sizeof(p)) {
		p = make_elf_load(r[i]);
		memcpy(out + at, &p, sizeof(p));
	}
	return at;
}

#endif
