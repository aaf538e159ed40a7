/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/made-windows-impl.h"

#include "common/mem.h"
#include "common/page.h"

#define GIB (UINT64_C(1) << 30)

uint64_t
made_random(struct made_windows *w)
{
	uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint8_t *
made_page(const struct made_windows *w, uint64_t n)
{
	if (n >= w->low)
		n -= (4 * GIB >> PAGE_SHIFT) - w->low;
	return w->ram + n * PAGE_BYTES;
}

uint64_t
made_take(struct made_windows *w)
{
	assert(w->nstack > 0);
	return w->stack[--w->nstack];
}

/* Not page 0, and not what the BIOS and the screen have. */
static bool
is_usable(const struct made_windows *w, uint64_t n)
{
	return n > 0 && (n < 0x9f || n >= 0x100) &&
	       (n < w->low || n >= 4 * GIB >> PAGE_SHIFT);
}

/* The pages of whole large pages are given out apart. */
static void
fill_stack(struct made_windows *w)
{
	for (uint64_t n = 0; n < w->high; n++)
		if (is_usable(w, n)) {
			w->entries[n].exists = true;
			if (n != w->root && !made_is_reserved(w, n))
				w->stack[w->nstack++] = n;
		}
	for (size_t i = w->nstack - 1; i > 0; i--) {
		size_t k = made_random(w) % (i + 1);
		uint64_t n = w->stack[i];

		w->stack[i] = w->stack[k];
		w->stack[k] = n;
	}
}

/* The virtual address of the entry that maps va in the table of that level. */
uint64_t
made_pte(const struct made_windows *w, uint64_t va, unsigned level)
{
	while (level-- > 0)
		va = w->pte_base + (va >> 9 & UINT64_C(0x7ffffffff8));
	return va;
}

void
made_say(struct made_windows *w, uint64_t n, enum page_class class)
{
	w->truth[n].class = (uint8_t) class;
}

/* The entry of va in the table of that level below a top table; tables are
 * made on the way.
 */
uint64_t *
made_entry_of(struct made_windows *w, uint64_t root, uint64_t va,
	      unsigned level, uint64_t *frame)
{
	uint64_t table = root;

	for (unsigned l = 4;; l--) {
		uint64_t *e = (uint64_t *)(void *)made_page(w, table) +
			      (va >> (3 + 9 * l) & 511);

		*frame = table;
		if (l == level)
			return e;
		if (!(*e & 1)) {
			uint64_t n = made_take(w);

			memset(made_page(w, n), 0, PAGE_BYTES);
			*e = n << PAGE_SHIFT | 0x863;
			w->entries[n].pte = made_pte(w, va, l);
			w->entries[n].frame = table;
			w->entries[n].location = PFN_ACTIVE;
			made_say(w, n, CLASS_TABLE);
		}
		table = *e >> PAGE_SHIFT & 0xfffffffffu;
	}
}

/* Page n becomes private memory at va. */
void
made_map(struct made_windows *w, uint64_t root, uint64_t va, uint64_t n,
	 enum pfn_location location)
{
	struct made_entry *p = &w->entries[n];
	uint64_t *pte = made_entry_of(w, root, va, 1, &p->frame);

	p->pte = made_pte(w, va, 1);
	p->original = 0x80;
	p->location = (uint8_t)location;
	if (location == PFN_ACTIVE)
		*pte = n << PAGE_SHIFT |
		       (va >> 63 ? 0x8000000000000963 : 0x8000000000000867);
	else
		*pte = made_invalid(w, n << PAGE_SHIFT | 0x880);
	made_say(w, n, va >> 63 ? CLASS_KERNEL : CLASS_ANON);
}

/* Large pages: all have the entry of the table above as their PTE. */
void
made_map_large(struct made_windows *w, uint64_t va, uint64_t n)
{
	uint64_t frame, *pde = made_entry_of(w, w->root, va, 2, &frame);

	*pde = n << PAGE_SHIFT | 0x80000000000009e3;
	for (uint64_t i = 0; i < 512; i++) {
		struct made_entry *p = &w->entries[n + i];

		p->pte = made_pte(w, va, 2);
		p->frame = frame;
		p->location = PFN_ACTIVE;
		made_say(w, n + i, CLASS_KERNEL);
	}
}

/* The physical page of va in the kernel. */
uint64_t
made_translate(struct made_windows *w, uint64_t va)
{
	uint64_t frame;
	uint64_t pde = *made_entry_of(w, w->root, va, 2, &frame);

	if (pde & 0x80)
		return (pde >> PAGE_SHIFT & 0xfffffffffu) +
		       (va >> PAGE_SHIFT & 511);
	return *made_entry_of(w, w->root, va, 1, &frame) >> PAGE_SHIFT &
	       0xfffffffffu;
}

void
made_put(struct made_windows *w, uint64_t va, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	for (size_t part; n > 0; va += part, from += part, n -= part) {
		size_t in = va % PAGE_BYTES;

		part = MIN(n, PAGE_BYTES - in);
		memcpy(made_page(w, made_translate(w, va)) + in, from, part);
	}
}

void
made_put64(struct made_windows *w, uint64_t va, uint64_t v)
{
	made_put(w, va, &v, sizeof(v));
}

void
made_put32(struct made_windows *w, uint64_t va, uint32_t v)
{
	made_put(w, va, &v, sizeof(v));
}

/* Zeroed bytes of pool. */
uint64_t
made_alloc(struct made_windows *w, size_t n)
{
	uint64_t at = w->pool;

	w->pool += (n + 15) & ~(size_t)15;
	for (; w->pool_end < w->pool; w->pool_end += PAGE_BYTES) {
		uint64_t page = made_take(w);

		memset(made_page(w, page), 0, PAGE_BYTES);
		made_map(w, w->root, w->pool_end, page, PFN_ACTIVE);
	}
	return at;
}

/* What a heap looks like from far: small numbers, some pointers, some text. */
void
made_fill(struct made_windows *w, uint64_t n, uint64_t pointers)
{
	uint8_t *page = made_page(w, n);
	uint64_t kind = made_random(w) % 8;

	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t x = made_random(w), v;

		if (kind > 0) /* else: dense, as what is compressed */
			x = x % 4 == 0   ? pointers + (x >> 44)
			    : x % 4 == 1 ? x >> 56
					 : 0;
		v = x;
		memcpy(page + 8 * i, &v, sizeof(v));
	}
}

