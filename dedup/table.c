/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sys/mman.h>

#include "dedup/table.h"

/* Slots are hit at random: in huge pages, where the host gives them, a hit
 * costs one miss of the cache and none of the TLB.
 */
int
table_init(struct table *t, size_t most, struct err *e)
{
	size_t slots = 1024;

	while (slots < 2 * most)
		slots *= 2;
	*t = (struct table){ .mask = slots - 1, .most = most };
	t->entries =
		mmap(NULL, slots * sizeof(*t->entries), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->entries == MAP_FAILED) {
		t->entries = NULL;
		return err_sys(e, "table of %zu pages", most);
	}
	(void)madvise(t->entries, slots * sizeof(*t->entries), MADV_HUGEPAGE);
	return 0;
}

void
table_fini(struct table *t)
{
	if (t->entries)
		munmap(t->entries, (t->mask + 1) * sizeof(*t->entries));
	t->entries = NULL;
}

void
table_prefetch(const struct table *t, uint64_t hash)
{
	__builtin_prefetch(&t->entries[hash & t->mask]);
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
