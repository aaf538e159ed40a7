/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/vmlinux-run.h"

#define RUN_MAGIC      "virt-mig kernel"
#define RUN_KERNEL_MAP 0x80000000u /* low half of its first address */
#define RUN_SITE_MAX   8           /* bytes that one site changes */
/* Ten times what a distribution's kernel has. */
#define RUN_SITES_MAX (4u << 20)
/* Sites of a page that must agree on where the kernel runs. */
#define RUN_AGREE   8
#define RUN_RETURNS 4

/* A site: what is done, where. */
enum run_kind {
	RUN_ADD64,  /* the address is added to 8 bytes */
	RUN_ADD32,  /* to 4 */
	RUN_SUB32,  /* taken from 4 */
	RUN_TRACE,  /* 5 bytes: a call that does nothing now */
	RUN_RETURN, /* 5 bytes: a return, in even ways */
	RUN__MAX
};

#define RUN_OFFSET_BITS 27

static inline uint32_t
run_site(enum run_kind kind, uint64_t offset)
{
	return (uint32_t)kind << RUN_OFFSET_BITS | (uint32_t)offset;
}

static inline uint32_t
run_offset(uint32_t site)
{
	return site & ((1u << RUN_OFFSET_BITS) - 1);
}

/* The table under way. */
struct run_table {
	const uint8_t *elf;
	size_t len;
	uint64_t low;         /* where the kernel begins */
	const uint8_t *pages; /* it, so many bytes */
	uint64_t bytes;
	uint8_t *sites; /* room for max */
	uint64_t n, max;
	uint32_t nreturns;
};

/* One outside of what is loaded is passed over. */
static bool
run_add(struct run_table *t, enum run_kind kind, uint64_t offset)
{
	uint32_t site = htole32(run_site(kind, offset));

	if (offset > t->bytes - RUN_SITE_MAX)
		return true;
	if (t->n == t->max)
		return false;
	t->nreturns += kind == RUN_RETURN;
	memcpy(t->sites + 4 * t->n++, &site, sizeof(site));
	return true;
}

/* Where the ELF file ends, and the relocations begin: its section headers
 * stand last.  0: it has none.
 */
static size_t
run_elf_end(const uint8_t *elf, size_t len)
{
	Elf64_Ehdr h;

	memcpy(&h, elf, sizeof(h));
	if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shnum == 0 ||
	    h.e_shoff >= len ||
	    h.e_shnum > (len - h.e_shoff) / sizeof(Elf64_Shdr))
		return 0;
	return h.e_shoff + h.e_shnum * sizeof(Elf64_Shdr);
}

/* The section that is called so; false if none is, or not wholly there. */
static bool
run_section(const uint8_t *elf, size_t len, const char *name, Elf64_Shdr *out)
{
	size_t want = strlen(name) + 1;
	Elf64_Shdr names;
	Elf64_Ehdr h;

	memcpy(&h, elf, sizeof(h));
	if (run_elf_end(elf, len) == 0 || h.e_shstrndx >= h.e_shnum)
		return false;
	memcpy(&names, elf + h.e_shoff + h.e_shstrndx * sizeof(names),
	       sizeof(names));
	if (names.sh_offset > len || names.sh_size > len - names.sh_offset)
		return false;
	for (unsigned i = 0; i < h.e_shnum; i++) {
		memcpy(out, elf + h.e_shoff + i * sizeof(*out), sizeof(*out));
		if (out->sh_name < names.sh_size &&
		    names.sh_size - out->sh_name >= want &&
		    memcmp(elf + names.sh_offset + out->sh_name, name, want) ==
			    0)
			return out->sh_offset <= len &&
			       out->sh_size <= len - out->sh_offset;
	}
	return false;
}

size_t
vmlinux_run_bound(const uint8_t *elf, size_t len)
{
	size_t end = run_elf_end(elf, len), n;
	Elf64_Shdr s;

	if (end == 0 || len - end < 12)
		return 0;
	/* Each pointer may be one to a call. */
	n = (len - end) / 4 * 2;
	if (run_section(elf, len, ".return_sites", &s))
		n += s.sh_size / 4;
	return n > RUN_SITES_MAX ? 0 : 4 * n + VMLINUX_RUN_ROOM;
}

