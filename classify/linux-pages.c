/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "classify/guest-impl.h"
#include "classify/guest.h"
#include "classify/linux-impl.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

/* Entries of the array of struct page that are read at a time. */
#define PAGES_CHUNK     64
#define PAGE_STRUCT_MAX 128

/* The guest's count and ours may differ by pages that are just going. */
#define PAGES_FREE_SLACK 1024

/* page.mapping: what its low bits say */
#define MAPPING_FLAGS 3
#define MAPPING_ANON  1

struct pages {
	struct guest *guest;
	const struct linux_tables *tables;
	struct linux_files files;
	struct linux_percpu percpu;
	const struct memory_run *run;
	uint64_t array; /* virtual: struct page n stands at array + n * size */
	uint64_t free_left; /* pages left of a block of free pages */
	/* What the checks are about. */
	uint64_t described, nblocks, bad_blocks, nfree, busy;
	uint64_t mappings, bad_mappings;
};

struct linux_entry
linux_entry_read(const struct linux_tables *t, const uint8_t *at)
{
	const struct linux_layout *l = &t->layout;
	struct linux_entry x = {
		.flags = load_le64(at + l->flags),
		.prev = load_le64(at + l->list + 8),
		.head = load_le64(at + l->head),
		.mapping = load_le64(at + l->mapping),
		.private = load_le64(at + l->private),
		.type = load_le32(at + l->mapcount),
		.refcount = load_le32(at + l->refcount),
	};

	if (t->types.known)
		x.index = load_le64(at + t->types.page_index);
	return x;
}

bool
linux_is_type(const struct linux_layout *l, uint32_t type, uint32_t want)
{
	return want != 0 && (type & l->type_mask) == (want & l->type_mask);
}

/* Older kernels may clear the bit of page tables together with others. */
static bool
is_table(const struct linux_layout *l, uint32_t type)
{
	if (l->type_mask != UINT32_MAX)
		return linux_is_type(l, type, l->table);
	return type >> 28 == 0xf && (type & ~l->table) == 0;
}

/* Each block of free pages is in a list: its neighbours point back at it. */
static bool
is_listed(const struct linux_tables *t, uint64_t page)
{
	uint64_t list = page + t->layout.list, next, prev, back, forth;

	return mmu_read_u64(&t->mmu, list, &next) &&
	       mmu_read_u64(&t->mmu, list + 8, &prev) &&
	       mmu_read_u64(&t->mmu, next + 8, &back) && back == list &&
	       mmu_read_u64(&t->mmu, prev, &forth) && forth == list;
}

/* Looks how often whether a block is in a list, where the guest runs on. */
#define BLOCK_LOOKS 8

/* Whether page pfn begins a block that is in a list; *gone if, in a guest that
 * runs, it does not begin that block any more.
 */
static bool
pages_is_block(const struct pages *w, uint64_t pfn, const struct linux_entry *x,
	       bool *gone)
{
	const struct linux_layout *l = &w->tables->layout;
	const struct physical *m = w->guest->memory;
	uint64_t at = w->array + pfn * l->page_size;
	uint8_t bytes[PAGE_STRUCT_MAX];
	struct linux_entry now;

	*gone = false;
	for (unsigned i = 0; i < BLOCK_LOOKS; i++) {
		if (is_listed(w->tables, at))
			return true;
		if (!m->forget)
			return false;
		physical_forget(m);
		if (!mmu_read(&w->tables->mmu, at, bytes, l->page_size))
			return false;
		now = linux_entry_read(w->tables, bytes);
		*gone = now.type != x->type || now.private != x->private;
		if (*gone)
			return false;
	}
	return false;
}

/* The first page of a block that the allocator holds. */
static void
pages_block(struct pages *w, uint64_t pfn, const struct linux_entry *x)
{
	const struct linux_layout *l = &w->tables->layout;
	bool gone = false;

	w->nblocks++;
	if (x->private < l->orders && x->refcount == 0 &&
	    (pfn & ((UINT64_C(1) << x->private) - 1)) == 0 &&
	    pages_is_block(w, pfn, x, &gone))
		w->free_left = UINT64_C(1) << x->private;
	else if (gone)
		w->nblocks--;
	else
		w->bad_blocks++;
}

/* The pages of a block are free; one that is in use shows that it is none. */
static void
pages_free(struct pages *w, const struct linux_entry *x, struct page_info *out)
{
	w->free_left--;
	w->busy += x->refcount != 0;
	w->nfree += x->refcount == 0;
	if (x->refcount == 0)
		out->class = CLASS_FREE;
}

