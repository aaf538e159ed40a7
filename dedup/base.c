/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dedup/base.h"
#include "dedup/vmlinux-run.h"

/* All of it has to be: where its sites are stands behind its pages. */
bool
base_runs(const struct base *b, uint64_t n)
{
	return b->memory && !b->regions && vmlinux_run_has(b->memory, n);
}

const uint8_t *
base_page(const struct base *b, uint64_t n, uint8_t scratch[4096],
	  struct err *e)
{
	const uint8_t *page;

	if (b->memory && n < b->npages)
		return memory_page(b->memory, n);
	if (b->memory) {
		vmlinux_run_make(b->memory, n, scratch);
		return scratch;
	}
	page = image_block(b->image, n);
	if (page)
		return page;
	return image_read(b->image, n, 1, scratch, e) < 0 ? NULL : scratch;
}

const struct fingerprint *
base_fingerprint(const struct base *b, uint64_t n)
{
	if (b->fps)
		return n < b->npages ? &b->fps[n] : NULL;
	return b->index ? index_fingerprint(b->index, n) : NULL;
}

uint32_t
base_guest_like(const struct base *bases, size_t n)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++)
		if (bases[i].kind != BASE_IMAGE &&
		    bases[i].kind != BASE_PROGRAMS)
			mask |= 1u << i;
	return mask;
}
