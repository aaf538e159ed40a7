/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_MODULE_H
#define MIG_MAKE_MODULE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"

/* A kernel module of seven pages in memory: two of code, two that are read
 * only, one that becomes so, two of data.
 */
#define MODULE_ROOM 32768
#define MODULE_BASE UINT64_C(0xffffffffc0000000)
/* Where its sections stand in memory, */
#define MODULE_RODATA 0x2000
#define MODULE_ORC_IP (MODULE_RODATA + 5000 + 16 + 4)
#define MODULE_ORC    (MODULE_ORC_IP + 16)
#define MODULE_JUMPS  0x4000
#define MODULE_DATA   0x5000
#define MODULE_PAGES  7
/* and what its symbols stand for. */
enum {
	MODULE_SYM_TEXT = 1,
	MODULE_SYM_RODATA,
	MODULE_SYM_DATA,
	MODULE_SYM_EXT,
	MODULE_SYM_ABS,
	MODULE_SYM_INIT
};

struct made_module {
	uint8_t file[MODULE_ROOM];
	size_t len; /* with something behind it */
	Elf64_Shdr sections[24];
	unsigned n;
	char names[512];
	size_t names_len;
};

/* Adds a section of so many bytes; those given, or some. */
static inline unsigned
module_section(struct made_module *m, const char *name, uint32_t type,
	       uint64_t flags, const void *bytes, size_t len, uint64_t align)
{
	Elf64_Shdr *s = &m->sections[m->n];

	*s = (Elf64_Shdr){ .sh_name = (uint32_t)m->names_len,
			   .sh_type = type,
			   .sh_flags = flags,
			   .sh_offset = m->len,
			   .sh_size = len,
			   .sh_addralign = align };
	strcpy(m->names + m->names_len, name);
	m->names_len += strlen(name) + 1;
	for (size_t i = 0; type != SHT_NOBITS && i < len; i++)
		m->file[m->len++] =
			bytes ? ((const uint8_t *)bytes)[i]
			      : (uint8_t)(i * 37 + (i >> 5) * 11 + m->n);
	return m->n++;
}

static inline void
module_relas(struct made_module *m, unsigned of, const Elf64_Rela *r, size_t n)
{
	unsigned i = module_section(m, ".rela", SHT_RELA, SHF_INFO_LINK, r,
				    n * sizeof(*r), 8);

	m->sections[i].sh_info = of;
}

#define MODULE_RELA(at, symbol, type, by)                                      \
	{                                                                      \
		.r_offset = (at), .r_info = ELF64_R_INFO(symbol, type),        \
		.r_addend = (by)                                               \
	}

/* Sections 1 to 3 are .text, .rodata and .data; calls at 0x10 and a return at
 * 0x20 of the first are patched.
 */
static inline void
module_tables(struct made_module *m)
{
	static const Elf64_Rela calls[] = {
		MODULE_RELA(0, MODULE_SYM_TEXT, R_X86_64_64, 0x10),
		MODULE_RELA(8, MODULE_SYM_TEXT, R_X86_64_64, 0x30), /* none */
	};
	static const Elf64_Rela returns[] = {
		MODULE_RELA(0, MODULE_SYM_TEXT, R_X86_64_PC32, 0x20),
	};
	static const Elf64_Rela ips[] = {
		MODULE_RELA(0, MODULE_SYM_TEXT, R_X86_64_PC32, 0x300),
		MODULE_RELA(4, MODULE_SYM_TEXT, R_X86_64_PC32, 0x100),
		MODULE_RELA(8, MODULE_SYM_INIT, R_X86_64_PC32, 0),
		MODULE_RELA(12, MODULE_SYM_TEXT, R_X86_64_PC32, 0x100),
	};
	unsigned i;

	i = module_section(m, "__mcount_loc", SHT_PROGBITS, SHF_ALLOC, NULL, 16,
			   1);
	module_relas(m, i, calls, 2);
	i = module_section(m, ".return_sites", SHT_PROGBITS, SHF_ALLOC, NULL, 4,
			   1);
	module_relas(m, i, returns, 1);
	i = module_section(m, ".orc_unwind_ip", SHT_PROGBITS, SHF_ALLOC, NULL,
			   16, 1);
	module_relas(m, i, ips, 4);
	module_section(m, ".orc_unwind", SHT_PROGBITS, SHF_ALLOC,
		       "aaaaaabbbbbbccccccdddddd", 24, 1);
}

