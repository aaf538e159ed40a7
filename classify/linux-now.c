/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/guest-now.h"
#include "classify/linux-impl.h"
#include "common/mem.h"
#include "common/page.h"

/* Pages of the largest block, of which there are never more. */
#define NOW_CHUNK_MAX  4096
#define NOW_STRUCT_MAX 128
/* Pages of which one may not be described: RAM that ends in the middle of a
 * block has some.
 */
#define NOW_MISSING 256
/* Where no chunk is known. */
#define NOW_NONE UINT64_MAX

struct guest_now {
	const struct guest *guest;
	const struct linux_tables *tables;
	struct linux_clock clock;
	uint64_t array;
	/* Of each page of the array, where it was at first: it may move. */
	uint64_t *places;
	size_t nplaces;
	uint64_t per_chunk, chunk; /* that is known */
	uint8_t free[NOW_CHUNK_MAX];
	uint8_t *bytes[2]; /* of a chunk, read twice */
};

/* Part of the array, as it is now; all ones, which say "in use", where there is
 * none.
 */
static void
now_read(const struct guest_now *n, uint64_t pfn, uint64_t npages, uint8_t *out)
{
	uint64_t at = pfn * n->tables->layout.page_size;
	uint64_t left = npages * n->tables->layout.page_size, part;

	for (; left > 0; at += part, out += part, left -= part) {
		uint64_t in = at % PAGE_BYTES, k = at / PAGE_BYTES;

		part = MIN(PAGE_BYTES - in, left);
		if (k >= n->nplaces || n->places[k] == 0 ||
		    !physical_read(n->guest->memory, n->places[k] + in, out,
				   part))
			memset(out, 0xff, part);
	}
}

static bool
now_same(const struct linux_entry *a, const struct linux_entry *b)
{
	return a->type == b->type && a->private == b->private &&
	       a->refcount == b->refcount;
}

/* Marks the block that begins at page i of the chunk, if one does: returns
 * how many pages to go on.
 */
static uint64_t
now_block(struct guest_now *n, uint64_t i)
{
	const struct linux_layout *l = &n->tables->layout;
	struct linux_entry a, b;
	uint64_t pages;

	a = linux_entry_read(n->tables, n->bytes[0] + i * l->page_size);
	b = linux_entry_read(n->tables, n->bytes[1] + i * l->page_size);
	if (!linux_is_type(l, a.type, l->buddy) || !now_same(&a, &b) ||
	    (a.flags & l->slab_flag) || a.private >= l->orders ||
	    a.refcount != 0)
		return 1;
	pages = UINT64_C(1) << a.private;
	if (i % pages != 0 || i + pages > n->per_chunk)
		return 1;
	for (uint64_t k = i; k < i + pages; k++) {
		a = linux_entry_read(n->tables, n->bytes[0] + k * l->page_size);
		b = linux_entry_read(n->tables, n->bytes[1] + k * l->page_size);
		n->free[k] = a.refcount == 0 && b.refcount == 0;
	}
	return pages;
}

/* Says "in use" of what was read where the array is not any more: kernels that
 * save on it map parts of it elsewhere and give away the pages.
 */
static void
now_doubt(struct guest_now *n, uint64_t chunk)
{
	uint64_t len = n->per_chunk * n->tables->layout.page_size, part;
	uint64_t at = chunk * len, end = at + len;

	physical_forget(n->guest->memory);
	for (; at < end; at += part) {
		uint64_t k = at / PAGE_BYTES, now;

		part = MIN(PAGE_BYTES - at % PAGE_BYTES, end - at);
		if (k >= n->nplaces ||
		    !mmu_translate(&n->tables->mmu, n->array + k * PAGE_BYTES,
				   &now) ||
		    now != n->places[k])
			memset(n->bytes[0] + (at - chunk * len), 0xff, part);
	}
}

static void
now_load(struct guest_now *n, uint64_t chunk)
{
	for (unsigned i = 0; i < 2; i++) {
		physical_forget(n->guest->memory);
		now_read(n, chunk * n->per_chunk, n->per_chunk, n->bytes[i]);
	}
	now_doubt(n, chunk);
	memset(n->free, 0, sizeof(n->free));
	for (uint64_t i = 0; i < n->per_chunk;)
		i += now_block(n, i);
	n->chunk = chunk;
}

/* The frame of page 'page' of the memory. */
static bool
now_frame(const struct guest_now *n, uint64_t page, uint64_t *pfn)
{
	const struct physical *m = n->guest->memory;

	for (size_t i = 0; i < m->nruns; i++) {
		const struct memory_run *r = &m->runs[i];

		if (page - r->first_page < r->npages) {
			*pfn = r->gpa / PAGE_BYTES + (page - r->first_page);
			return true;
		}
	}
	return false;
}

