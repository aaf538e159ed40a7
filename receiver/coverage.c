/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "receiver/coverage.h"

void
coverage_init(struct coverage *c, uint64_t n)
{
	c->n = n;
	c->nranges = 0;
}

/* Replaces ranges[at .. at+old-1] by one. */
static void
coverage_put(struct coverage *c, size_t at, size_t old,
	     struct coverage_range range)
{
	memmove(&c->ranges[at + 1], &c->ranges[at + old],
		(c->nranges - at - old) * sizeof(c->ranges[0]));
	c->ranges[at] = range;
	c->nranges += 1 - old;
}

int
coverage_add(struct coverage *c, uint64_t first, uint64_t n, struct err *e)
{
	struct coverage_range range = { first, first + n };
	size_t at = c->nranges, old = 0;

	if (first > c->n || n > c->n - first)
		return err_set(e, ERR_PROTOCOL,
			       "%llu from %llu on, of %llu in all",
			       (unsigned long long)n, (unsigned long long)first,
			       (unsigned long long)c->n);
	if (n == 0)
		return 0;
	/* Where it belongs is nearly always at the end. */
	while (at > 0 && c->ranges[at - 1].end >= first)
		at--;
	while (at + old < c->nranges &&
	       c->ranges[at + old].first <= range.end) {
		range.first = MIN(range.first, c->ranges[at + old].first);
		range.end = MAX(range.end, c->ranges[at + old].end);
		old++;
	}
	if (old == 0 && c->nranges == COVERAGE_RANGES_MAX)
		return err_set(e, ERR_PROTOCOL, "more than %d gaps",
			       COVERAGE_RANGES_MAX - 1);
	coverage_put(c, at, old, range);
	return 0;
}

bool
coverage_is_whole(const struct coverage *c)
{
	if (c->n == 0)
		return true;
	return c->nranges == 1 && c->ranges[0].first == 0 &&
	       c->ranges[0].end == c->n;
}