/* The target of the call at offset 'at' of the kernel, if one is there. */
static bool
run_call(const struct run_table *t, uint64_t at, uint64_t *target)
{
	if (at > t->bytes - RUN_SITE_MAX || t->pages[at] != 0xe8)
		return false;
	*target = at + 5 + (uint64_t)(int32_t)load_le32(t->pages + at + 1);
	return true;
}

/* The call that the i-th site, a pointer, points at. */
static bool
run_pointed(const struct run_table *t, uint64_t i, uint64_t *at,
	    uint64_t *target)
{
	uint32_t site = load_le32(t->sites + 4 * i);

	*at = load_le64(t->pages + run_offset(site)) -
	      (0xffffffff00000000ULL | RUN_KERNEL_MAP) - t->low;
	return site >> RUN_OFFSET_BITS == RUN_ADD64 && run_call(t, *at, target);
}

/* Functions that can be traced begin with a call, and a list of these calls is
 * kept, __mcount_loc.  It has no name in the file, but hardly anything else
 * points at calls, and all of these go to the same place.
 */
static bool
run_add_traced(struct run_table *t, uint64_t npointers)
{
	uint64_t at, to, most = 0, votes = 0, all = 0, same = 0;

	for (uint64_t i = 0; i < npointers; i++) {
		if (!run_pointed(t, i, &at, &to))
			continue;
		if (votes == 0)
			most = to;
		votes = to == most ? votes + 1 : votes - 1;
		all++;
	}
	for (uint64_t i = 0; i < npointers; i++)
		same += run_pointed(t, i, &at, &to) && to == most;
	if (same < RUN_AGREE || same <= all / 2)
		return true;
	for (uint64_t i = 0; i < npointers; i++)
		if (run_pointed(t, i, &at, &to) && to == most &&
		    !run_add(t, RUN_TRACE, at))
			return false;
	return true;
}

/* Jumps to the return thunk, each by its distance from where that stands. */
static bool
run_add_returns(struct run_table *t)
{
	Elf64_Shdr s;

	if (!run_section(t->elf, t->len, ".return_sites", &s))
		return true;
	for (uint64_t i = 0; i + 4 <= s.sh_size; i += 4) {
		int32_t by = (int32_t)load_le32(t->elf + s.sh_offset + i);
		uint64_t at = s.sh_addr + i + (uint64_t)by -
			      (0xffffffff00000000ULL | RUN_KERNEL_MAP) - t->low;

		if (at <= t->bytes - RUN_SITE_MAX && t->pages[at] == 0xe9 &&
		    !run_add(t, RUN_RETURN, at))
			return false;
	}
	return true;
}

/* arch/x86/tools/relocs.c: low halves of addresses, in groups that a 0 goes
 * before: 8-byte words; until Linux 6.14, words to subtract from; 4-byte words.
 */
static bool
run_add_relocations(struct run_table *t, uint64_t *npointers)
{
	static const enum run_kind three[] = { RUN_ADD64, RUN_SUB32,
					       RUN_ADD32 };
	size_t begin = run_elf_end(t->elf, t->len), ngroups = 0, group = 0;
	size_t n = begin ? (t->len - begin) / 4 : 0;

	for (size_t i = 0; i < n; i++)
		ngroups += load_le32(t->elf + begin + 4 * i) == 0;
	if ((ngroups != 2 && ngroups != 3) || load_le32(t->elf + begin) != 0)
		return false;
	for (size_t i = 1; i < n; i++) {
		uint32_t v = load_le32(t->elf + begin + 4 * i);

		if (v == 0)
			group += ngroups == 2 ? 2 : 1;
		else if (!run_add(t, three[group],
				  (uint64_t)v - RUN_KERNEL_MAP - t->low))
			return false;
		if (group == 0)
			*npointers = t->n;
	}
	return true;
}

static int
run_compare(const void *a, const void *b)
{
	uint32_t x = load_le32(a), y = load_le32(b);

	if (run_offset(x) == run_offset(y))
		return x < y ? -1 : x > y;
	return run_offset(x) < run_offset(y) ? -1 : 1;
}

