/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/physical.h"

static const uint8_t *
physical_mapped(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	const struct memory *m = arg;
	uint64_t n;

	(void)scratch;
	return memory_page_at(m, gpa, &n) ? memory_page(m, n) : NULL;
}

struct physical
physical_of(const struct memory *m)
{
	return (struct physical){ .page = physical_mapped,
				  .arg = (void *)(uintptr_t)m,
				  .runs = m->by_gpa,
				  .nruns = m->nruns,
				  .npages = m->npages };
}

void
physical_forget(const struct physical *p)
{
	if (p->forget)
		p->forget(p->arg);
}

bool
physical_read(const struct physical *p, uint64_t gpa, void *out, size_t n)
{
	uint8_t scratch[PAGE_BYTES], *to = out;

	for (size_t part; n > 0; gpa += part, to += part, n -= part) {
		size_t in = gpa & (PAGE_BYTES - 1);
		const uint8_t *page = p->page(p->arg, gpa - in, scratch);

		if (!page)
			return false;
		part = MIN(PAGE_BYTES - in, n);
		memcpy(to, page + in, part);
	}
	return true;
}
