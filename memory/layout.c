/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

static int
offset_order(const void *a, const void *b)
{
	const struct memory_region *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int
gpa_order(const void *a, const void *b)
{
	const struct memory_run *x = a, *y = b;

	return (x->gpa > y->gpa) - (x->gpa < y->gpa);
}

static int
check_region(const struct memory *m, const struct memory_region *r,
	     enum err_code blame, struct err *e)
{
	if (r->offset > m->map.len || r->len > m->map.len - r->offset)
		return err_set(e, blame,
			       "0x%" PRIx64 " bytes at offset 0x%" PRIx64
			       " do not fit into a file of 0x%zx bytes",
			       r->len, r->offset, m->map.len);
	if (r->len > UINT64_MAX - r->gpa)
		return err_set(e, blame,
			       "the region at offset 0x%" PRIx64
			       " wraps around the address space",
			       r->offset);
	return 0;
}

/* Makes one region of those that touch or overlap and agree; the regions are
 * in file order.
 */
static int
merge(struct memory_region *r, size_t *n, enum err_code blame, struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		struct memory_region *last = kept > 0 ? &r[kept - 1] : NULL;
		uint64_t end = last ? last->offset + last->len : 0;

		if (r[i].len == 0)
			continue;
		if (!last || r[i].offset > end) {
			r[kept++] = r[i];
		} else if (r[i].gpa - r[i].offset == last->gpa - last->offset) {
			end = MAX(end, r[i].offset + r[i].len);
			last->len = end - last->offset;
		} else if (r[i].offset == end) {
			r[kept++] = r[i];
		} else {
			return err_set(e, blame,
				       "the regions at offset 0x%" PRIx64
				       " and 0x%" PRIx64 " overlap",
				       last->offset, r[i].offset);
		}
	}
	*n = kept;
	return 0;
}

/* Adds what lies between the segments so far and offset 'end'. */
static void
add_opaque(struct memory *m, uint64_t end)
{
	uint64_t at = 0;

	if (m->nsegments > 0) {
		const struct memory_segment *s = &m->segments[m->nsegments - 1];

		at = s->offset + s->len;
	}
	if (at < end)
		m->segments[m->nsegments++] = (struct memory_segment){
			.offset = at,
			.len = end - at,
			.first_page = m->npages,
		};
}

static void
add_pages(struct memory *m, const struct memory_region *r)
{
	uint64_t skip = -r->gpa & (PAGE_BYTES - 1);
	uint64_t npages;

	if (r->len < skip + PAGE_BYTES)
		return;
	npages = (r->len - skip) >> PAGE_SHIFT;
	add_opaque(m, r->offset + skip);
	m->segments[m->nsegments++] = (struct memory_segment){
		.offset = r->offset + skip,
		.len = npages << PAGE_SHIFT,
		.first_page = m->npages,
		.gpa = r->gpa + skip,
		.is_pages = true,
	};
	m->npages += npages;
}

/* A page that two segments hold is found in the one that begins lower. */
static void
order_by_gpa(struct memory *m)
{
	uint64_t end = 0;
	size_t n = 0;

	for (size_t i = 0; i < m->nsegments; i++) {
		const struct memory_segment *s = &m->segments[i];

		if (s->is_pages)
			m->by_gpa[n++] = (struct memory_run){
				.gpa = s->gpa,
				.npages = s->len >> PAGE_SHIFT,
				.first_page = s->first_page,
			};
	}
	qsort(m->by_gpa, n, sizeof(*m->by_gpa), gpa_order);
	for (size_t i = 0; i < n; i++) {
		struct memory_run r = m->by_gpa[i];
		uint64_t r_end = r.gpa + (r.npages << PAGE_SHIFT);
		uint64_t over = end > r.gpa ? (end - r.gpa) >> PAGE_SHIFT : 0;

		if (over >= r.npages)
			continue;
		m->by_gpa[m->nruns++] = (struct memory_run){
			.gpa = r.gpa + (over << PAGE_SHIFT),
			.npages = r.npages - over,
			.first_page = r.first_page + over,
		};
		end = r_end;
	}
}

int
memory_lay_out(struct memory *m, struct memory_region *regions, size_t n,
	       enum err_code blame, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (check_region(m, &regions[i], blame, e) < 0)
			return -1;
	if (n > 0)
		qsort(regions, n, sizeof(*regions), offset_order);
	if (merge(regions, &n, blame, e) < 0)
		return -1;
	/* Each region with the bytes before it, and the bytes after all. */
	m->segments = calloc(2 * n + 1, sizeof(*m->segments));
	m->by_gpa = calloc(n + 1, sizeof(*m->by_gpa));
	if (!m->segments || !m->by_gpa)
		return err_sys(e, "a list of %zu regions", n);
	for (size_t i = 0; i < n; i++)
		add_pages(m, &regions[i]);
	add_opaque(m, m->map.len);
	order_by_gpa(m);
	return 0;
}
