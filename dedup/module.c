/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/module.h"

/* Where everything is laid out. */
#define MODULE_BASE UINT64_C(0xffffffffc0000000)
/* Distributions' have a hundred sections, and half a million references. */
#define MODULE_SECTIONS_MAX 4096
#define MODULE_RELAS_MAX    (4u << 20)
#define MODULE_ORC_MAX      (1u << 20)
/* Parts that the kernel tells apart by bits that no file has. */
#define MODULE_RO_AFTER_INIT 0x00200000u
#define MODULE_NOWHERE       UINT64_MAX

/* An object file under way. */
struct object {
	const uint8_t *file;
	size_t len;
	Elf64_Shdr *sections;
	unsigned n;
	const char *names;
	size_t names_len;
	const uint8_t *symbols;
	uint64_t nsymbols;
	uint64_t *at;        /* where each section stands */
	uint64_t core, size; /* what stays; with what is needed once only */
	uint8_t *out;
};

size_t
module_file_bytes(const uint8_t *head, size_t n)
{
	Elf64_Ehdr h;

	if (n < sizeof(h))
		return 0;
	memcpy(&h, head, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_type != ET_REL ||
	    h.e_machine != EM_X86_64 || h.e_shentsize != sizeof(Elf64_Shdr) ||
	    h.e_shnum == 0 || h.e_shnum > MODULE_SECTIONS_MAX ||
	    h.e_shstrndx >= h.e_shnum || h.e_shoff > MODULE_FILE_MAX)
		return 0;
	return h.e_shoff + h.e_shnum * sizeof(Elf64_Shdr);
}

static bool
object_has(const struct object *o, const Elf64_Shdr *s)
{
	return s->sh_offset <= o->len && s->sh_size <= o->len - s->sh_offset;
}

static const char *
object_name(const struct object *o, unsigned i)
{
	uint32_t at = o->sections[i].sh_name;

	return at < o->names_len ? o->names + at : "";
}

static bool
object_begins(const struct object *o, unsigned i, const char *with)
{
	return strncmp(object_name(o, i), with, strlen(with)) == 0;
}

/* The section of that name that was laid out. */
static const Elf64_Shdr *
object_find(const struct object *o, const char *name, uint64_t *at)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->at[i] != MODULE_NOWHERE &&
		    strcmp(object_name(o, i), name) == 0) {
			*at = o->at[i];
			return &o->sections[i];
		}
	return NULL;
}

/* Changes flags as the kernel does before it lays out: some is only read when
 * a module is loaded, some becomes read-only afterwards.
 */
static void
object_flags(struct object *o, unsigned i)
{
	const char *name = object_name(o, i);
	Elf64_Shdr *s = &o->sections[i];

	if (strcmp(name, ".modinfo") == 0 || strcmp(name, "__versions") == 0 ||
	    object_begins(o, i, ".data..percpu"))
		s->sh_flags &= ~(uint64_t)SHF_ALLOC;
	s->sh_flags &= ~(uint64_t)MODULE_RO_AFTER_INIT;
	if (strcmp(name, ".data..ro_after_init") == 0 ||
	    strcmp(name, "__jump_table") == 0)
		s->sh_flags |= MODULE_RO_AFTER_INIT;
}

static bool
object_open(struct object *o)
{
	Elf64_Shdr names;
	Elf64_Ehdr h;

	if (module_file_bytes(o->file, o->len) == 0 ||
	    module_file_bytes(o->file, o->len) > o->len)
		return false;
	memcpy(&h, o->file, sizeof(h));
	o->n = h.e_shnum;
	memcpy(o->sections, o->file + h.e_shoff, o->n * sizeof(*o->sections));
	names = o->sections[h.e_shstrndx];
	if (!object_has(o, &names) || names.sh_size == 0 ||
	    o->file[names.sh_offset + names.sh_size - 1] != 0)
		return false;
	o->names = (const char *)o->file + names.sh_offset;
	o->names_len = names.sh_size;
	for (unsigned i = 0; i < o->n; i++) {
		Elf64_Shdr *s = &o->sections[i];

		if (s->sh_type != SHT_NOBITS && !object_has(o, s))
			return false;
		if (s->sh_type == SHT_SYMTAB) {
			o->symbols = o->file + s->sh_offset;
			o->nsymbols = s->sh_size / sizeof(Elf64_Sym);
		}
		object_flags(o, i);
	}
	return true;
}

