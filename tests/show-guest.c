/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "classify/guest.h"
#include "common/clock.h"
#include "common/page.h"
#include "memory/memory.h"

/* For shell tests: what the guest's tables in a memory image say.
 *	show-guest MEMORY          system, checks, pages of each class
 *	show-guest MEMORY files    each clean page of a file, a line each:
 *	                           device, inode, index, file offset of the
 *	                           page in MEMORY
 *	show-guest MEMORY marked TEXT
 *	                           pages of each class that hold TEXT at 0
 */
static void
show(const struct guest *g, uint64_t ns)
{
	uint64_t counts[CLASS__MAX] = { 0 }, dirty = 0, percpu = 0;

	printf("system %s\nrelease %s\nsound %d\npoisons %d\nns %" PRIu64 "\n",
	       guest_os_name(g->os), g->release, guest_is_sound(g), g->poisons,
	       ns);
	for (size_t i = 0; i < g->nchecks; i++)
		printf("%s %s\n", g->checks[i].passed ? "pass" : "FAIL",
		       g->checks[i].what);
	for (uint64_t n = 0; n < g->memory->npages; n++) {
		counts[guest_class(g, n)]++;
		percpu += g->pages && (g->pages[n].flags & PAGE_PERCPU);
		dirty += g->pages && (g->pages[n].flags & PAGE_DIRTY);
	}
	for (unsigned c = 0; c < CLASS__MAX; c++)
		printf("class %s %" PRIu64 "\n", class_name(c), counts[c]);
	printf("class buddy %" PRIu64 "\n", counts[CLASS_FREE] - percpu);
	printf("dirty %" PRIu64 "\nfiles %zu\n", dirty, g->nfiles);
	for (size_t i = 1; i < g->nvolumes; i++)
		printf("volume %s %s %u:%u\n", g->volumes[i].fs,
		       g->volumes[i].device, g->volumes[i].number >> 20,
		       g->volumes[i].number & 0xfffff);
}

static void
show_files(const struct guest *g, const struct memory *m)
{
	for (uint64_t n = 0; g->pages && n < m->npages; n++) {
		const struct page_info *p = &g->pages[n];
		const struct guest_file *f = &g->files[p->file];
		const struct guest_volume *v = &g->volumes[f->volume];

		if (p->class == CLASS_FILE && p->file != 0 &&
		    !(p->flags & PAGE_DIRTY))
			printf("%s %s %u:%u %" PRIu64 " %" PRIu64 " %u %td\n",
			       v->fs, v->device[0] ? v->device : "-",
			       v->number >> 20, v->number & 0xfffff, f->id,
			       f->size, p->index,
			       memory_page(m, n) - m->map.data);
	}
}

static void
show_marked(const struct guest *g, const struct memory *m, const char *text)
{
	uint64_t counts[CLASS__MAX] = { 0 };

	for (uint64_t n = 0; n < m->npages; n++)
		if (memcmp(memory_page(m, n), text, strlen(text)) == 0)
			counts[guest_class(g, n)]++;
	for (unsigned c = 0; c < CLASS__MAX; c++)
		printf("%s %" PRIu64 "\n", class_name(c), counts[c]);
}

int
main(int argc, char **argv)
{
	struct physical p;
	struct memory m;
	struct guest g;
	struct err e;
	uint64_t t;

	if (argc < 2)
		return 2;
	if (memory_open(&m, argv[1], NULL, 0, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	p = physical_of(&m);
	t = clock_cpu_ns();
	if (guest_open(&g, &p, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	t = clock_cpu_ns() - t;
	if (argc == 2)
		show(&g, t);
	else if (strcmp(argv[2], "files") == 0)
		show_files(&g, &m);
	else if (argc == 4)
		show_marked(&g, &m, argv[3]);
	guest_close(&g);
	memory_close(&m);
	return 0;
}
