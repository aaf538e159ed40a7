/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "dedup/finder.h"
#include "dedup/table.h"

struct finder {
	const struct base *bases;
	size_t nbases;
	struct table tables[PLAN_BASES_MAX];
};

/* Any of its bits are as good as a hash of it. */
static uint64_t
finder_hash(const struct fingerprint *fp)
{
	uint64_t hash;

	memcpy(&hash, fp->b, sizeof(hash));
	return hash;
}

static bool
finder_is_zero(const struct fingerprint *fp)
{
	static const struct fingerprint zero;

	return memcmp(fp, &zero, sizeof(zero)) == 0;
}

static uint64_t
finder_count(const struct base *b)
{
	if (b->index)
		return index_unique_blocks(b->index);
	return b->fps ? b->npages : 0;
}

static int
finder_load(struct finder *f, size_t i, struct err *e)
{
	const struct base *b = &f->bases[i];
	uint64_t most = finder_count(b);

	if (most == 0)
		return 0;
	if (table_init(&f->tables[i], most, e) < 0)
		return -1;
	for (uint64_t n = 0; n < b->npages; n++) {
		const struct fingerprint *fp = base_fingerprint(b, n);

		if (fp && !finder_is_zero(fp))
			table_add(&f->tables[i], finder_hash(fp), (uint32_t)n);
	}
	return 0;
}

struct finder *
finder_new(const struct base *bases, size_t nbases, struct err *e)
{
	struct finder *f = calloc(1, sizeof(*f));

	if (!f) {
		(void)err_sys(e, "finder");
		return NULL;
	}
	f->bases = bases;
	f->nbases = nbases;
	for (size_t i = 1; i < nbases; i++)
		if (finder_load(f, i, e) < 0) {
			finder_free(f);
			return NULL;
		}
	return f;
}

void
finder_free(struct finder *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < PLAN_BASES_MAX; i++)
		table_fini(&f->tables[i]);
	free(f);
}

static struct plan_ref
finder_find_one(const struct finder *f, const struct fingerprint *fp)
{
	const struct plan_ref none = { PLAN_BASE_HISTORY, 0 };
	uint32_t page;

	if (finder_is_zero(fp))
		return none;
	for (size_t i = 1; i < f->nbases; i++) {
		const struct fingerprint *have;

		if (!f->tables[i].entries ||
		    !table_find(&f->tables[i], finder_hash(fp), &page))
			continue;
		have = base_fingerprint(&f->bases[i], page);
		if (have && memcmp(have, fp, sizeof(*fp)) == 0)
			return (struct plan_ref){ (uint8_t)i, page };
	}
	return none;
}

void
finder_find(const struct finder *f, const struct fingerprint *fps, size_t n,
	    struct plan_ref *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = finder_find_one(f, &fps[i]);
}