bool
guest_now_is_free(struct guest_now *n, uint64_t page)
{
	const struct linux_tables *t = n->tables;
	uint8_t bytes[NOW_STRUCT_MAX];
	uint64_t pfn;

	if (!now_frame(n, page, &pfn))
		return false;
	if (pfn / n->per_chunk != n->chunk) {
		/* Most are in use: that is told by the page alone. */
		now_read(n, pfn, 1, bytes);
		if (linux_entry_read(t, bytes).refcount != 0)
			return false;
		now_load(n, pfn / n->per_chunk);
	}
	return n->free[pfn % n->per_chunk];
}

bool
guest_now_look(struct guest_now *n)
{
	physical_forget(n->guest->memory);
	n->chunk = NOW_NONE;
	return linux_clock_holds(&n->clock, n->guest->memory);
}

bool
guest_now_ticks(struct guest_now *n, uint64_t now_ns)
{
	physical_forget(n->guest->memory);
	return linux_clock_moves(&n->clock, n->guest->memory, now_ns);
}

uint64_t
guest_now_clock(const struct guest_now *n)
{
	return n->clock.ticks;
}

/* With page table isolation a program runs with a top table of its own, next
 * to the kernel's.
 */
bool
guest_now_runs(const struct guest_now *n, uint64_t cr3)
{
	struct mmu mmu = n->tables->mmu;
	uint64_t text, ours, theirs;

	if (!vmcoreinfo_get(&n->tables->info, "SYMBOL(_stext)", &text) ||
	    !mmu_translate(&n->tables->mmu, text, &ours))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		mmu.root = (cr3 & ~(uint64_t)(PAGE_BYTES - 1)) ^
			   (i ? PAGE_BYTES : 0);
		if (mmu_translate(&mmu, text, &theirs) && theirs == ours &&
		    mmu_translate(&mmu, n->array, &theirs) &&
		    theirs == n->places[0])
			return true;
	}
	return false;
}

/* All sections have one array, and all of the memory is described there.  If a
 * part of it is not, it stands at other addresses than we think.
 */
static int
now_place(struct guest_now *n, struct err *e)
{
	const struct linux_layout *l = &n->tables->layout;
	const struct physical *m = n->guest->memory;
	const struct memory_run *last = &m->runs[m->nruns - 1];
	uint64_t end = last->gpa / PAGE_BYTES + last->npages, missing = 0;
	uint64_t per_section = UINT64_C(1) << (l->section_bits - PAGE_SHIFT);

	n->nplaces = end * l->page_size / PAGE_BYTES + 1;
	n->places = calloc(n->nplaces, sizeof(*n->places));
	if (!n->places)
		return err_sys(e, "the guest's pages");
	for (size_t i = 0; i < m->nruns; i++) {
		uint64_t pfn = m->runs[i].gpa / PAGE_BYTES, array;
		uint64_t stop = pfn + m->runs[i].npages;

		for (; pfn < stop; pfn += per_section) {
			uint64_t next = MIN(stop, pfn + per_section);
			uint64_t k = pfn * l->page_size / PAGE_BYTES;

			if (!linux_section(n->tables, pfn / per_section,
					   &array) ||
			    (n->array && n->array != array)) {
				missing += next - pfn;
				continue;
			}
			n->array = array;
			for (; k * PAGE_BYTES < next * l->page_size; k++)
				missing += !mmu_translate(
					&n->tables->mmu, array + k * PAGE_BYTES,
					&n->places[k]);
		}
	}
	return missing * NOW_MISSING <= m->npages && n->array && n->places[0]
		       ? 0
		       : err_set(e, ERR_USAGE,
				 "the guest's memory is not where it thinks");
}

static int
now_room(struct guest_now *n, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		n->bytes[i] = calloc(n->per_chunk, n->tables->layout.page_size);
		if (!n->bytes[i])
			return err_sys(e, "the guest's pages");
	}
	return 0;
}

struct guest_now *
guest_now_open(const struct guest *g, struct err *e)
{
	struct guest_now *n = calloc(1, sizeof(*n));

	if (!n) {
		(void)err_sys(e, "the guest's tables");
		return NULL;
	}
	n->guest = g;
	n->tables = g->tables;
	n->chunk = NOW_NONE;
	if (g->os != GUEST_LINUX || !g->drops) {
		(void)err_set(e, ERR_USAGE, "not every check passed");
		guest_now_close(n);
		return NULL;
	}
	n->per_chunk = UINT64_C(1) << (n->tables->layout.orders - 1);
	if (n->per_chunk > NOW_CHUNK_MAX ||
	    n->tables->layout.page_size > NOW_STRUCT_MAX)
		(void)err_set(e, ERR_USAGE, "blocks of free pages too large");
	else if (now_room(n, e) == 0 && now_place(n, e) == 0 &&
		 linux_clock_find(&n->clock, n->tables, e) == 0)
		return n;
	guest_now_close(n);
	return NULL;
}

void
guest_now_close(struct guest_now *n)
{
	if (!n)
		return;
	linux_clock_close(&n->clock);
	free(n->bytes[0]);
	free(n->bytes[1]);
	free(n->places);
	free(n);
}