static uint64_t
object_align(uint64_t at, uint64_t to)
{
	return (at + to - 1) & ~(to - 1);
}

/* Code, then what is only read, what is only read later, and the rest; each of
 * these begins a page.
 */
static bool
object_place(struct object *o, bool init)
{
	static const struct {
		uint64_t with, without;
	} kinds[] = {
		{ SHF_ALLOC | SHF_EXECINSTR, 0 },
		{ SHF_ALLOC, SHF_WRITE },
		{ SHF_ALLOC | MODULE_RO_AFTER_INIT, 0 },
		{ SHF_ALLOC | SHF_WRITE, 0 },
	};

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		for (unsigned i = 0; i < o->n; i++) {
			const Elf64_Shdr *s = &o->sections[i];
			uint64_t to = MAX(s->sh_addralign, (uint64_t)1);

			if (o->at[i] != MODULE_NOWHERE ||
			    (s->sh_flags & kinds[k].with) != kinds[k].with ||
			    (s->sh_flags & kinds[k].without) ||
			    object_begins(o, i, ".init") != init)
				continue;
			if (to > PAGE_BYTES || (to & (to - 1)) ||
			    s->sh_size > MODULE_PAGES_MAX * PAGE_BYTES)
				return false;
			o->at[i] = object_align(o->size, to);
			o->size = o->at[i] + s->sh_size;
			if (o->size > MODULE_PAGES_MAX * PAGE_BYTES)
				return false;
		}
		o->size = object_align(o->size, PAGE_BYTES);
	}
	return true;
}

/* What is needed once only stands behind the rest, one page apart. */
static bool
object_place_all(struct object *o)
{
	for (unsigned i = 0; i < o->n; i++)
		o->at[i] = MODULE_NOWHERE;
	if (!object_place(o, false))
		return false;
	o->core = o->size;
	o->size += PAGE_BYTES;
	return o->core > 0 && object_place(o, true);
}

/* What a symbol stands for, if it is the module's own. */
static bool
object_symbol(const struct object *o, uint64_t i, uint64_t *value)
{
	Elf64_Sym s;

	if (i >= o->nsymbols)
		return false;
	memcpy(&s, o->symbols + i * sizeof(s), sizeof(s));
	*value = s.st_value;
	if (s.st_shndx == SHN_ABS)
		return true;
	if (s.st_shndx >= o->n || o->at[s.st_shndx] == MODULE_NOWHERE)
		return false;
	*value += MODULE_BASE + o->at[s.st_shndx];
	return true;
}

static void
object_relocate(struct object *o, unsigned section, const Elf64_Rela *r)
{
	uint64_t value, at = o->at[section] + r->r_offset;
	bool relative = false;
	size_t n = 4;

	if (!object_symbol(o, ELF64_R_SYM(r->r_info), &value))
		return;
	switch (ELF64_R_TYPE(r->r_info)) {
	case R_X86_64_64:
		n = 8;
		break;
	case R_X86_64_PC64:
		n = 8;
		relative = true;
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		relative = true;
		break;
	default:
		return;
	}
	if (o->sections[section].sh_size < n ||
	    r->r_offset > o->sections[section].sh_size - n)
		return;
	value += (uint64_t)r->r_addend;
	if (relative)
		value -= MODULE_BASE + at;
	memcpy(o->out + at, &value, n);
}

static void
object_relocate_all(struct object *o)
{
	uint64_t left = MODULE_RELAS_MAX;

	for (unsigned i = 0; i < o->n; i++) {
		const Elf64_Shdr *s = &o->sections[i];
		uint64_t n = s->sh_size / sizeof(Elf64_Rela);

		if (s->sh_type != SHT_RELA || s->sh_info >= o->n ||
		    o->at[s->sh_info] == MODULE_NOWHERE)
			continue;
		for (uint64_t k = 0; k < n && left > 0; k++, left--) {
			Elf64_Rela r;

			memcpy(&r, o->file + s->sh_offset + k * sizeof(r),
			       sizeof(r));
			object_relocate(o, s->sh_info, &r);
		}
	}
}