/* A page behind the first one of several is what that one is.  Where 'head'
 * is not an address it is a mask that makes the first page's address from
 * this one's.
 */
static bool
pages_tail(const struct pages *w, uint64_t pfn, uint64_t head,
	   struct page_info *out)
{
	uint64_t size = w->tables->layout.page_size, first, back;
	uint64_t start = w->run->gpa >> PAGE_SHIFT;

	if (head >> 32 == UINT32_MAX)
		first = (w->array + pfn * size) & (head - 1);
	else
		first = head - 1;
	first -= w->array;
	if (first % size != 0 || first / size < start || first / size >= pfn)
		return false;
	back = pfn - first / size;
	*out = out[-(int64_t)back];
	if (out->file)
		out->index += (uint32_t)back;
	return true;
}

static int
pages_cached(struct pages *w, const struct linux_entry *x,
	     struct page_info *out, struct err *e)
{
	const struct linux_types *t = &w->tables->types;
	const struct linux_file *f;

	if (!t->known) {
		out->class = CLASS_FILE;
		out->flags = PAGE_DIRTY;
		return 0;
	}
	f = linux_files_of(&w->files, x->mapping, e);
	if (!f)
		return -1;
	w->mappings++;
	if (f->class == CLASS_UNKNOWN) {
		w->bad_mappings++;
		out->class = CLASS_KERNEL;
		return 0;
	}
	out->class = f->class;
	if (x->index <= UINT32_MAX) {
		out->file = f->file;
		out->index = (uint32_t)x->index;
	}
	/* File systems keep things of their own behind the end of a file. */
	if ((x->flags & (t->dirty | t->writeback)) ||
	    !(x->flags & t->uptodate) ||
	    x->index >= f->size / PAGE_BYTES + (f->size % PAGE_BYTES != 0))
		out->flags |= PAGE_DIRTY;
	if (x->type != UINT32_MAX)
		out->flags |= PAGE_MAPPED;
	return 0;
}

/* A page that nobody uses: it may be in a list of one CPU. */
static void
pages_idle(struct pages *w, const struct linux_entry *x)
{
	uint64_t end = w->percpu.end * w->tables->layout.page_size;

	if (x->mapping == 0 && x->type == UINT32_MAX && !(x->head & 1) &&
	    x->prev - w->array >= end)
		linux_percpu_note(&w->percpu, x->prev);
}

static int
pages_one(struct pages *w, uint64_t pfn, const uint8_t *at,
	  struct page_info *out, struct err *e)
{
	const struct linux_layout *l = &w->tables->layout;
	struct linux_entry x = linux_entry_read(w->tables, at);
	bool slab =
		linux_is_type(l, x.type, l->slab) || (x.flags & l->slab_flag);

	if (w->free_left == 0 && !slab && linux_is_type(l, x.type, l->buddy))
		pages_block(w, pfn, &x);
	if (w->free_left > 0)
		pages_free(w, &x, out);
	else if ((x.head & 1) && pages_tail(w, pfn, x.head, out))
		return 0;
	else if (slab)
		out->class = CLASS_SLAB;
	else if (linux_is_type(l, x.type, l->offline))
		out->class = CLASS_OFFLINE;
	else if (is_table(l, x.type))
		out->class = CLASS_TABLE;
	else if (x.flags & w->tables->types.reserved)
		out->class = CLASS_RESERVED;
	else if (x.refcount == 0)
		pages_idle(w, &x);
	else if (x.mapping & MAPPING_ANON)
		out->class = CLASS_ANON;
	else if (x.mapping != 0 && (x.mapping & MAPPING_FLAGS) == 0)
		return pages_cached(w, &x, out, e);
	else
		out->class = CLASS_KERNEL;
	return 0;
}

/* Pages pfn .. pfn + n - 1, whose struct pages lie in one page. */
static int
pages_chunk(struct pages *w, uint64_t pfn, uint64_t n, struct err *e)
{
	uint64_t size = w->tables->layout.page_size;
	uint8_t bytes[PAGES_CHUNK * PAGE_STRUCT_MAX];
	struct page_info *out = w->guest->pages + w->run->first_page +
				(pfn - (w->run->gpa >> PAGE_SHIFT));

	if (!mmu_read(&w->tables->mmu, w->array + pfn * size, bytes,
		      n * size)) {
		w->free_left = 0;
		return 0;
	}
	w->described += n;
	for (uint64_t i = 0; i < n; i++)
		if (pages_one(w, pfn + i, bytes + i * size, out + i, e) < 0)
			return -1;
	return 0;
}

