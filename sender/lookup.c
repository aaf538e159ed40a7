/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/delta.h"
#include "dedup/normal.h"
#include "dedup/vmlinux-run.h"
#include "dedup/vmlinux.h"
#include "sender/lookup.h"

/* Enters every page of a base: 0.1 s per GiB, once. */
static int
lookup_load_held(struct lookup *l, size_t base, struct err *e)
{
	const struct base *b = &l->bases[base];
	struct lookup_held *h = &l->held[l->nheld];

	if (l->nheld == LOOKUP_HELD)
		return 0;
	*h = (struct lookup_held){ .base = base };
	l->nheld++;
	if (table_init(&h->equal, b->npages, e) < 0 ||
	    table_init(&h->normal, b->npages, e) < 0)
		return -1;
	for (uint64_t n = 0; n < b->npages; n++) {
		const uint8_t *page = memory_page(b->memory, n);
		uint64_t value, hash;

		if (!base_shares(b, n) || fill_find(page, &value))
			continue;
		table_add(&h->equal, digest_hint(page, PAGE_BYTES),
			  (uint32_t)n);
		if (normal_hash(page, &hash) > 0)
			table_add(&h->normal, hash, (uint32_t)n);
	}
	return 0;
}

/* Lines are told apart by so many bits before the table is asked. */
#define LOOKUP_MAY_BITS 21

static uint64_t *
lookup_may(const struct lookup_modules *ms, uint32_t line, uint64_t *bit)
{
	uint32_t n = line >> (32 - LOOKUP_MAY_BITS);

	*bit = UINT64_C(1) << n % 64;
	return &ms->may[n / 64];
}

/* The hash of a line for the table, which uses both halves of one. */
static uint64_t
lookup_line(uint32_t line)
{
	return line * UINT64_C(0x9e3779b97f4a7c15);
}

static void
lookup_add_line(struct lookup_modules *ms, uint32_t line, uint32_t page)
{
	uint64_t bit, *may = lookup_may(ms, line, &bit);

	if (line == 0)
		return;
	*may |= bit;
	table_add(&ms->lines, lookup_line(line), page);
}

static bool
lookup_find_line(const struct lookup_modules *ms, uint32_t line, uint32_t *page)
{
	uint64_t bit, *may = lookup_may(ms, line, &bit);

	return line != 0 && (*may & bit) &&
	       table_find(&ms->lines, lookup_line(line), page);
}

static int
lookup_load_modules(struct lookup *l, size_t base, struct err *e)
{
	const struct modules *ms = l->bases[base].modules;
	struct lookup_modules *to = &l->modules[l->nmodules];
	uint32_t n = ms ? modules_npages(ms) : 0;

	if (n == 0 || l->bases[base].regions || l->nmodules == LOOKUP_HELD)
		return 0;
	*to = (struct lookup_modules){ .base = base };
	l->nmodules++;
	if (table_init(&to->lines, (size_t)n * MODULES_LINES, e) < 0)
		return -1;
	to->may = calloc((1u << LOOKUP_MAY_BITS) / 64, sizeof(*to->may));
	if (!to->may)
		return err_sys(e, "%u pages of modules", n);
	for (uint32_t i = 0; i < n; i++)
		for (unsigned k = 0; k < MODULES_LINES; k++)
			lookup_add_line(to, modules_line_of(ms, i, k), i);
	return 0;
}

/* Pages of a kernel that are compared to find out where it runs. */
#define LOOKUP_PROBES 32
/* As many must agree: constants are the same in any kernel of a version. */
#define LOOKUP_AGREE 3

static unsigned
lookup_agree(const struct lookup *l, const struct memory *kernel,
	     uint64_t shift)
{
	uint64_t first = kernel->by_gpa[0].gpa;
	uint64_t npages = vmlinux_run_pages(kernel);
	unsigned agree = 0;

	for (uint64_t i = 0; i < LOOKUP_PROBES; i++) {
		uint64_t k = i * npages / LOOKUP_PROBES, n, value;
		const uint8_t *page = memory_page(kernel, k);

		if (memory_page_at(l->memory, first + k * PAGE_BYTES + shift,
				   &n) &&
		    memcmp(memory_page(l->memory, n), page, PAGE_BYTES) == 0 &&
		    !fill_find(page, &value))
			agree++;
	}
	return agree;
}