static uint64_t
object_self(const struct object *o, uint64_t at)
{
	int32_t by;

	memcpy(&by, o->out + at, sizeof(by));
	return at + (uint64_t)(int64_t)by;
}

/* Five bytes of code become others, if they begin as they should. */
static void
object_patch(struct object *o, uint64_t at, uint8_t was, const uint8_t to[5])
{
	if (at < o->size - 5 && o->out[at] == was)
		memcpy(o->out + at, to, 5);
}

static void
object_patch_all(struct object *o)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0, 0 };
	static const uint8_t ret[] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };
	const Elf64_Shdr *s;
	uint64_t at, target;

	s = object_find(o, "__mcount_loc", &at);
	for (uint64_t i = 0; s && i + 8 <= s->sh_size; i += 8) {
		memcpy(&target, o->out + at + i, 8);
		object_patch(o, target - MODULE_BASE, 0xe8, nop);
	}
	s = object_find(o, ".return_sites", &at);
	for (uint64_t i = 0; s && i + 4 <= s->sh_size; i += 4)
		object_patch(o, object_self(o, at + i), 0xe9, ret);
}

/* An entry of the table for stack traces: which code, and how it stands. */
struct orc {
	uint64_t ip;
	uint32_t i;
	uint8_t how[6];
};

static int
orc_compare(const void *a, const void *b)
{
	const struct orc *x = a, *y = b;

	if (x->ip == y->ip)
		return x->i < y->i ? -1 : x->i > y->i;
	return x->ip < y->ip ? -1 : 1;
}

static int
object_sort_orc(struct object *o, struct err *e)
{
	uint64_t ips, hows, n;
	const Elf64_Shdr *ip = object_find(o, ".orc_unwind_ip", &ips);
	const Elf64_Shdr *how = object_find(o, ".orc_unwind", &hows);
	struct orc *all;

	n = ip ? ip->sh_size / 4 : 0;
	if (n == 0 || n > MODULE_ORC_MAX || !how || how->sh_size / 6 != n)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return err_sys(e, "a module");
	for (uint32_t i = 0; i < n; i++) {
		all[i].ip = object_self(o, ips + 4 * (uint64_t)i);
		all[i].i = i;
		memcpy(all[i].how, o->out + hows + 6 * (uint64_t)i, 6);
	}
	qsort(all, n, sizeof(*all), orc_compare);
	for (uint64_t i = 0; i < n; i++) {
		uint32_t by = (uint32_t)(all[i].ip - (ips + 4 * i));

		memcpy(o->out + ips + 4 * i, &by, 4);
		memcpy(o->out + hows + 6 * i, all[i].how, 6);
	}
	free(all);
	return 0;
}

static int
object_lay_out(struct object *o, struct err *e)
{
	if (!object_open(o) || !object_place_all(o)) {
		o->core = 0;
		return 0;
	}
	o->out = calloc(o->size, 1);
	if (!o->out)
		return err_sys(e, "a module of %llu bytes",
			       (unsigned long long)o->size);
	for (unsigned i = 0; i < o->n; i++)
		if (o->at[i] != MODULE_NOWHERE &&
		    o->sections[i].sh_type != SHT_NOBITS)
			memcpy(o->out + o->at[i],
			       o->file + o->sections[i].sh_offset,
			       o->sections[i].sh_size);
	object_relocate_all(o);
	object_patch_all(o);
	return object_sort_orc(o, e);
}

int
module_lay_out(struct module *m, const uint8_t *file, size_t len, struct err *e)
{
	struct object o = { .file = file, .len = len };
	auto_free Elf64_Shdr *sections =
		calloc(MODULE_SECTIONS_MAX, sizeof(*sections));
	auto_free uint64_t *at = calloc(MODULE_SECTIONS_MAX, sizeof(*at));

	*m = (struct module){ .npages = 0 };
	if (!sections || !at)
		return err_sys(e, "a module");
	o.sections = sections;
	o.at = at;
	if (object_lay_out(&o, e) < 0) {
		free(o.out);
		return -1;
	}
	m->npages = (uint32_t)(o.core / PAGE_BYTES);
	m->bytes = o.out;
	return 0;
}
