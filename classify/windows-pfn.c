/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "classify/windows-impl.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

/* The PFN database is an array of _MMPFN, one for each physical page, at an
 * address that newer versions choose at random.  It proves itself by what it
 * says of page tables: for each table that is found by walking from the top
 * one, the entry must name the address of the PTE that maps the table and the
 * page that this PTE stands in.  Nothing else agrees on hundreds of those, so
 * this tells the address and the layout.
 */
#define PFN_BYTES 0x30
#define PFN_U4    0x28
/* Of a frame number; what is above it differs between versions. */
#define PFN_FRAME ((UINT64_C(1) << 36) - 1)

struct pfn_layout {
	unsigned next, previous, pte, references, flags, more, original;
	unsigned prototype; /* this bit of u4 */
	const char *versions;
};

static const struct pfn_layout layouts[] = {
	{ 0x00, 0x08, 0x10, 0x18, 0x1a, 0x1b, 0x20, 57, "Windows 7 to 8.1" },
	{ 0x00, 0x18, 0x08, 0x20, 0x22, 0x23, 0x10, 57, "Windows 10 to 1903" },
	{ 0x00, 0x18, 0x08, 0x20, 0x22, 0x23, 0x10, 63,
	  "Windows 10 2004 and later" },
};

#define PTE_VALID      UINT64_C(1)
#define PTE_TRANSITION UINT64_C(0x800)
#define PTE_INVERTED   (UINT64_C(1) << 33) /* a bit of the frame */

/* Where the database always was before Windows 10 1607. */
#define PFN_BASE_FIXED UINT64_C(0xfffffa8000000000)

/* Page tables that are looked at, from as many parts of the address space. */
#define PROOFS_MAX     2048
#define PROOFS_A_SLOT  64
#define PROOFS_NEEDED  16
#define PROOFS_PERCENT 90

/* Entries that are asked which bit it is. */
#define PROTOTYPE_SAMPLES 65536

struct proof {
	uint64_t pfn, pte, frame;
};

struct proofs {
	struct proof list[PROOFS_MAX];
	size_t n;
};

static void
decode(const struct pfn_layout *l, const uint8_t *at, struct pfn *out)
{
	uint64_t u4 = load_le64(at + PFN_U4);

	*out = (struct pfn){
		/* its lowest bit is a lock, the next ones may be anything */
		.pte = load_le64(at + l->pte) & ~UINT64_C(7),
		.original = load_le64(at + l->original),
		.frame = u4 & PFN_FRAME,
		.next = load_le64(at + l->next) & PFN_FRAME,
		.previous = load_le64(at + l->previous) & PFN_FRAME,
		.references = load_le16(at + l->references),
		.location = at[l->flags] & 7,
		.modified = at[l->flags] >> 4 & 1,
		.priority = at[l->more] & 7,
		.prototype = u4 >> l->prototype & 1,
	};
}

/* The tables that page 'table', which maps from va on, maps at that level, and
 * below them down to the last tables.
 */
static void
collect(const struct windows *w, struct proofs *p, uint64_t table, uint64_t va,
	unsigned level, size_t most)
{
	unsigned shift = 3 + 9 * level;

	for (uint64_t i = 0; i < PAGE_WORDS && p->n < most; i++) {
		uint64_t at = va | i << shift, entry;

		if (!physical_read(w->memory, table + i * 8, &entry, 8))
			return;
		if (!(entry & 1) || (entry & 0x80))
			continue;
		entry &= UINT64_C(0x000ffffffffff000);
		/* The PTE of what maps at is one step into the self-map for
		 * each level that is left.
		 */
		for (unsigned k = 1; k < level; k++)
			at = windows_pte_of(w, at);
		p->list[p->n++] = (struct proof){ entry >> PAGE_SHIFT,
						  windows_pte_of(w, at),
						  table >> PAGE_SHIFT };
		if (level > 2)
			collect(w, p, entry, va | i << shift, level - 1, most);
	}
}

