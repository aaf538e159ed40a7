/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/elf-program.h"

/* Where everything is laid out. */
#define PROGRAM_BASE UINT64_C(0x7f0000000000)
/* The longest segment, or table, that is looked at. */
#define PROGRAM_BYTES_MAX (UINT64_C(48) << 20)
#define PROGRAM_LOADS_MAX 16

/* The part that is written to, by virtual address from 'start' on. */
struct segment {
	uint64_t start, npages;
	uint8_t *bytes;
	uint8_t *changed; /* by page */
};

struct program {
	const struct elf_program *file;
	Elf64_Phdr loads[PROGRAM_LOADS_MAX];
	unsigned nloads;
	Elf64_Phdr dynamic;
	uint64_t rela, rela_len, relr, relr_len, symbols;
};

bool
elf_program_starts(const uint8_t head[4096])
{
	Elf64_Ehdr h;

	memcpy(&h, head, sizeof(h));
	return memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 &&
	       h.e_ident[EI_CLASS] == ELFCLASS64 &&
	       h.e_ident[EI_DATA] == ELFDATA2LSB && h.e_type == ET_DYN &&
	       h.e_machine == EM_X86_64 &&
	       h.e_phentsize == sizeof(Elf64_Phdr) && h.e_phoff <= PAGE_BYTES &&
	       h.e_phnum <= (PAGE_BYTES - h.e_phoff) / sizeof(Elf64_Phdr);
}

static void
program_headers(struct program *p, const uint8_t head[4096])
{
	Elf64_Ehdr h;

	memcpy(&h, head, sizeof(h));
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, head + h.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_filesz > PROGRAM_BYTES_MAX * 8 ||
		    ph.p_vaddr > UINT64_MAX / 4 || ph.p_offset > UINT64_MAX / 4)
			continue;
		if (ph.p_type == PT_DYNAMIC)
			p->dynamic = ph;
		if (ph.p_type == PT_LOAD && p->nloads < PROGRAM_LOADS_MAX)
			p->loads[p->nloads++] = ph;
	}
}

/* n bytes at a virtual address, as the file has them; for free(). */
static uint8_t *
program_read(const struct program *p, uint64_t va, uint64_t n)
{
	uint8_t *bytes;

	if (n == 0 || n > PROGRAM_BYTES_MAX)
		return NULL;
	for (unsigned i = 0; i < p->nloads; i++) {
		const Elf64_Phdr *l = &p->loads[i];

		if (va < l->p_vaddr || va - l->p_vaddr > l->p_filesz ||
		    n > l->p_filesz - (va - l->p_vaddr))
			continue;
		bytes = malloc(n);
		if (bytes &&
		    p->file->read(p->file->arg, l->p_offset + (va - l->p_vaddr),
				  bytes, n))
			return bytes;
		free(bytes);
		return NULL;
	}
	return NULL;
}

static void
program_dynamic(struct program *p)
{
	auto_free uint8_t *bytes =
		program_read(p, p->dynamic.p_vaddr, p->dynamic.p_filesz);
	size_t n = bytes ? p->dynamic.p_filesz / sizeof(Elf64_Dyn) : 0;

	for (size_t i = 0; i < n; i++) {
		Elf64_Dyn d;

		memcpy(&d, bytes + i * sizeof(d), sizeof(d));
		if (d.d_tag == DT_RELA)
			p->rela = d.d_un.d_ptr;
		else if (d.d_tag == DT_RELASZ)
			p->rela_len = d.d_un.d_val;
		else if (d.d_tag == DT_RELR)
			p->relr = d.d_un.d_ptr;
		else if (d.d_tag == DT_RELRSZ)
			p->relr_len = d.d_un.d_val;
		else if (d.d_tag == DT_SYMTAB)
			p->symbols = d.d_un.d_ptr;
	}
}

/* What the kernel maps: whole pages of the file, and zeros behind its end
 * where the segment goes on.
 */
static bool
segment_read(const struct program *p, const Elf64_Phdr *l, struct segment *s)
{
	uint64_t in = l->p_vaddr & (PAGE_BYTES - 1);
	uint64_t len = in + l->p_filesz;

	*s = (struct segment){ .start = l->p_vaddr - in };
	if (!(l->p_flags & PF_W) || l->p_filesz == 0 || l->p_offset < in ||
	    len > PROGRAM_BYTES_MAX)
		return false;
	s->npages = (len + PAGE_BYTES - 1) / PAGE_BYTES;
	s->bytes = calloc(s->npages, PAGE_BYTES);
	s->changed = calloc(s->npages, 1);
	return s->bytes && s->changed &&
	       p->file->read(p->file->arg, l->p_offset - in, s->bytes, len);
}