static void
put_kuser(struct made_windows *w)
{
	static const char folder[] = "C:\\Windows";
	unsigned build = w->config.build;
	uint64_t va = UINT64_C(0xfffff78000000000), n = made_take(w);

	memset(made_page(w, n), 0, PAGE_BYTES);
	made_map(w, w->root, va, n, PFN_ACTIVE);
	for (size_t i = 0; i < sizeof(folder); i++)
		made_put(w, va + 0x30 + 2 * i, &folder[i], 1);
	made_put32(w, va + 0x26c, build < 10240 ? 6 : 10);
	made_put32(w, va + 0x270, build < 9200 ? 1 : build < 10240 ? 3 : 0);
	if (build >= 10240)
		made_put32(w, va + 0x260, build);
}

static void
choose_addresses(struct made_windows *w)
{
	bool fixed = w->config.build < 14393;
	uint64_t slot = 0x100 + made_random(w) % 0x40;

	w->self = fixed ? 0x1ed : 0x140 + made_random(w) % 0x40;
	w->pte_base = UINT64_C(0xffff) << 48 | w->self << 39;
	w->pfn_base = fixed ? UINT64_C(0xfffffa8000000000)
			    : UINT64_C(0xffff) << 48 | slot << 39;
	w->pool = UINT64_C(0xffff) << 48 | UINT64_C(0x1c1) << 39 |
		  (made_random(w) % 0x10000) << 21;
	w->pool_end = w->pool;
	w->root = w->config.seed % 2 ? 0x1aa : 0x187;
}

static void
put_root(struct made_windows *w, uint64_t n)
{
	uint64_t entry = n << PAGE_SHIFT | 0x863;

	memset(made_page(w, n), 0, PAGE_BYTES);
	memcpy(made_page(w, n) + 8 * w->self, &entry, sizeof(entry));
	w->entries[n].pte = made_pte(w, w->pte_base, 4);
	w->entries[n].frame = n;
	w->entries[n].location = PFN_ACTIVE;
	made_say(w, n, CLASS_TABLE);
}

