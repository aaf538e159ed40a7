/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* The core files of QEMU's dump-guest-memory, virsh dump --memory-only and
 * VirtualBox: the program headers name where each piece of guest-physical
 * memory stands in the file.
 */

static bool
elf_is(const struct map *map)
{
	return map->len >= SELFMAG && memcmp(map->data, ELFMAG, SELFMAG) == 0;
}

/* The bytes at an offset that the file itself names. */
static int
read_at(const struct map *map, uint64_t offset, void *out, size_t n,
	struct err *e)
{
	struct span s;

	if (offset > map->len || n > map->len - offset)
		return err_set(e, ERR_CORRUPT,
			       "a header of %zu bytes at offset 0x%" PRIx64
			       " is beyond the end of the file",
			       n, offset);
	s = span_of(map->data + offset, n);
	return span_get(&s, out, n, e);
}

/* A guest that is not in 64-bit mode is dumped with the machine EM_386, but
 * as a 64-bit file all the same when it has anything up to 4 GiB.
 */
static int
check_header(const Elf64_Ehdr *h, struct err *e)
{
	uint16_t machine = le16toh(h->e_machine);

	if (h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    le16toh(h->e_type) != ET_CORE ||
	    (machine != EM_X86_64 && machine != EM_386))
		return err_set(e, ERR_USAGE,
			       "an ELF file, but not a 64-bit core of an x86 "
			       "machine; not supported");
	if (le16toh(h->e_phentsize) != sizeof(Elf64_Phdr))
		return err_set(
			e, ERR_CORRUPT,
			"program headers of %u bytes at offset 0x%" PRIx64,
			le16toh(h->e_phentsize), le64toh(h->e_phoff));
	return 0;
}

/* Counts from 65535 up stand in the first section header. */
static int
count_headers(const struct map *map, const Elf64_Ehdr *h, uint32_t *n,
	      struct err *e)
{
	Elf64_Shdr first;

	*n = le16toh(h->e_phnum);
	if (*n == PN_XNUM) {
		if (read_at(map, le64toh(h->e_shoff), &first, sizeof(first),
			    e) < 0)
			return -1;
		*n = le32toh(first.sh_info);
	}
	/* Before anybody allocates by it. */
	if (*n > map->len / sizeof(Elf64_Phdr))
		return err_set(e, ERR_CORRUPT,
			       "%" PRIu32
			       " program headers at offset 0x%" PRIx64
			       " are more than the file has room for",
			       *n, le64toh(h->e_phoff));
	return 0;
}

static int
elf_lay_out(struct memory *m, struct err *e)
{
	auto_free struct memory_region *loads = NULL;
	size_t nloads = 0;
	uint32_t nheaders;
	uint64_t at;
	Elf64_Ehdr h;

	if (read_at(&m->map, 0, &h, sizeof(h), e) < 0 ||
	    check_header(&h, e) < 0 ||
	    count_headers(&m->map, &h, &nheaders, e) < 0)
		return -1;
	loads = calloc(nheaders + 1ul, sizeof(*loads));
	if (!loads)
		return err_sys(e, "a list of %u regions", nheaders);
	at = le64toh(h.e_phoff);
	for (uint32_t i = 0; i < nheaders; i++, at += sizeof(Elf64_Phdr)) {
		Elf64_Phdr p;

		if (read_at(&m->map, at, &p, sizeof(p), e) < 0)
			return -1;
		if (le32toh(p.p_type) == PT_LOAD)
			loads[nloads++] = (struct memory_region){
				.gpa = le64toh(p.p_paddr),
				.offset = le64toh(p.p_offset),
				.len = le64toh(p.p_filesz),
			};
	}
	return memory_lay_out(m, loads, nloads, ERR_CORRUPT, e);
}

const struct memory_format memory_elf = {
	.name = "elf",
	.is = elf_is,
	.lay_out = elf_lay_out,
};