bool
linux_section(const struct linux_tables *t, uint64_t section, uint64_t *array)
{
	const struct linux_layout *l = &t->layout;
	uint64_t root = section / l->sections_per_root, sections, map;

	if (root >= l->nroots ||
	    !mmu_read_u64(&t->mmu, l->roots + 8 * root, &sections) ||
	    sections == 0 ||
	    !mmu_read_u64(&t->mmu,
			  sections +
				  section % l->sections_per_root *
					  l->section_size +
				  l->section_map,
			  &map))
		return false;
	/* Its low bits are flags: it is a multiple of a page. */
	*array = map & ~(uint64_t)(PAGE_BYTES - 1);
	return *array != 0;
}

/* Where the struct pages of a section are, if it has any. */
static bool
pages_section(struct pages *w, uint64_t section)
{
	if (!linux_section(w->tables, section, &w->array))
		return false;
	if (w->described == 0)
		w->percpu.array = w->array;
	if (w->percpu.array != w->array)
		w->percpu.array = 0;
	return true;
}

static int
pages_run(struct pages *w, struct err *e)
{
	uint64_t pfn = w->run->gpa >> PAGE_SHIFT, end = pfn + w->run->npages;
	uint64_t per_section = UINT64_C(1)
			       << (w->tables->layout.section_bits - PAGE_SHIFT);

	while (pfn < end) {
		uint64_t next = MIN(end, (pfn / per_section + 1) * per_section);

		w->free_left = 0;
		if (!pages_section(w, pfn / per_section))
			pfn = next;
		while (pfn < next) {
			uint64_t n = PAGES_CHUNK - pfn % PAGES_CHUNK;

			n = MIN(n, next - pfn);
			if (pages_chunk(w, pfn, n, e) < 0)
				return -1;
			pfn += n;
		}
	}
	return 0;
}

static void
pages_check(struct pages *w)
{
	struct guest *g = w->guest;
	uint64_t blocks[LINUX_ORDERS_MAX], counted = 0;

	guest_check(g, w->tables->types.known, "the kernel's types are there");
	guest_check(g, w->described >= g->memory->npages / 2,
		    "%" PRIu64 " of %" PRIu64 " pages are described",
		    w->described, g->memory->npages);
	guest_check(g, w->nblocks > 0 && w->bad_blocks <= w->nblocks / 100,
		    "%" PRIu64 " of %" PRIu64
		    " blocks of free pages are in lists",
		    w->nblocks - w->bad_blocks, w->nblocks);
	guest_check(g, w->busy <= w->nfree / 1000,
		    "%" PRIu64 " pages in such blocks are in use", w->busy);
	if (linux_zones_count(w->tables, blocks)) {
		for (unsigned o = 0; o < LINUX_ORDERS_MAX; o++)
			counted += blocks[o] << o;
		guest_check(g,
			    counted <= w->nfree + PAGES_FREE_SLACK &&
				    w->nfree <= counted + PAGES_FREE_SLACK,
			    "%" PRIu64
			    " pages are free, the guest counts %" PRIu64,
			    w->nfree, counted);
	} else {
		guest_check(g, false, "the guest's counts are not there");
	}
	guest_check(g, w->bad_mappings <= w->mappings / 100,
		    "%" PRIu64 " of %" PRIu64 " cached pages have an inode",
		    w->mappings - w->bad_mappings, w->mappings);
}

int
linux_pages_classify(struct guest *g, const struct linux_tables *t,
		     struct err *e)
{
	struct pages w = { .guest = g,
			   .tables = t,
			   .percpu = { .guest = g, .tables = t } };
	const struct memory_run *last;
	int ret = linux_files_init(&w.files, g, t, e);

	if (g->memory->nruns > 0) {
		last = &g->memory->runs[g->memory->nruns - 1];
		w.percpu.end = (last->gpa >> PAGE_SHIFT) + last->npages;
	}
	for (size_t i = 0; i < g->memory->nruns && ret == 0; i++) {
		w.run = &g->memory->runs[i];
		ret = pages_run(&w, e);
	}
	linux_files_fini(&w.files);
	if (ret == 0) {
		linux_percpu_classify(&w.percpu);
		pages_check(&w);
	}
	return ret;
}