/* Where this guest runs that kernel, if it does: KASLR moves it as a whole. */
static void
lookup_place_kernel(struct lookup *l, size_t base)
{
	const struct memory *kernel = l->bases[base].memory, *m = l->memory;
	uint64_t first = kernel->by_gpa[0].gpa, best = 0, end = 0;
	unsigned most = LOOKUP_AGREE - 1;

	if (l->nplaces == LOOKUP_PLACES)
		return;
	for (size_t i = 0; i < m->nruns; i++)
		end = MAX(end,
			  m->by_gpa[i].gpa + m->by_gpa[i].npages * PAGE_BYTES);
	for (uint64_t at = first % VMLINUX_ALIGN; at < end;
	     at += VMLINUX_ALIGN) {
		unsigned agree = lookup_agree(l, kernel, at - first);

		if (agree <= most)
			continue;
		most = agree;
		best = at - first;
	}
	if (most >= LOOKUP_AGREE)
		l->places[l->nplaces++] =
			(struct lookup_place){ base, best, 0 };
}

/* Pages that a kernel begins with and that are looked for as they come, */
#define LOOKUP_FIRST 16
/* and how many of their words must be there: it patches some. */
#define LOOKUP_BEGINS (PAGE_WORDS / 4 * 3)

static bool
lookup_begins(const uint8_t *page, const uint8_t *kernel)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i++)
		n += page_word(kernel, i) != 0 &&
		     page_word(page, i) == page_word(kernel, i);
	return n >= LOOKUP_BEGINS;
}

static uint64_t
lookup_gpa(const struct lookup *l, uint64_t n)
{
	const struct memory_segment *s = memory_segment_of(l->memory, n);

	return s->gpa + (n - s->first_page) * PAGE_BYTES;
}

/* Live there is no memory yet to look for a kernel in; but pages come in order
 * at first, so whether one begins here is known before the rest of it comes.
 * To be wrong costs time: what stands there is compared.
 */
static void
lookup_watch_kernels(struct lookup *l, const struct lookup_page *p)
{
	uint64_t gpa = lookup_gpa(l, p->number);

	for (size_t i = 0; i < l->nunplaced; i++) {
		size_t base = l->unplaced[i];
		const struct memory *kernel = l->bases[base].memory;
		uint64_t first = kernel->by_gpa[0].gpa;
		uint64_t k = (gpa - first) % VMLINUX_ALIGN / PAGE_BYTES;

		if (k >= LOOKUP_FIRST || k >= kernel->npages ||
		    l->nplaces == LOOKUP_PLACES ||
		    !lookup_begins(p->bytes, memory_page(kernel, k)))
			continue;
		l->places[l->nplaces++] = (struct lookup_place){
			base, gpa - first - k * PAGE_BYTES, 0
		};
		l->unplaced[i--] = l->unplaced[--l->nunplaced];
	}
}

/* A kernel begins with pages that tell how it runs. */
static void
lookup_watch_ways(struct lookup *l, const struct lookup_page *p)
{
	for (size_t i = 0; i < l->nplaces; i++) {
		struct lookup_place *place = &l->places[i];
		const struct base *b = &l->bases[place->base];
		uint64_t k;

		if (place->way == 0 && b->kind == BASE_KERNEL && !b->regions &&
		    memory_page_at(b->memory,
				   lookup_gpa(l, p->number) - place->shift, &k))
			place->way = vmlinux_run_way(b->memory, k, p->bytes);
	}
}

static int
lookup_load(struct lookup *l, struct err *e)
{
	if (table_init(&l->sent, l->memory->npages, e) < 0 ||
	    table_init(&l->sent_normal, l->memory->npages, e) < 0)
		return -1;
	for (size_t i = 1; i < l->nbases; i++)
		if (l->bases[i].kind == BASE_MEMORY && l->bases[i].memory)
			l->kept = i;
	if (l->kept) {
		l->places[l->nplaces++] =
			(struct lookup_place){ l->kept, 0, 0 };
		if (lookup_load_held(l, l->kept, e) < 0)
			return -1;
	}
	for (size_t i = 1; i < l->nbases; i++)
		if (l->bases[i].kind == BASE_KERNEL && !l->seen)
			lookup_place_kernel(l, i);
		else if (l->bases[i].kind == BASE_KERNEL &&
			 l->nunplaced < LOOKUP_PLACES)
			l->unplaced[l->nunplaced++] = i;
		else if (l->bases[i].kind == BASE_PROGRAMS &&
			 (lookup_load_held(l, i, e) < 0 ||
			  lookup_load_modules(l, i, e) < 0))
			return -1;
	return 0;
}

