/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "dedup/table.h"

int
table_init(struct table *t, size_t most, struct err *e)
{
	size_t slots = 1024;

	while (slots < 2 * most)
		slots *= 2;
	*t = (struct table){ .mask = slots - 1, .most = most };
	t->entries = calloc(slots, sizeof(*t->entries));
	return t->entries ? 0 : err_sys(e, "table of %zu pages", most);
}

void
table_fini(struct table *t)
{
	free(t->entries);
	t->entries = NULL;
}

/* The slot that has this hash, or the empty one where it belongs. */
static size_t
table_slot(const struct table *t, uint64_t hash)
{
	size_t i = hash & t->mask;

	while (t->entries[i] && t->entries[i] >> 32 != hash >> 32)
		i = (i + 1) & t->mask;
	return i;
}

bool
table_find(const struct table *t, uint64_t hash, uint32_t *page)
{
	uint64_t entry = t->entries[table_slot(t, hash)];

	*page = (uint32_t)entry - 1;
	return entry != 0;
}

void
table_add(struct table *t, uint64_t hash, uint32_t page)
{
	size_t i = table_slot(t, hash);

	if (t->entries[i] || t->used == t->most)
		return;
	t->entries[i] = hash >> 32 << 32 | (page + 1);
	t->used++;
}
