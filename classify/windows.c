/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "classify/fill.h"
#include "classify/guest-impl.h"
#include "classify/windows-impl.h"
#include "common/mem.h"
#include "common/page.h"

/* Top tables that are tried; stale ones are left behind by dead processes. */
#define WINDOWS_ROOTS_MAX 64

/* Of the pages that should be zero, one in so many is looked at. */
#define WINDOWS_ZERO_SAMPLES 4096

/* What was counted on the way, for the checks. */
struct counts {
	uint64_t location[8];
	uint64_t entries;
	uint64_t asked, addresses; /* prototype bits that their address bears
				      out, of all */
	uint64_t proven;           /* free pages */
	uint64_t zeroed, zeros;    /* looked at, and zero */
};

static void
windows_close(struct guest *g)
{
	struct windows *w = g->tables;

	if (!w)
		return;
	windows_sections_free(w);
	free(w->modules);
	free(w->pfn_pages);
	free(w);
	g->tables = NULL;
}

static bool
windows_find(struct guest *g, struct err *e)
{
	struct windows *w;
	uint64_t from = 0;

	if (g->memory->nruns == 0)
		return false;
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_sys(e, "the tables of the guest") == 0;
	g->tables = w;
	w->memory = g->memory;
	for (unsigned i = 0; i < WINDOWS_ROOTS_MAX; i++) {
		if (!windows_find_root(w, &from))
			break;
		if (windows_find_pfns(w, e)) {
			snprintf(g->release, sizeof(g->release),
				 w->build ? "%u.%u.%u" : "%u.%u", w->major,
				 w->minor, w->build);
			return true;
		}
		if (e->code != ERR_NONE)
			break;
	}
	windows_close(g);
	return false;
}

/* A large page has the entry of the table above as its PTE; the place of the
 * page in it is not told by that.
 */
static uint64_t
va_of_page(const struct windows *w, uint64_t n, const struct pfn *p,
	   bool *is_table)
{
	uint64_t va = windows_va_of(w, p->pte), entry;

	*is_table = windows_is_pte(w, va);
	if (!*is_table || !mmu_read_u64(&w->mmu, p->pte, &entry) ||
	    (entry & 0x81) != 0x81)
		return va;
	*is_table = false;
	return windows_va_of(w, va) +
	       ((n << PAGE_SHIFT) & ((UINT64_C(1) << 21) - 1));
}

static void
classify_private(const struct windows *w, uint64_t n, const struct pfn *p,
		 struct page_info *out)
{
	const struct windows_module *m;
	bool is_table;
	uint64_t va = va_of_page(w, n, p, &is_table);

	if (is_table) {
		out->class = CLASS_TABLE;
		return;
	}
	if (va >> 47 == 0) {
		out->class = CLASS_ANON;
		return;
	}
	out->class = CLASS_KERNEL;
	m = windows_module_at(w, va);
	if (!m)
		return;
	out->class = CLASS_IMAGE;
	out->file = m->file;
	out->index = (uint32_t)((va - m->base) >> PAGE_SHIFT);
}

static int
classify_shared(struct windows *w, struct guest *g, const struct pfn *p,
		struct page_info *out, struct err *e)
{
	const struct section *s = windows_section(w, g, p, e);

	if (!s) {
		out->class = CLASS_SHMEM;
		return e->code == ERR_NONE ? 0 : -1;
	}
	out->class = (uint8_t)s->class;
	if (s->class == CLASS_SHMEM)
		return 0;
	out->file = s->file;
	out->index = (uint32_t)(s->first + (p->pte - s->ptes) / 8);
	if (p->modified || p->location == PFN_MODIFIED ||
	    p->location == PFN_MODIFIED_NO_WRITE)
		out->flags |= PAGE_DIRTY;
	if (p->location == PFN_ACTIVE)
		out->flags |= PAGE_MAPPED;
	if (p->location == PFN_STANDBY) {
		out->class = CLASS_STANDBY;
		out->priority = p->priority;
	}
	return 0;
}

static int
classify_page(struct windows *w, struct guest *g, uint64_t n,
	      struct page_info *out, struct counts *c, struct err *e)
{
	struct pfn p;

	if (!windows_pfn(w, n, &p))
		return 0;
	c->entries++;
	c->location[p.location]++;
	if (p.location == PFN_ZEROED) {
		out->class = CLASS_ZEROED;
		return 0;
	}
	if (p.location == PFN_FREE) {
		bool is = windows_is_free(w, n, &p);

		out->class = is ? CLASS_FREE : CLASS_UNKNOWN;
		c->proven += is;
		return 0;
	}
	if (p.location == PFN_BAD || p.pte == 0)
		return 0;
	c->asked++;
	if (p.prototype == windows_is_pte(w, p.pte))
		return 0; /* they disagree: say nothing of it */
	c->addresses++;
	if (p.prototype)
		return classify_shared(w, g, &p, out, e);
	classify_private(w, n, &p, out);
	return 0;
}

/* What is known of the page at a physical address; NULL: no memory. */
static struct page_info *
info_of(const struct guest *g, uint64_t n)
{
	size_t low = 0, high = g->memory->nruns;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (g->memory->runs[mid].gpa >> PAGE_SHIFT <= n)
			low = mid;
		else
			high = mid;
	}
	n -= g->memory->runs[low].gpa >> PAGE_SHIFT;
	if (n >= g->memory->runs[low].npages)
		return NULL;
	return &g->pages[g->memory->runs[low].first_page + n];
}

/* From page n, which is not proven, along its list as far as pages were.  Some
 * free pages are in no list of this kind (processors keep a few), and what
 * they have in its place leads anywhere: a neighbour must name the page, too.
 */