int
lookup_init(struct lookup *l, const struct memory *memory,
	    const struct base *bases, size_t nbases, bool live, struct err *e)
{
	memset(l, 0, sizeof(*l));
	l->memory = memory;
	l->bases = bases;
	l->nbases = nbases;
	if (memory->npages >= UINT32_MAX)
		return err_set(e, ERR_LIMIT, "memory of more than 16 TiB");
	if (live)
		l->seen = calloc(memory->npages / 8 + 1, 1);
	if (live && !l->seen)
		return err_sys(e, "%llu pages",
			       (unsigned long long)memory->npages);
	if (lookup_load(l, e) == 0)
		return 0;
	lookup_fini(l);
	return -1;
}

void
lookup_fini(struct lookup *l)
{
	table_fini(&l->sent);
	table_fini(&l->sent_normal);
	for (size_t i = 0; i < l->nheld; i++) {
		table_fini(&l->held[i].equal);
		table_fini(&l->held[i].normal);
	}
	for (size_t i = 0; i < l->nmodules; i++) {
		table_fini(&l->modules[i].lines);
		free(l->modules[i].may);
	}
	free(l->seen);
	l->seen = NULL;
}

const uint8_t *
lookup_bytes(const struct lookup *l, struct plan_ref ref, uint8_t scratch[4096])
{
	struct err never; /* only images are read */

	if (ref.base == PLAN_BASE_HISTORY)
		return memory_page(l->memory, ref.page);
	return base_page(&l->bases[ref.base], ref.page, scratch, &never);
}

void
lookup_sent(struct lookup *l, uint64_t n)
{
	l->seen[n / 8] |= (uint8_t)(1u << n % 8);
}

static bool
lookup_was_sent(const struct lookup *l, uint64_t n)
{
	return l->seen[n / 8] >> n % 8 & 1;
}

/* The page of a base laid out like the guest that stands for page n. */
static bool
lookup_place(const struct lookup *l, const struct lookup_place *p, uint64_t n,
	     uint64_t gpa, uint64_t *page)
{
	const struct base *b = &l->bases[p->base];

	if (l->seen && p->base == l->kept)
		*page = n;
	else if (!memory_page_at(b->memory, gpa - p->shift, page))
		return false;
	*page += p->way * b->npages;
	return base_shares(b, *page);
}

size_t
lookup_places(const struct lookup *l, uint64_t n,
	      struct plan_ref refs[LOOKUP_REFS])
{
	uint64_t gpa = lookup_gpa(l, n);
	size_t found = 0;

	if (l->seen && lookup_was_sent(l, n))
		refs[found++] = (struct plan_ref){ PLAN_BASE_HISTORY, n };
	for (size_t i = 0; i < l->nplaces; i++) {
		uint64_t page;

		if (lookup_place(l, &l->places[i], n, gpa, &page))
			refs[found++] =
				(struct plan_ref){ (uint8_t)l->places[i].base,
						   page };
	}
	return found;
}

/* Whether block n of an image holds the page, now. */
static bool
lookup_block_is(const struct base *b, uint64_t n, const uint8_t *page)
{
	const uint8_t *block;
	const struct fingerprint *want;
	struct fingerprint have;
	struct err e;

	if (!base_shares(b, n))
		return false;
	block = image_block(b->image, n);
	if (block)
		return memcmp(block, page, PAGE_BYTES) == 0;
	want = base_fingerprint(b, n);
	return want && fingerprint_pages(&page, 1, &have, &e) == 0 &&
	       memcmp(want->b, have.b, FINGERPRINT_BYTES) == 0;
}

static bool
lookup_images(struct lookup *l, const uint8_t *page, uint64_t hint,
	      struct plan_ref *ref)
{
	uint32_t blocks[INDEX_CANDIDATES];

	for (size_t i = 1; i < l->nbases; i++) {
		const struct base *b = &l->bases[i];
		size_t n;

		if (b->kind != BASE_IMAGE || !b->index)
			continue;
		n = index_find(b->index, hint, blocks);
		for (size_t k = 0; k < n; k++)
			if (lookup_block_is(b, blocks[k], page)) {
				*ref = (struct plan_ref){ (uint8_t)i,
							  blocks[k] };
				return true;
			}
	}
	return false;
}

static bool
lookup_table(const struct table *t, uint8_t base, uint64_t hint,
	     struct plan_ref *ref)
{
	uint32_t n;

	if (!table_find(t, hint, &n))
		return false;
	*ref = (struct plan_ref){ base, n };
	return true;
}

