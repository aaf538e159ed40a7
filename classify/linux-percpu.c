/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <string.h>

#include "classify/guest.h"
#include "classify/linux-impl.h"
#include "common/mem.h"
#include "common/page.h"

/* The lists of small blocks: three for each order. */
#define PERCPU_KINDS 3
#define PERCPU_SMALL (4 * PERCPU_KINDS)
#define PERCPU_HUGE  9 /* the order in any list behind them */

#define PERCPU_LISTS_MAX 32

void
linux_percpu_note(struct linux_percpu *p, uint64_t head)
{
	if (p->nheads < LINUX_HEADS_MAX)
		p->heads[p->nheads++] = head;
}

static unsigned
percpu_order(const struct linux_percpu *p, uint64_t list)
{
	if (p->tables->types.percpu_nlists <= PERCPU_KINDS)
		return 0;
	return list < PERCPU_SMALL ? (unsigned)list / PERCPU_KINDS
				   : PERCPU_HUGE;
}

/* Whether nobody uses the page and nothing else is known of it. */
static bool
percpu_is_idle(const struct linux_percpu *p, uint64_t pfn, uint64_t *n)
{
	const struct linux_layout *l = &p->tables->layout;
	const struct physical *m = p->guest->memory;
	uint64_t at = p->array + pfn * l->page_size;
	uint32_t type, refcount;

	return pfn < p->end &&
	       memory_run_at(m->runs, m->nruns, pfn << PAGE_SHIFT, n) &&
	       p->guest->pages[*n].class == CLASS_UNKNOWN &&
	       mmu_read(&p->tables->mmu, at + l->mapcount, &type, 4) &&
	       mmu_read(&p->tables->mmu, at + l->refcount, &refcount, 4) &&
	       type == UINT32_MAX && refcount == 0;
}

/* Walks the list of blocks at head and counts their pages; marks them. */
static bool
percpu_walk(struct linux_percpu *p, uint64_t head, unsigned order, bool mark,
	    uint64_t *count)
{
	const struct linux_layout *l = &p->tables->layout;
	uint64_t last = head, at, prev;

	if (!mmu_read_u64(&p->tables->mmu, head, &at))
		return false;
	for (; at != head; last = at, at = prev) {
		uint64_t page = at - l->list - p->array;

		if (page % l->page_size != 0 ||
		    !mmu_read_u64(&p->tables->mmu, at + 8, &prev) ||
		    prev != last)
			return false;
		page /= l->page_size;
		for (uint64_t k = 0; k >> order == 0; k++) {
			struct page_info *info;
			uint64_t n;

			if (p->looks == 0 || !percpu_is_idle(p, page + k, &n))
				return false;
			p->looks--;
			info = &p->guest->pages[n];
			if (mark) {
				info->class = CLASS_FREE;
				info->flags = PAGE_PERCPU;
			}
		}
		*count += UINT64_C(1) << order;
		if (!mmu_read_u64(&p->tables->mmu, at, &prev))
			return false;
	}
	return mmu_read_u64(&p->tables->mmu, head + 8, &prev) && prev == last;
}

/* Whether a struct per_cpu_pages stands there: all its lists are sound, and
 * have as many pages as it counts.
 */
static bool
percpu_take(struct linux_percpu *p, uint64_t base)
{
	const struct linux_types *t = &p->tables->types;
	uint64_t pages = 0, marked = 0;
	uint32_t count;

	if (!mmu_read(&p->tables->mmu, base + t->percpu_count, &count, 4))
		return false;
	for (unsigned mark = 0; mark < 2; mark++) {
		uint64_t *sum = mark ? &marked : &pages;

		for (uint64_t i = 0; i < t->percpu_nlists; i++)
			if (!percpu_walk(p, base + t->percpu_lists + 16 * i,
					 percpu_order(p, i), mark, sum))
				return false;
		if (pages != le32toh(count))
			return false;
	}
	return true;
}

void
linux_percpu_classify(struct linux_percpu *p)
{
	const struct linux_types *t = &p->tables->types;

	if (!t->known || !p->array || t->percpu_nlists == 0 ||
	    t->percpu_nlists > PERCPU_LISTS_MAX)
		return;
	p->looks = 8 * p->end;
	for (size_t k = 0; k < p->nheads; k++)
		for (uint64_t i = 0; i < t->percpu_nlists; i++)
			if (percpu_take(p,
					p->heads[k] - 16 * i - t->percpu_lists))
				break;
}
