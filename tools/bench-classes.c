/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "classify/content.h"
#include "classify/fill.h"
#include "tools/bench-classes.h"

/* The classes of a guest, then these two. */
enum {
	CLASSES_ZERO = CLASS__MAX,
	CLASSES_DIRTY,
	CLASSES__MAX,
};

_Static_assert(CONTENT__MAX <= BENCH_CLASSES_MAX, "too many classes");
_Static_assert(CLASSES__MAX <= BENCH_CLASSES_MAX, "too many classes");

static const char *
classes_name(const struct guest *g, unsigned c)
{
	if (!g->pages)
		return content_name(c);
	if (c == CLASSES_ZERO)
		return "zero";
	return c == CLASSES_DIRTY ? "file-dirty" : class_name(c);
}

static unsigned
classes_of(const struct memory *m, const struct guest *g, uint64_t n)
{
	const uint8_t *page = memory_page(m, n);
	uint64_t value;

	if (!g->pages)
		return content_of(page);
	if (fill_find(page, &value) && value == 0)
		return CLASSES_ZERO;
	if (g->pages[n].class == CLASS_FILE && (g->pages[n].flags & PAGE_DIRTY))
		return CLASSES_DIRTY;
	return g->pages[n].class;
}

void
bench_classes(const struct memory *m, const struct guest *g,
	      struct bench_tier *tiers, size_t ntiers)
{
	const size_t nclasses = g->pages ? CLASSES__MAX : CONTENT__MAX;

	for (size_t k = 0; k < ntiers; k++) {
		tiers[k].nclasses = nclasses;
		for (unsigned c = 0; c < nclasses; c++)
			tiers[k].classes[c] = (struct bench_class){
				.name = classes_name(g, c),
			};
	}
	for (uint64_t n = 0; n < m->npages; n++) {
		unsigned c = classes_of(m, g, n);

		for (size_t k = 0; k < ntiers; k++) {
			tiers[k].classes[c].pages++;
			if (tiers[k].plan[n] == PLAN_DATA)
				tiers[k].classes[c].sent++;
		}
	}
}
