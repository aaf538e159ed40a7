/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_PROGRAM_H
#define MIG_MAKE_PROGRAM_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "common/page.h"

/* A library of three pages: headers and tables, then two pages of data from
 * virtual address 0x5010 on, of which the dynamic linker changes the first.
 */
#define PROGRAM_FILE  (3 * PAGE_BYTES - 0x100)
#define PROGRAM_DATA  UINT64_C(0x5010)
#define PROGRAM_RELA  0x800
#define PROGRAM_SYMS  0xa00
#define PROGRAM_RELR  0xb00
#define PROGRAM_TABLE 0x1800 /* of the dynamic linker, in the data */

static inline void
program_header(uint8_t *file, unsigned i, uint32_t type, uint32_t flags,
	       uint64_t offset, uint64_t va, uint64_t len)
{
	Elf64_Phdr p = { .p_type = type,
			 .p_flags = flags,
			 .p_offset = offset,
			 .p_vaddr = va,
			 .p_filesz = len,
			 .p_memsz = len };

	memcpy(file + sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static inline void
program_rela(uint8_t *file, unsigned i, uint64_t va, uint32_t symbol,
	     uint32_t type, int64_t addend)
{
	Elf64_Rela r = { .r_offset = va,
			 .r_info = ELF64_R_INFO((uint64_t)symbol, type),
			 .r_addend = addend };

	memcpy(file + PROGRAM_RELA + i * sizeof(r), &r, sizeof(r));
}

static inline void
program_make(uint8_t file[PROGRAM_FILE])
{
	const Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
					    ELFCLASS64, ELFDATA2LSB },
			       .e_type = ET_DYN,
			       .e_machine = EM_X86_64,
			       .e_phoff = sizeof(h),
			       .e_phentsize = sizeof(Elf64_Phdr),
			       .e_phnum = 3 };
	const Elf64_Dyn d[] = {
		{ DT_RELA, { PROGRAM_RELA } },
		{ DT_RELASZ, { 4 * sizeof(Elf64_Rela) } },
		{ DT_RELR, { PROGRAM_RELR } },
		{ DT_RELRSZ, { 16 } },
		{ DT_SYMTAB, { PROGRAM_SYMS } },
		{ DT_NULL, { 0 } },
	};
	const Elf64_Sym own = { .st_shndx = 7, .st_value = 0x1234 };
	const uint64_t relr[] = { 0x5100, 1 | 1 << 1 | 1 << 3 };
	const uint64_t len = PROGRAM_FILE - PAGE_BYTES - 0x10;

	for (unsigned i = 0; i < PROGRAM_FILE; i++)
		file[i] = (uint8_t)(i >> 4);
	memcpy(file, &h, sizeof(h));
	program_header(file, 0, PT_LOAD, PF_R, 0, 0, PAGE_BYTES);
	program_header(file, 1, PT_LOAD, PF_R | PF_W, PAGE_BYTES + 0x10,
		       PROGRAM_DATA, len);
	program_header(file, 2, PT_DYNAMIC, PF_R | PF_W, PROGRAM_TABLE,
		       PROGRAM_TABLE + 0x4000, sizeof(d));
	program_rela(file, 0, 0x5020, 0, R_X86_64_RELATIVE, 0x777);
	program_rela(file, 1, 0x5028, 1, R_X86_64_64, 8);
	program_rela(file, 2, 0x5030, 2, R_X86_64_GLOB_DAT, 0);
	program_rela(file, 3, 0x5038, 1, R_X86_64_DTPMOD64, 0);
	memset(file + PROGRAM_SYMS, 0, 3 * sizeof(own));
	memcpy(file + PROGRAM_SYMS + sizeof(own), &own, sizeof(own));
	memcpy(file + PROGRAM_RELR, relr, sizeof(relr));
	memcpy(file + PROGRAM_TABLE, d, sizeof(d));
}

#endif
