/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <string.h>

#include "common/page.h"
#include "dedup/core.h"

void
core_header(uint64_t gpa, uint64_t len, uint8_t page[4096])
{
	Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				      ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_CORE,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(h),
			 .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1 };
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = PAGE_BYTES,
			 .p_paddr = gpa,
			 .p_filesz = len,
			 .p_memsz = len };

	memset(page, 0, PAGE_BYTES);
	memcpy(page, &h, sizeof(h));
	memcpy(page + sizeof(h), &p, sizeof(p));
}
