/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "common/page.h"
#include "stream/numbers.h"

/* 2^32 pages are 16 TiB. */
#define NUMBERS_MAX UINT32_MAX

int
stream_numbers_init(struct stream_numbers *n,
		    const struct stream_blocks *blocks, struct err *e)
{
	*n = (struct stream_numbers){ .nblocks = blocks->n };
	n->first = calloc((size_t)blocks->n + 1, sizeof(*n->first));
	if (!n->first)
		return err_sys(e, "%u blocks of memory", blocks->n);
	for (uint32_t i = 0; i < blocks->n; i++) {
		uint64_t used = blocks->list[i].used;

		n->first[i] = n->npages;
		if (used / PAGE_BYTES >= NUMBERS_MAX - n->npages) {
			stream_numbers_fini(n);
			return err_set(e, ERR_LIMIT,
				       "guest memory of more than 16 TiB");
		}
		n->npages += used / PAGE_BYTES + (used % PAGE_BYTES > 0);
	}
	n->first[n->nblocks] = n->npages;
	return 0;
}

void
stream_numbers_fini(struct stream_numbers *n)
{
	free(n->first);
	n->first = NULL;
	n->nblocks = 0;
	n->npages = 0;
}

bool
stream_number_of(const struct stream_numbers *n, uint32_t block,
		 uint64_t offset, uint64_t *page)
{
	if (block >= n->nblocks ||
	    offset / PAGE_BYTES >= n->first[block + 1] - n->first[block])
		return false;
	*page = n->first[block] + offset / PAGE_BYTES;
	return true;
}

bool
stream_number_find(const struct stream_numbers *n, uint64_t page,
		   uint32_t *block, uint64_t *offset)
{
	uint32_t low = 0, high = n->nblocks;

	if (page >= n->npages)
		return false;
	/* first[low] <= page < first[high] */
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (n->first[mid] <= page)
			low = mid;
		else
			high = mid;
	}
	*block = low;
	*offset = (page - n->first[low]) * PAGE_BYTES;
	return true;
}