static void
doubt_list(const struct windows *w, struct guest *g, uint64_t n, bool forth)
{
	struct page_info *info;
	struct pfn p, near;

	while (windows_pfn(w, n, &p)) {
		uint64_t to = forth ? p.next : p.previous;

		if (!windows_pfn(w, to, &near) ||
		    (forth ? near.previous : near.next) != n)
			return;
		info = info_of(g, to);
		if (!info || info->class != CLASS_FREE)
			return;
		info->class = CLASS_UNKNOWN;
		n = to;
	}
}

/* A list in which one page is not proven is not believed at all: were some
 * entries of another list changed so as to say free, they would bear each
 * other out, but not where they end.
 */
static void
doubt_lists(const struct windows *w, struct guest *g, struct counts *c)
{
	if (c->proven == c->location[PFN_FREE])
		return;
	for (size_t i = 0; i < g->memory->nruns; i++) {
		const struct memory_run *r = &g->memory->runs[i];

		for (uint64_t k = 0; k < r->npages; k++) {
			uint64_t n = (r->gpa >> PAGE_SHIFT) + k;
			struct pfn p;

			if (g->pages[r->first_page + k].class !=
				    CLASS_UNKNOWN ||
			    !windows_pfn(w, n, &p) || p.location != PFN_FREE)
				continue;
			doubt_list(w, g, n, true);
			doubt_list(w, g, n, false);
		}
	}
}

/* Pages on the zeroed list that are not zero: the list was misread. */
static void
sample_zeros(const struct guest *g, struct counts *c)
{
	uint64_t step = 1 + c->location[PFN_ZEROED] / WINDOWS_ZERO_SAMPLES;
	uint8_t scratch[PAGE_BYTES];
	uint64_t seen = 0, value;

	for (size_t i = 0; i < g->memory->nruns; i++) {
		const struct memory_run *r = &g->memory->runs[i];

		for (uint64_t k = 0; k < r->npages; k++) {
			const uint8_t *page;

			if (g->pages[r->first_page + k].class != CLASS_ZEROED ||
			    seen++ % step != 0)
				continue;
			page = g->memory->page(g->memory->arg,
					       r->gpa + k * PAGE_BYTES,
					       scratch);
			c->zeroed++;
			c->zeros +=
				page && fill_find(page, &value) && value == 0;
		}
	}
}

static bool
most(uint64_t n, uint64_t of, unsigned percent)
{
	return n * 100 >= of * percent;
}

#define U (unsigned long long)

static void
say_checks(const struct windows *w, struct guest *g, const struct counts *c,
	   bool modules_sound)
{
	uint64_t agree, looked, nfree = c->location[PFN_FREE];

	/* These two hold, or there would be no guest to speak of. */
	guest_check(g, true,
		    "the page tables at 0x%llx map themselves at 0x%llx, and "
		    "a Windows %u.%u",
		    U w->mmu.root, U w->pte_base, w->major, w->minor);
	guest_check(g, true, "PFN entries are laid out as in %s",
		    windows_layout_name(w));
	windows_pfns_agree(w, &agree, &looked);
	guest_check(g, most(agree, looked, 90),
		    "%llu of %llu page tables have their entry in the PFN "
		    "database at 0x%llx",
		    U agree, U looked, U w->pfn_base);
	guest_check(g, most(c->entries, g->memory->npages, 95),
		    "%llu of %llu pages have an entry", U c->entries,
		    U g->memory->npages);
	guest_check(g,
		    c->location[PFN_ACTIVE] > 0 &&
			    c->location[PFN_BAD] * 100 <= c->entries,
		    "%llu pages are active, %llu bad",
		    U c->location[PFN_ACTIVE], U c->location[PFN_BAD]);
	guest_check(g, most(c->addresses, c->asked, 95),
		    "%llu of %llu pages have a bit and an address that agree "
		    "on who maps them",
		    U c->addresses, U c->asked);
	guest_check(g, most(w->sections->valid, w->sections->asked, 95),
		    "%llu of %llu shared pages lead to a section that proves "
		    "itself",
		    U w->sections->valid, U w->sections->asked);
	guest_check(g, most(c->zeros, c->zeroed, 99),
		    "%llu of %llu pages on the zeroed list are zero",
		    U c->zeros, U c->zeroed);
	guest_check(g, most(c->proven, nfree, 90),
		    "%llu of %llu pages on the free list are free by their "
		    "neighbours and their PTE",
		    U c->proven, U nfree);
	guest_check(g, w->nmodules > 0 && modules_sound,
		    "%zu modules in a list that closes", w->nmodules);
}

static int
windows_classify(struct guest *g, struct err *e)
{
	struct windows *w = g->tables;
	struct counts c = { .entries = 0 };
	bool modules_sound;

	windows_sections_free(w);
	if (windows_sections_new(w, e) < 0 ||
	    windows_find_modules(w, g, &modules_sound, e) < 0)
		return -1;
	for (size_t i = 0; i < g->memory->nruns; i++) {
		const struct memory_run *r = &g->memory->runs[i];

		for (uint64_t k = 0; k < r->npages; k++)
			if (classify_page(w, g, (r->gpa >> PAGE_SHIFT) + k,
					  &g->pages[r->first_page + k], &c,
					  e) < 0)
				return -1;
	}
	doubt_lists(w, g, &c);
	sample_zeros(g, &c);
	say_checks(w, g, &c, modules_sound);
	return 0;
}

const struct guest_kind guest_windows = {
	.os = GUEST_WINDOWS,
	.find = windows_find,
	.classify = windows_classify,
	.close = windows_close,
};