static void
collect_proofs(const struct windows *w, struct proofs *p)
{
	uint64_t self = w->pte_base >> 39 & 511;

	p->n = 0;
	for (uint64_t slot = PAGE_WORDS; slot-- > 0;) {
		uint64_t va = slot << 39, entry;
		size_t most = MIN(p->n + PROOFS_A_SLOT, (size_t)PROOFS_MAX);

		if (slot >= PAGE_WORDS / 2)
			va |= UINT64_C(0xffff) << 48;
		if (slot == self ||
		    !physical_read(w->memory, w->mmu.root + slot * 8, &entry,
				   8) ||
		    !(entry & 1) || (entry & 0x80))
			continue;
		collect(w, p, entry & UINT64_C(0x000ffffffffff000), va, 3,
			most);
	}
}

static bool
proof_holds(const struct proof *f, const struct pfn *p)
{
	return p->pte == f->pte && p->frame == f->frame &&
	       p->location == PFN_ACTIVE;
}

/* How many proofs the layout at that address keeps, before the database has
 * been mapped.  Gives up early where the first ones all fail.
 */
static bool
try_base(const struct windows *w, const struct proofs *p, uint64_t base,
	 const struct pfn_layout *l)
{
	size_t agree = 0;

	for (size_t i = 0; i < p->n; i++) {
		uint8_t entry[PFN_BYTES];
		struct pfn pfn;

		if (i == PROOFS_A_SLOT && agree == 0)
			return false;
		if (!mmu_read(&w->mmu, base + p->list[i].pfn * PFN_BYTES, entry,
			      sizeof(entry)))
			continue;
		decode(l, entry, &pfn);
		agree += proof_holds(&p->list[i], &pfn);
	}
	return agree >= PROOFS_NEEDED && agree * 100 >= p->n * PROOFS_PERCENT;
}

static bool
try_layouts(struct windows *w, const struct proofs *p, uint64_t base)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (try_base(w, p, base, &layouts[i])) {
			w->layout = &layouts[i];
			w->pfn_base = base;
			return true;
		}
	return false;
}

/* Every 4 GiB of the kernel's half that begins with something mapped. */
static bool
try_everywhere(struct windows *w, const struct proofs *p)
{
	struct mmu_walk at;

	if (try_layouts(w, p, PFN_BASE_FIXED))
		return true;
	for (uint64_t slot = PAGE_WORDS / 2; slot < PAGE_WORDS; slot++) {
		uint64_t va = UINT64_C(0xffff) << 48 | slot << 39, entry;

		if (va == w->pte_base ||
		    !physical_read(w->memory, w->mmu.root + slot * 8, &entry,
				   8) ||
		    !(entry & 1))
			continue;
		for (uint64_t i = 0; i < 128; i++)
			if (mmu_walk(&w->mmu, va | i << 32, &at) &&
			    try_layouts(w, p, va | i << 32))
				return true;
	}
	return false;
}

/* Where the pages of the database are, once for all. */
static int
map_pfns(struct windows *w, struct err *e)
{
	const struct memory_run *last = &w->memory->runs[w->memory->nruns - 1];

	w->npfns = (last->gpa >> PAGE_SHIFT) + last->npages;
	w->npfn_pages = w->npfns * PFN_BYTES / PAGE_BYTES + 1;
	w->pfn_pages = calloc(w->npfn_pages, sizeof(*w->pfn_pages));
	if (!w->pfn_pages)
		return err_sys(e, "the PFN database of the guest");
	for (uint64_t i = 0; i < w->npfn_pages; i++)
		if (!mmu_translate(&w->mmu, w->pfn_base + i * PAGE_BYTES,
				   &w->pfn_pages[i]))
			w->pfn_pages[i] = 0;
	return 0;
}

/* One page of the database at a time; an entry may stand in two. */
static bool
read_entry(const struct windows *w, uint64_t at, uint8_t *out)
{
	for (size_t left = PFN_BYTES, part; left > 0;
	     at += part, out += part, left -= part) {
		uint64_t gpa = w->pfn_pages[at / PAGE_BYTES];
		size_t in = at % PAGE_BYTES;

		part = MIN(left, PAGE_BYTES - in);
		if (gpa == 0 || !physical_read(w->memory, gpa + in, out, part))
			return false;
	}
	return true;
}

