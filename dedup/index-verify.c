/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "dedup/index-scan.h"
#include "dedup/index-verify.h"

static int
check_parts(const struct index *idx, const struct image *img, struct err *e)
{
	size_t n, m;
	const struct image_part *a = index_parts(idx, &n);
	const struct image_part *b = image_parts(img, &m);
	bool same = n == m;

	for (size_t i = 0; same && i < n; i++)
		same = a[i].offset == b[i].offset &&
		       a[i].nblocks == b[i].nblocks;
	if (!same)
		return err_set(e, ERR_CORRUPT,
			       "%s: its size or partitions are not those that "
			       "were indexed",
			       image_path(img));
	return 0;
}

static void
compare(struct index_differences *found, const struct index *idx,
	uint64_t block, const struct fingerprint *now)
{
	if (memcmp(index_fingerprint(idx, block), now, sizeof(*now)) == 0)
		return;
	if (found->blocks++ == 0)
		found->first = block;
}

static void
compare_zeros(struct index_differences *found, const struct index *idx,
	      uint64_t first, uint64_t end)
{
	static const struct fingerprint zero;

	for (uint64_t b = first; b < end; b++)
		compare(found, idx, b, &zero);
}

/* One region that holds data, and what was skipped before it. */
static uint64_t
compare_region(struct index_differences *found, const struct index *idx,
	       uint64_t at, const struct index_region *r)
{
	uint64_t first = r->number * INDEX_REGION_BLOCKS;

	compare_zeros(found, idx, at, first);
	for (unsigned i = 0; i < r->nblocks; i++)
		compare(found, idx, first + i, &r->piece.prints[i]);
	for (unsigned i = 0; i < ARRAY_LEN(r->data); i++)
		found->read += (unsigned)__builtin_popcountll(r->data[i]);
	return first + r->nblocks;
}

int
index_verify(const struct index *idx, struct image *img,
	     const struct index_how *how, struct index_differences *found,
	     struct err *e)
{
	const struct index_region *r;
	struct index_scan *s;
	uint64_t at = 0;
	int ret;

	*found = (struct index_differences){ 0 };
	if (check_parts(idx, img, e) < 0)
		return -1;
	s = index_scan_new(img, NULL, how->threads, e);
	if (!s)
		return -1;
	while ((ret = index_scan_next(s, &r, e)) == 0 && r) {
		if (how->cancelled && *how->cancelled) {
			ret = err_set(e, ERR_CANCELLED, "interrupted");
			break;
		}
		at = compare_region(found, idx, at, r);
		if (how->report)
			how->report(how->arg, at, index_nblocks(idx));
	}
	index_scan_free(s);
	if (ret == 0)
		compare_zeros(found, idx, at, index_nblocks(idx));
	return ret;
}