static bool
lookup_is(const struct lookup *l, struct plan_ref ref, const uint8_t *page)
{
	uint8_t scratch[PAGE_BYTES];

	return memcmp(lookup_bytes(l, ref, scratch), page, PAGE_BYTES) == 0;
}

/* Memory read from a file comes in runs of blocks: the next one first. */
static bool
lookup_expected(struct lookup *l, const uint8_t *page, struct plan_ref *ref)
{
	const struct base *b = &l->bases[l->expect.base];

	if (l->expect.base == PLAN_BASE_HISTORY || !image_block(b->image, 0) ||
	    !lookup_block_is(b, l->expect.page, page))
		return false;
	*ref = l->expect;
	return true;
}

bool
lookup_looks_ahead(const struct lookup *l)
{
	return l->kept == 0;
}

static void
lookup_hash(struct lookup_page *p)
{
	if (!p->hashed)
		p->hint = digest_hint(p->bytes, PAGE_BYTES);
	p->hashed = true;
}

void
lookup_ahead(const struct lookup *l, struct lookup_page *p)
{
	lookup_hash(p);
	for (size_t i = 1; i < l->nbases; i++)
		if (l->bases[i].kind == BASE_IMAGE && l->bases[i].index)
			index_prefetch(l->bases[i].index, p->hint);
	table_prefetch(&l->sent, p->hint);
}

bool
lookup_equal(struct lookup *l, struct lookup_page *p, struct plan_ref *ref)
{
	struct plan_ref places[LOOKUP_REFS];
	size_t nplaces;

	lookup_watch_kernels(l, p);
	lookup_watch_ways(l, p);
	nplaces =
		l->nplaces || l->seen ? lookup_places(l, p->number, places) : 0;
	for (size_t i = 0; i < nplaces; i++) {
		*ref = places[i];
		if (lookup_is(l, *ref, p->bytes))
			return true;
	}
	if (lookup_expected(l, p->bytes, ref)) {
		l->expect.page++;
		return true;
	}
	lookup_hash(p);
	if (lookup_images(l, p->bytes, p->hint, ref)) {
		l->expect = (struct plan_ref){ ref->base, ref->page + 1 };
		return true;
	}
	for (size_t i = 0; i < l->nheld; i++)
		if (lookup_table(&l->held[i].equal, (uint8_t)l->held[i].base,
				 p->hint, ref) &&
		    lookup_is(l, *ref, p->bytes))
			return true;
	return lookup_table(&l->sent, PLAN_BASE_HISTORY, p->hint, ref) &&
	       lookup_is(l, *ref, p->bytes);
}

bool
lookup_moved(const struct lookup *l, const uint8_t *page, uint64_t normal,
	     struct plan_ref *ref, struct plan_move *m)
{
	uint8_t scratch[PAGE_BYTES];

	if (lookup_table(&l->sent_normal, PLAN_BASE_HISTORY, normal, ref) &&
	    normal_diff(page, lookup_bytes(l, *ref, scratch), m))
		return true;
	for (size_t i = 0; i < l->nheld; i++)
		if (lookup_table(&l->held[i].normal, (uint8_t)l->held[i].base,
				 normal, ref) &&
		    normal_diff(page, lookup_bytes(l, *ref, scratch), m))
			return true;
	return false;
}

/* Words that may differ: with more, what the codec knows is better. */
#define LOOKUP_ALIKE_WORDS 256

bool
lookup_alike(const struct lookup *l, const uint8_t *page, struct plan_ref *ref,
	     struct plan_delta *d)
{
	unsigned best = LOOKUP_ALIKE_WORDS + 1;
	uint8_t scratch[PAGE_BYTES];
	struct plan_delta delta;
	struct err ignored;
	uint32_t n;

	for (size_t i = 0; i < l->nmodules; i++) {
		const struct lookup_modules *ms = &l->modules[i];
		const struct base *b = &l->bases[ms->base];
		uint64_t last = UINT64_MAX;

		for (unsigned k = 0; k < MODULES_LINES; k++) {
			if (!lookup_find_line(ms, modules_line(page, k), &n) ||
			    n == last)
				continue;
			last = n;
			if (!base_page(b, b->npages + n, scratch, &ignored) ||
			    !delta_make(page, scratch, &delta) ||
			    delta.nwords >= best)
				continue;
			best = delta.nwords;
			*d = delta;
			*ref = (struct plan_ref){ (uint8_t)ms->base,
						  b->npages + n };
		}
	}
	return best <= LOOKUP_ALIKE_WORDS;
}