static void
segment_set(struct segment *s, uint64_t va, uint64_t value, bool add)
{
	uint64_t at = va - s->start, word;

	if (va < s->start || at > s->npages * PAGE_BYTES - 8)
		return;
	memcpy(&word, s->bytes + at, 8);
	word = add ? word + value : value;
	memcpy(s->bytes + at, &word, 8);
	s->changed[at / PAGE_BYTES] = 1;
	s->changed[(at + 7) / PAGE_BYTES] = 1;
}

/* The address of a symbol that this program has itself. */
static bool
program_symbol(const uint8_t *symbols, uint64_t n, uint64_t i, uint64_t *value)
{
	Elf64_Sym s;

	if (i >= n)
		return false;
	memcpy(&s, symbols + i * sizeof(s), sizeof(s));
	*value = PROGRAM_BASE + s.st_value;
	return s.st_shndx != SHN_UNDEF && s.st_shndx != SHN_ABS &&
	       ELF64_ST_TYPE(s.st_info) != STT_GNU_IFUNC &&
	       ELF64_ST_TYPE(s.st_info) != STT_TLS;
}

static void
apply_rela(const struct program *p, struct segment *s)
{
	auto_free uint8_t *rela = program_read(p, p->rela, p->rela_len);
	auto_free uint8_t *symbols = NULL;
	uint64_t n = rela ? p->rela_len / sizeof(Elf64_Rela) : 0, nsymbols = 0;
	Elf64_Rela r;

	for (uint64_t i = 0; i < n; i++) {
		memcpy(&r, rela + i * sizeof(r), sizeof(r));
		nsymbols = MAX(nsymbols, ELF64_R_SYM(r.r_info) + 1);
	}
	symbols = program_read(p, p->symbols, nsymbols * sizeof(Elf64_Sym));
	if (!symbols)
		nsymbols = 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t value;

		memcpy(&r, rela + i * sizeof(r), sizeof(r));
		switch (ELF64_R_TYPE(r.r_info)) {
		case R_X86_64_RELATIVE:
			segment_set(s, r.r_offset,
				    PROGRAM_BASE + (uint64_t)r.r_addend, false);
			break;
		case R_X86_64_64:
		case R_X86_64_GLOB_DAT:
			if (program_symbol(symbols, nsymbols,
					   ELF64_R_SYM(r.r_info), &value))
				segment_set(s, r.r_offset,
					    value + (uint64_t)r.r_addend,
					    false);
			break;
		default:
			break;
		}
	}
}

/* An address, then bits for the words behind it, 63 in a word. */
static void
apply_relr(const struct program *p, struct segment *s)
{
	auto_free uint8_t *relr = program_read(p, p->relr, p->relr_len);
	uint64_t n = relr ? p->relr_len / 8 : 0, at = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t word;

		memcpy(&word, relr + 8 * i, 8);
		if ((word & 1) == 0) {
			segment_set(s, word, PROGRAM_BASE, true);
			at = word + 8;
			continue;
		}
		for (unsigned bit = 1; bit < 64; bit++)
			if (word >> bit & 1)
				segment_set(s, at + 8 * (uint64_t)(bit - 1),
					    PROGRAM_BASE, true);
		at += UINT64_C(63) * 8;
	}
}

static int
program_segment(const struct program *p, const Elf64_Phdr *l, struct err *e)
{
	struct segment s;
	int ret = 0;

	if (segment_read(p, l, &s)) {
		apply_relr(p, &s);
		apply_rela(p, &s);
		for (uint64_t i = 0; ret == 0 && i < s.npages; i++)
			if (s.changed[i])
				ret = p->file->page(p->file->arg,
						    s.bytes + i * PAGE_BYTES,
						    e);
	}
	free(s.bytes);
	free(s.changed);
	return ret;
}

int
elf_program_pages(const uint8_t head[4096], const struct elf_program *file,
		  struct err *e)
{
	struct program p = { .file = file };

	if (!elf_program_starts(head))
		return 0;
	program_headers(&p, head);
	program_dynamic(&p);
	for (unsigned i = 0; i < p.nloads; i++)
		if (program_segment(&p, &p.loads[i], e) < 0)
			return -1;
	return 0;
}
