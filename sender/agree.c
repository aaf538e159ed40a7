/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "sender/agree.h"

void
agree_init(struct agree *a, const struct held *held, size_t nheld)
{
	memset(a, 0, sizeof(*a));
	a->held = held;
	a->nheld = nheld;
}

void
agree_fini(struct agree *a)
{
	for (size_t i = 0; i < ARRAY_LEN(a->pairs); i++)
		free(a->pairs[i].regions);
	free(a->theirs);
	memset(a, 0, sizeof(*a));
}

static bool
agree_same_kind(const struct held *h, const struct offer_held *o)
{
	return h->base.kind == (enum base_kind)o->kind;
}

static bool
agree_is_taken(const struct agree *a, const struct held *h)
{
	for (size_t i = 0; i < a->offer.nheld; i++)
		if (a->pairs[i].ours == h)
			return true;
	return false;
}

int
agree_offer(struct agree *a, struct span body, struct err *e)
{
	if (offer_get(body, &a->offer, e) < 0)
		return -1;
	for (size_t i = 0; i < a->offer.nheld; i++)
		for (size_t k = 0; k < a->nheld && !a->pairs[i].whole; k++) {
			const struct held *h = &a->held[k];
			const struct offer_held *o = &a->offer.held[i];

			if (agree_is_taken(a, h) || !agree_same_kind(h, o) ||
			    h->base.npages != o->npages ||
			    memcmp(&h->root, &o->root, sizeof(h->root)) != 0)
				continue;
			a->pairs[i].ours = h;
			a->pairs[i].whole = true;
		}
	return 0;
}

/* The most regions of offered base i that could agree with any of ours. */
static uint32_t
agree_worth(const struct agree *a, size_t i)
{
	const struct offer_held *o = &a->offer.held[i];
	uint64_t n = 0, theirs = (o->npages + BASE_REGION_PAGES - 1) /
				 BASE_REGION_PAGES;

	for (size_t k = 0; k < a->nheld; k++)
		if (agree_same_kind(&a->held[k], o) &&
		    !agree_is_taken(a, &a->held[k]))
			n = MAX(n, (uint64_t)a->held[k].nregions);
	return (uint32_t)MIN(n, theirs);
}

int
agree_want(struct agree *a, struct want *w, struct err *e)
{
	for (; a->asking < a->offer.nheld; a->asking++) {
		if (a->pairs[a->asking].whole)
			continue;
		if (a->nwanted == 0) {
			a->nwanted = agree_worth(a, a->asking);
			free(a->theirs);
			a->theirs = calloc((size_t)a->nwanted + 1,
					   sizeof(*a->theirs));
			if (!a->theirs)
				return err_sys(e, "digests of %u regions",
					       a->nwanted);
		}
		if (a->nhave == a->nwanted)
			continue;
		w->held = (uint8_t)a->asking;
		w->first = a->nhave;
		w->n = MIN(a->nwanted - a->nhave, (uint32_t)REGIONS_MAX);
		return 1;
	}
	return 0;
}

/* A short last region has a digest of its own, over fewer pages; where only
 * one end's is short, the digests differ.
 */
static size_t
agree_compare(const struct agree *a, const struct held *h, uint8_t *bits)
{
	size_t n = MIN((size_t)a->nwanted, h->nregions), equal = 0;

	for (size_t r = 0; r < n; r++) {
		if (memcmp(&a->theirs[r], &h->regions[r], DIGEST_BYTES) != 0)
			continue;
		equal++;
		if (bits)
			bits[r / 8] |= (uint8_t)(1u << r % 8);
	}
	return equal;
}

/* All digests of one base are there: which of ours has most in common? */
static int
agree_pair_up(struct agree *a, struct err *e)
{
	struct agree_pair *p = &a->pairs[a->asking];
	const struct offer_held *o = &a->offer.held[a->asking];
	const struct held *best = NULL;

	for (size_t k = 0; k < a->nheld; k++) {
		const struct held *h = &a->held[k];
		size_t equal;

		if (!agree_same_kind(h, o) || agree_is_taken(a, h))
			continue;
		equal = agree_compare(a, h, NULL);
		if (equal > p->equal) {
			p->equal = equal;
			best = h;
		}
	}
	if (!best)
		return 0;
	p->regions = calloc(best->nregions / 8 + 1, 1);
	if (!p->regions)
		return err_sys(e, "regions");
	(void)agree_compare(a, best, p->regions);
	p->ours = best;
	return 0;
}

int
agree_regions(struct agree *a, struct span body, struct err *e)
{
	uint32_t n = MIN(a->nwanted - a->nhave, (uint32_t)REGIONS_MAX);

	if (a->asking == a->offer.nheld || n == 0)
		return err_set(e, ERR_PROTOCOL, "REGIONS that nobody wanted");
	if (regions_get(body, a->theirs + a->nhave, n, e) < 0)
		return -1;
	a->nhave += n;
	if (a->nhave < a->nwanted)
		return 0;
	if (agree_pair_up(a, e) < 0)
		return -1;
	a->asking++;
	a->nwanted = 0;
	a->nhave = 0;
	return 0;
}

/* What this end cannot make from its images is not the guest's. */
static bool
agree_is_made(enum base_kind kind)
{
	return kind == BASE_KERNEL || kind == BASE_PROGRAMS;
}

/* Offered base i under the next number.  The planner knows one memory; what
 * only the receiver holds is asked about, but for what is made from images.
 */
static void
agree_take(struct agree *a, size_t i)
{
	const struct agree_pair *p = &a->pairs[i];
	const struct offer_held *o = &a->offer.held[i];
	struct base b = { .kind = (enum base_kind)o->kind,
			  .npages = o->npages };

	if (agree_is_made(b.kind) && !p->ours)
		return;
	for (size_t k = 1; k < a->nbases; k++)
		if (b.kind == BASE_MEMORY && a->bases[k].kind == BASE_MEMORY)
			return;
	if (p->ours) {
		b = p->ours->base;
		b.regions = p->regions;
	}
	a->ask = a->ask || (!p->whole && !agree_is_made(b.kind));
	a->numbers[a->nbases - 1] = (uint8_t)i;
	a->bases[a->nbases++] = b;
}

void
agree_finish(struct agree *a, uint64_t npages)
{
	a->bases[0] = (struct base){ .kind = BASE_HISTORY, .npages = npages };
	a->nbases = 1;
	for (size_t i = 0; i < a->offer.nheld; i++)
		agree_take(a, i);
}
