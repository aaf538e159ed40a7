/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dedup/base.h"
#include "dedup/vmlinux-run.h"

/* All of it has to be shared: how to make them stands behind its pages. */
bool
base_makes(const struct base *b, uint64_t n)
{
	if (!b->memory || b->regions)
		return false;
	if (b->kind == BASE_KERNEL)
		return vmlinux_run_has(b->memory, n);
	return b->kind == BASE_PROGRAMS && b->modules &&
	       n - b->npages < modules_npages(b->modules);
}

const uint8_t *
base_page(const struct base *b, uint64_t n, uint8_t scratch[4096],
	  struct err *e)
{
	const uint8_t *page;

	if (b->memory && n < b->npages)
		return memory_page(b->memory, n);
	if (b->modules)
		return modules_page(b->modules, (uint32_t)(n - b->npages),
				    scratch, e) < 0
			       ? NULL
			       : scratch;
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
