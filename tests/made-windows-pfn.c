/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "tests/made-windows-impl.h"

#include "common/mem.h"
#include "common/page.h"

/* The PFN database, as the published _MMPFN of each build has it. */
#define ENTRY_BYTES 0x30
#define LINK_BITS   ((UINT64_C(1) << 36) - 1)
#define END_OF_LIST UINT64_MAX
#define DATABASE_AT 0x2000 /* the first of its large pages */

static bool
is_old(const struct made_windows *w)
{
	return w->config.build < 10240;
}

/* Every second guest has its database and its kernel in large pages. */
static bool
is_large(const struct made_windows *w)
{
	return w->config.seed % 2;
}

static uint64_t
database_pages(const struct made_windows *w)
{
	return (w->high * ENTRY_BYTES + PAGE_BYTES - 1) / PAGE_BYTES;
}

bool
made_is_reserved(const struct made_windows *w, uint64_t n)
{
	if (!is_large(w))
		return false;
	return (n >= MADE_KERNEL_AT &&
		n < MADE_KERNEL_AT + MADE_KERNEL_PAGES) ||
	       (n >= DATABASE_AT &&
		n < DATABASE_AT + ((database_pages(w) + 511) & ~511ull));
}

/* Since 1709 a bit says whether the highest of the address is as it is. */
uint64_t
made_invalid(const struct made_windows *w, uint64_t pte)
{
	if (w->config.build < 17763)
		return pte;
	return w->config.seed % 4 < 2 ? pte | 0x10 : pte ^ (UINT64_C(1) << 45);
}

/* Whether any page that exists has its entry in bytes from .. to. */
static bool
is_needed(const struct made_windows *w, uint64_t from, uint64_t to)
{
	for (uint64_t n = from / ENTRY_BYTES; n <= to / ENTRY_BYTES; n++)
		if (n < w->high && w->entries[n].exists)
			return true;
	return false;
}

static void
map_small(struct made_windows *w, uint64_t at)
{
	uint64_t n = made_take(w);

	memset(made_page(w, n), 0, PAGE_BYTES);
	made_map(w, w->root, w->pfn_base + at, n, PFN_ACTIVE);
}

void
made_map_database(struct made_windows *w)
{
	uint64_t step = is_large(w) ? 512 * PAGE_BYTES : PAGE_BYTES;
	uint64_t end = database_pages(w) * PAGE_BYTES;

	for (uint64_t at = 0, n = DATABASE_AT; at < end; at += step, n += 512) {
		if (!is_large(w)) {
			if (is_needed(w, at, at + step - 1))
				map_small(w, at);
			continue;
		}
		for (uint64_t i = 0; i < 512; i++)
			memset(made_page(w, n + i), 0, PAGE_BYTES);
		made_map_large(w, w->pfn_base + at, n);
	}
}

static uint64_t
u4_of(const struct made_windows *w, uint64_t n, const struct made_entry *p)
{
	unsigned build = w->config.build;
	uint64_t u4 = p->frame;

	if (build >= 9200)
		u4 |= UINT64_C(1) << (build < 9600    ? 54
				      : build < 19041 ? 53
				      : build < 26100 ? 51
						      : 54); /* exists */
	if (build >= 9200)
		u4 |= (n % 4) << (build < 9600    ? 55
				  : build < 19041 ? 54
						  : 60); /* PageIdentity */
	if (p->prototype)
		u4 |= UINT64_C(1) << (build < 19041 ? 57 : 63);
	return u4;
}

/* Puts one entry into the database, in the layout of its time. */
static void
put_entry(struct made_windows *w, uint64_t n)
{
	const struct made_entry *p = &w->entries[n];
	bool old = is_old(w);
	uint8_t b[ENTRY_BYTES] = { 0 };
	uint64_t pte = p->pte | (old && n % 64 == 5), u4 = u4_of(w, n, p);
	bool is_listed = p->location < PFN_ACTIVE;
	uint64_t u1 = is_listed ? p->next : n * 7,
		 u2 = is_listed ? p->previous : 1;

	if (is_listed && w->config.build >= 9200) {
		/* what is above belongs to lists of a node */
		u1 = (u1 & LINK_BITS) | n << 36;
		u2 = (u2 & LINK_BITS) | n << 37;
	}
	if (p->is_cached)
		u1 = w->pfn_base + p->next * ENTRY_BYTES;
	memcpy(b, &u1, 8);
	memcpy(b + (old ? 0x08 : 0x18), &u2, 8);
	memcpy(b + (old ? 0x10 : 0x08), &pte, 8);
	b[old ? 0x18 : 0x20] = !is_listed;
	b[old ? 0x1a : 0x22] =
		(uint8_t)(p->location | p->modified << 4 | 1 << 6);
	b[old ? 0x1b : 0x23] = p->priority;
	memcpy(b + (old ? 0x20 : 0x10), &p->original, 8);
	memcpy(b + 0x28, &u4, 8);
	made_put(w, w->pfn_base + n * ENTRY_BYTES, b, sizeof(b));
}

/* One list for each location, and of standby pages for each priority. */
static unsigned
list_of(const struct made_entry *p)
{
	return p->location == PFN_STANDBY ? 8u + p->priority : p->location;
}

/* Pages with even numbers, then those with odd ones: neighbours in a list are
 * none in memory.
 */
void
made_put_database(struct made_windows *w)
{
	uint64_t last[16];

	for (unsigned i = 0; i < ARRAY_LEN(last); i++)
		last[i] = END_OF_LIST;
	for (uint64_t i = 0; i < 2 * w->high; i++) {
		uint64_t n = i / w->high + 2 * (i % w->high);
		struct made_entry *p = &w->entries[n];

		if (n >= w->high || !p->exists)
			continue;
		if (p->is_cached) { /* may lead to what is in a list */
			p->next = made_random(w) % 4096;
			p->previous = 0;
			continue;
		}
		p->next = END_OF_LIST;
		p->previous = last[list_of(p)];
		if (p->previous != END_OF_LIST)
			w->entries[p->previous].next = n;
		last[list_of(p)] = n;
	}
	for (uint64_t n = 0; n < w->high; n++)
		if (w->entries[n].exists)
			put_entry(w, n);
}