/* What ends the table: RUN_MAGIC, the kernel's own pages, sites, returns. */
static void
run_end(const struct run_table *t, uint64_t npages, uint8_t *end)
{
	uint32_t v[3] = { htole32((uint32_t)npages), htole32((uint32_t)t->n),
			  htole32(t->nreturns) };

	memset(end, 0, VMLINUX_RUN_ROOM);
	memcpy(end, RUN_MAGIC, sizeof(RUN_MAGIC));
	memcpy(end + 16, v, sizeof(v));
}

uint64_t
vmlinux_run_table(const uint8_t *elf, size_t len, uint64_t low, uint8_t *pages,
		  uint64_t npages, uint64_t room)
{
	struct run_table t = { .elf = elf,
			       .len = len,
			       .low = low,
			       .pages = pages,
			       .bytes = npages * PAGE_BYTES,
			       .sites = pages + npages * PAGE_BYTES,
			       .max = (room - VMLINUX_RUN_ROOM) / 4 };
	uint64_t npointers = 0, bytes;

	if (t.bytes > 1u << RUN_OFFSET_BITS ||
	    !run_add_relocations(&t, &npointers) ||
	    !run_add_traced(&t, npointers) || !run_add_returns(&t)) {
		memset(t.sites, 0, 4 * t.n);
		return 0;
	}
	qsort(t.sites, t.n, 4, run_compare);
	bytes = (4 * t.n + VMLINUX_RUN_ROOM + PAGE_BYTES - 1) &
		~(uint64_t)(PAGE_BYTES - 1);
	run_end(&t, npages, t.sites + bytes - VMLINUX_RUN_ROOM);
	return bytes / PAGE_BYTES;
}

/* The table of a kernel, from wherever it was kept: nothing of it is trusted.
 */
struct run_sites {
	const uint8_t *kernel, *at; /* its pages; n sites */
	uint64_t npages, n;
	uint32_t nreturns;
};

static bool
run_sites(const struct memory *m, struct run_sites *s)
{
	const uint8_t *end;

	if (m->npages == 0 || m->nruns != 1 || m->by_gpa[0].npages != m->npages)
		return false;
	s->kernel = memory_page(m, 0);
	end = s->kernel + m->npages * PAGE_BYTES - VMLINUX_RUN_ROOM;
	if (memcmp(end, RUN_MAGIC, sizeof(RUN_MAGIC)) != 0)
		return false;
	s->npages = load_le32(end + 16);
	s->n = load_le32(end + 20);
	s->nreturns = load_le32(end + 24);
	if (s->npages == 0 || s->npages >= m->npages ||
	    4 * s->n > (m->npages - s->npages) * PAGE_BYTES - VMLINUX_RUN_ROOM)
		return false;
	s->at = s->kernel + s->npages * PAGE_BYTES;
	return true;
}

uint64_t
vmlinux_run_pages(const struct memory *kernel)
{
	struct run_sites s;

	return run_sites(kernel, &s) ? s.npages : kernel->npages;
}

bool
vmlinux_run_has(const struct memory *kernel, uint64_t n)
{
	struct run_sites s;

	return run_sites(kernel, &s) && n / kernel->npages < VMLINUX_WAYS &&
	       n % kernel->npages < s.npages;
}