/* A prototype PTE is the only one outside the self-map, so addresses tell
 * which of the two bits says that there is one.
 */
static void
find_prototype_bit(struct windows *w)
{
	const struct pfn_layout *one = w->layout, *other = w->layout + 1;
	uint64_t step = 1 + w->npfns / PROTOTYPE_SAMPLES;
	int64_t for_other = 0;

	if (w->is_old)
		return;
	for (uint64_t n = 0; n < w->npfns; n += step) {
		uint8_t entry[PFN_BYTES];
		struct pfn a, b;

		if (!read_entry(w, n * PFN_BYTES, entry))
			continue;
		decode(one, entry, &a);
		decode(other, entry, &b);
		if (a.location < PFN_STANDBY || a.prototype == b.prototype)
			continue;
		for_other += b.prototype != windows_is_pte(w, b.pte) ? 1 : -1;
	}
	if (for_other > 0)
		w->layout = other;
}

bool
windows_find_pfns(struct windows *w, struct err *e)
{
	auto_free struct proofs *p = malloc(sizeof(*p));

	if (!p)
		return err_sys(e, "the page tables of the guest") == 0;
	collect_proofs(w, p);
	if (!try_everywhere(w, p) || map_pfns(w, e) < 0)
		return false;
	w->is_old = w->layout == &layouts[0];
	find_prototype_bit(w);
	return true;
}

const char *
windows_layout_name(const struct windows *w)
{
	return w->layout->versions;
}

bool
windows_pfn(const struct windows *w, uint64_t n, struct pfn *out)
{
	static const uint8_t none[PFN_BYTES];
	uint8_t entry[PFN_BYTES];

	/* What is no memory may have room in the database all the same. */
	if (n >= w->npfns || !read_entry(w, n * PFN_BYTES, entry) ||
	    memcmp(entry, none, sizeof(none)) == 0)
		return false;
	decode(w->layout, entry, out);
	return true;
}

void
windows_pfns_agree(const struct windows *w, uint64_t *agree, uint64_t *looked)
{
	auto_free struct proofs *p = malloc(sizeof(*p));

	*agree = *looked = 0;
	if (!p)
		return;
	collect_proofs(w, p);
	*looked = p->n;
	for (size_t i = 0; i < p->n; i++) {
		struct pfn pfn;

		*agree += windows_pfn(w, p->list[i].pfn, &pfn) &&
			  proof_holds(&p->list[i], &pfn);
	}
}

/* The neighbour in that direction names page n, or the list ends there. */
static bool
neighbour_agrees(const struct windows *w, uint64_t n, uint64_t at, bool next,
		 bool *is_end)
{
	struct pfn p;

	*is_end = at >= w->npfns;
	if (*is_end)
		return true;
	return at != n && windows_pfn(w, at, &p) && p.location == PFN_FREE &&
	       (next ? p.previous : p.next) == n;
}

/* Whether the PTE that last mapped page n still leads to it: as a valid one,
 * or as one in transition.  Both have the frame in the same bits, but for one
 * that may be inverted in the latter.
 */
static bool
is_mapped(const struct windows *w, uint64_t n, const struct pfn *p)
{
	uint64_t at = p->frame << PAGE_SHIFT | (p->pte & (PAGE_BYTES - 1));
	uint64_t pte;

	if (!physical_read(w->memory, at, &pte, sizeof(pte)))
		return false;
	return (pte & (PTE_VALID | PTE_TRANSITION)) &&
	       ((pte >> PAGE_SHIFT ^ n) & PFN_FRAME & ~PTE_INVERTED) == 0;
}

bool
windows_is_free(const struct windows *w, uint64_t n, const struct pfn *p)
{
	bool first, last;

	return p->location == PFN_FREE && p->references == 0 && !p->modified &&
	       neighbour_agrees(w, n, p->next, true, &last) &&
	       neighbour_agrees(w, n, p->previous, false, &first) &&
	       !(first && last) && !is_mapped(w, n, p);
}
