/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "classify/content.h"
#include "tools/bench-classes.h"

_Static_assert(CONTENT__MAX <= BENCH_CLASSES_MAX, "too many classes");

static void
name_classes(struct bench_tier *t)
{
	t->nclasses = CONTENT__MAX;
	for (unsigned i = 0; i < CONTENT__MAX; i++)
		t->classes[i] = (struct bench_class){ .name = content_name(i) };
}

void
bench_classes(const struct memory *m, struct bench_tier *tiers, size_t ntiers)
{
	for (size_t k = 0; k < ntiers; k++)
		name_classes(&tiers[k]);
	for (uint64_t n = 0; n < m->npages; n++) {
		enum content_class c = content_of(memory_page(m, n));

		for (size_t k = 0; k < ntiers; k++) {
			tiers[k].classes[c].pages++;
			if (tiers[k].plan[n] == PLAN_DATA)
				tiers[k].classes[c].sent++;
		}
	}
}