/* The first site that may change bytes from there on. */
static uint64_t
run_find(const struct run_sites *s, uint64_t offset)
{
	uint64_t low = 0, high = s->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		uint32_t site = load_le32(s->at + 4 * middle);

		if (run_offset(site) + RUN_SITE_MAX <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What a site becomes: its bytes, 0 if it stays as it is. */
static unsigned
run_change(const struct run_sites *s, uint32_t site, unsigned way,
	   uint8_t out[RUN_SITE_MAX])
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0, 0 };
	static const uint8_t ret[] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };
	const uint8_t *was = s->kernel + run_offset(site);
	uint64_t by = (uint64_t)((way - 1) / 2) * VMLINUX_SLIDE, wide;
	uint32_t v;

	if (run_offset(site) > s->npages * PAGE_BYTES - RUN_SITE_MAX)
		return 0;
	switch (site >> RUN_OFFSET_BITS) {
	case RUN_ADD64:
		wide = htole64(load_le64(was) + by);
		memcpy(out, &wide, sizeof(wide));
		return sizeof(wide);
	case RUN_ADD32:
		v = htole32(load_le32(was) + (uint32_t)by);
		memcpy(out, &v, sizeof(v));
		return sizeof(v);
	case RUN_SUB32:
		v = htole32(load_le32(was) - (uint32_t)by);
		memcpy(out, &v, sizeof(v));
		return sizeof(v);
	case RUN_TRACE:
		memcpy(out, nop, sizeof(nop));
		return sizeof(nop);
	case RUN_RETURN:
		memcpy(out, ret, sizeof(ret));
		return (way - 1) % 2 ? sizeof(ret) : 0;
	default:
		return 0;
	}
}

void
vmlinux_run_make(const struct memory *kernel, uint64_t n, uint8_t out[4096])
{
	unsigned way = (unsigned)(n / kernel->npages);
	uint64_t first = n % kernel->npages * PAGE_BYTES;
	uint8_t bytes[RUN_SITE_MAX];
	struct run_sites s;

	memcpy(out, memory_page(kernel, n % kernel->npages), PAGE_BYTES);
	if (way == 0 || !run_sites(kernel, &s))
		return;
	for (uint64_t i = run_find(&s, first); i < s.n; i++) {
		uint32_t site = load_le32(s.at + 4 * i);
		uint64_t at = run_offset(site);
		unsigned len;

		if (at >= first + PAGE_BYTES)
			return;
		len = run_change(&s, site, way, bytes);
		for (unsigned k = 0; k < len; k++)
			if (at + k >= first && at + k < first + PAGE_BYTES)
				out[at + k - first] = bytes[k];
	}
}

/* By how much a word was moved; false if that cannot be. */
static bool
run_moved(const struct run_sites *s, uint32_t site, const uint8_t *now,
	  uint64_t *by)
{
	const uint8_t *was = s->kernel + run_offset(site);

	switch (site >> RUN_OFFSET_BITS) {
	case RUN_ADD64:
		*by = load_le64(now) - load_le64(was);
		break;
	case RUN_ADD32:
		*by = load_le32(now) - load_le32(was);
		break;
	case RUN_SUB32:
		*by = load_le32(was) - load_le32(now);
		break;
	default:
		return false;
	}
	return *by % VMLINUX_SLIDE == 0 &&
	       *by < (uint64_t)VMLINUX_SLIDES * VMLINUX_SLIDE;
}

unsigned
vmlinux_run_way(const struct memory *kernel, uint64_t k,
		const uint8_t page[4096])
{
	uint16_t votes[VMLINUX_SLIDES] = { 0 };
	uint64_t first = k * PAGE_BYTES, by;
	unsigned best = 0, words = 0, returns = 0, changed = 0;
	struct run_sites s;

	if (!run_sites(kernel, &s) || k >= s.npages)
		return 0;
	for (uint64_t i = run_find(&s, first); i < s.n; i++) {
		uint32_t site = load_le32(s.at + 4 * i);
		uint64_t at = run_offset(site);

		if (at > first + PAGE_BYTES - RUN_SITE_MAX)
			break;
		if (at < first)
			continue;
		if (site >> RUN_OFFSET_BITS == RUN_RETURN) {
			returns++;
			changed += page[at - first] == 0xc3;
			continue;
		}
		words += site >> RUN_OFFSET_BITS < RUN_TRACE;
		if (run_moved(&s, site, page + at - first, &by) &&
		    ++votes[by / VMLINUX_SLIDE] > votes[best])
			best = (unsigned)(by / VMLINUX_SLIDE);
	}
	if (votes[best] < RUN_AGREE || votes[best] <= words / 2 ||
	    (s.nreturns > 0 && returns < RUN_RETURNS))
		return 0;
	return 1 + 2 * best + (changed > returns / 2);
}