/* Two processes share the kernel's half. */
static void
put_processes(struct made_windows *w, uint64_t pages)
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t root = w->processes[i] = made_take(w), self, heap;

		put_root(w, root);
		memcpy(&self, made_page(w, root) + 8 * w->self, 8);
		memcpy(made_page(w, root) + PAGE_BYTES / 2,
		       made_page(w, w->root) + PAGE_BYTES / 2, PAGE_BYTES / 2);
		memcpy(made_page(w, root) + 8 * w->self, &self, 8);
		heap = 0x10000000 + (made_random(w) % 0x1000000) * 0x10000;
		for (uint64_t k = 0; k < pages; k++) {
			static const enum pfn_location at[16] = {
				[0] = PFN_STANDBY,
				[1] = PFN_MODIFIED,
				[2] = PFN_MODIFIED,
				[3] = PFN_TRANSITION,
			};
			enum pfn_location l = at[made_random(w) % 16];
			uint64_t n = made_take(w);

			made_fill(w, n, heap);
			made_map(w, root, heap + (k + k / 2) * PAGE_BYTES, n,
				 l ? l : PFN_ACTIVE);
			w->entries[n].modified = l == PFN_MODIFIED;
			w->entries[n].priority = (uint8_t)(k % 8);
		}
	}
}

/* What is left becomes free, zeroed, and a little of it bad. */
static void
put_rest(struct made_windows *w)
{
	while (w->nstack > 0) {
		uint64_t n = made_take(w), x = made_random(w);
		struct made_entry *p = &w->entries[n];

		p->location = x % 2 ? PFN_ZEROED : PFN_FREE;
		made_say(w, n, x % 2 ? CLASS_ZEROED : CLASS_FREE);
		if (x % 1024 == 2) {
			p->location = PFN_BAD;
			made_say(w, n, CLASS_UNKNOWN);
		}
		w->truth[n].list_only = x % 1024 == 1;
		if (x % 1024 == 1 || p->location != PFN_ZEROED) {
			made_fill(w, n, 0x7ff000000000);
		} else {
			memset(made_page(w, n), 0, PAGE_BYTES);
		}
		if (p->location == PFN_FREE && w->config.build >= 17763 &&
		    x >> 56 == 0) {
			p->is_cached = true;
			made_say(w, n, CLASS_UNKNOWN);
		}
		/* free pages remember who had them, who has another now */
		if (p->location == PFN_FREE && x >> 60 == 0) {
			p->pte = made_pte(w, w->pool_end - PAGE_BYTES, 1);
			(void)made_entry_of(w, w->root, w->pool_end - 1, 1,
					    &p->frame);
		}
	}
}

void
made_windows_init(struct made_windows *w, const struct made_config *c)
{
	uint64_t n = c->bytes >> PAGE_SHIFT, slot = 0, frame;

	*w = (struct made_windows){ .config = *c,
				    .random = c->seed * 1000003 + c->build };
	w->low = w->high = n;
	if (c->bytes >= UINT64_C(0xb0000000)) { /* as a q35 */
		w->low = 2 * GIB >> PAGE_SHIFT;
		w->high = n - w->low + (4 * GIB >> PAGE_SHIFT);
	}
	w->ram = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->truth = calloc(w->high, sizeof(*w->truth));
	w->entries = calloc(w->high, sizeof(*w->entries));
	w->stack = calloc(w->high, sizeof(*w->stack));
	assert(w->ram != MAP_FAILED && w->truth && w->entries && w->stack);
	strcpy((char *)made_page(w, 0xf0), "SYNTHETIC Windows memory");
	choose_addresses(w);
	fill_stack(w);
	put_root(w, w->root);
	put_kuser(w);
	for (slot = 0x100; slot < 0x200; slot += 0x1f) /* here and there */
		(void)made_entry_of(w, w->root,
				    UINT64_C(0xffff) << 48 | slot << 39, 1,
				    &frame);
	made_put_modules(w);
	made_put_sections(w);
	made_map_database(w);
	put_processes(w, n / 10);
	put_rest(w);
	made_put_database(w);
}

void
made_windows_fini(struct made_windows *w)
{
	munmap(w->ram, w->config.bytes);
	free(w->truth);
	free(w->entries);
	free(w->stack);
	*w = (struct made_windows){ .ram = NULL };
}