static inline void
module_symbols(struct made_module *m, unsigned init)
{
	const Elf64_Sym symbols[] = {
		{ .st_shndx = SHN_UNDEF },
		{ .st_shndx = 1 },
		{ .st_shndx = 2 },
		{ .st_shndx = 3 },
		{ .st_shndx = SHN_UNDEF },
		{ .st_shndx = SHN_ABS, .st_value = 0x1234 },
		{ .st_shndx = (Elf64_Section)init },
	};

	module_section(m, ".symtab", SHT_SYMTAB, 0, symbols, sizeof(symbols),
		       8);
}

static inline void
module_make(struct made_module *m)
{
	static const Elf64_Rela text[] = {
		MODULE_RELA(0x11, MODULE_SYM_EXT, R_X86_64_PLT32, -4),
		MODULE_RELA(0x21, MODULE_SYM_EXT, R_X86_64_PLT32, -4),
		MODULE_RELA(0x30, MODULE_SYM_RODATA, R_X86_64_32S, 8),
		MODULE_RELA(0x40, MODULE_SYM_DATA, R_X86_64_PC32, 4),
		MODULE_RELA(0x50, MODULE_SYM_EXT, R_X86_64_PLT32, -4),
		MODULE_RELA(0x60, MODULE_SYM_TEXT, R_X86_64_PLT32, 0xfc),
		MODULE_RELA(0x70, MODULE_SYM_ABS, R_X86_64_32, 1),
	};
	static const Elf64_Rela rodata[] = {
		MODULE_RELA(0, MODULE_SYM_TEXT, R_X86_64_64, 0x10),
		MODULE_RELA(8, MODULE_SYM_EXT, R_X86_64_64, 0),
		MODULE_RELA(16, MODULE_SYM_DATA, R_X86_64_PC64, 0),
		MODULE_RELA(4990, MODULE_SYM_DATA, R_X86_64_64, 0),
		MODULE_RELA(4996, MODULE_SYM_DATA, R_X86_64_64, 0), /* out */
	};
	Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				      ELFCLASS64, ELFDATA2LSB },
			 .e_type = ET_REL,
			 .e_machine = EM_X86_64,
			 .e_shentsize = sizeof(Elf64_Shdr) };
	unsigned init;

	*m = (struct made_module){ .len = sizeof(h) };
	module_section(m, "", SHT_NULL, 0, NULL, 0, 0);
	module_section(m, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
		       NULL, 6000, 16);
	m->file[sizeof(h) + 0x10] = 0xe8;
	m->file[sizeof(h) + 0x20] = 0xe9;
	module_section(m, ".rodata", SHT_PROGBITS, SHF_ALLOC, NULL, 5000, 64);
	module_section(m, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL,
		       5000, 32);
	module_relas(m, 1, text, ARRAY_LEN(text));
	module_relas(m, 2, rodata, ARRAY_LEN(rodata));
	init = module_section(m, ".init.text", SHT_PROGBITS,
			      SHF_ALLOC | SHF_EXECINSTR, NULL, 100, 16);
	module_section(m, ".modinfo", SHT_PROGBITS, SHF_ALLOC, NULL, 100, 1);
	module_tables(m);
	module_section(m, "__jump_table", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
		       NULL, 16, 8);
	module_section(m, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 100,
		       8);
	module_symbols(m, init);
	strcpy(m->names + m->names_len, ".shstrtab");
	h.e_shstrndx = (uint16_t)m->n;
	module_section(m, ".shstrtab", SHT_STRTAB, 0, m->names,
		       m->names_len + sizeof(".shstrtab"), 1);
	h.e_shoff = m->len;
	h.e_shnum = (uint16_t)m->n;
	memcpy(m->file + m->len, m->sections, m->n * sizeof(*m->sections));
	m->len += m->n * sizeof(*m->sections);
	memcpy(m->file, &h, sizeof(h));
	memcpy(m->file + m->len, "a signature", 11);
	m->len += 11;
}

#endif
