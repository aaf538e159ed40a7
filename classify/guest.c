/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "classify/guest-impl.h"
#include "classify/guest.h"
#include "common/mem.h"
#include "common/page.h"

#define GUEST_FILES_MAX   (1u << 24)
#define GUEST_VOLUMES_MAX 256

/* Free pages that are looked at for a value that they all hold. */
#define GUEST_POISON_SAMPLES 2048

/* In this order; NULL ends it. */
static const struct guest_kind *const kinds[] = {
	&guest_linux,
	&guest_windows,
	NULL,
};

void
guest_check(struct guest *g, bool passed, const char *fmt, ...)
{
	struct guest_check *c = &g->checks[g->nchecks];
	va_list ap;

	if (g->nchecks == GUEST_CHECKS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(c->what, sizeof(c->what), fmt, ap);
	va_end(ap);
	c->passed = passed;
	g->nchecks++;
}

/* Room for one more in a list that doubles; n is never 0. */
static void *
guest_grow(void *list, size_t n, size_t max, size_t size, struct err *e)
{
	void *more = list;

	if (n == max) {
		(void)err_set(e, ERR_LIMIT, "more than %zu files in the guest",
			      max);
		return NULL;
	}
	if ((n & (n - 1)) == 0) {
		more = reallocarray(list, 2 * n, size);
		if (!more)
			(void)err_sys(e, "a list of the guest's files");
	}
	return more;
}

uint32_t
guest_add_file(struct guest *g, const struct guest_file *f, struct err *e)
{
	struct guest_file *files = guest_grow(
		g->files, g->nfiles, GUEST_FILES_MAX, sizeof(*files), e);

	if (!files)
		return 0;
	g->files = files;
	files[g->nfiles] = *f;
	return (uint32_t)g->nfiles++;
}

uint32_t
guest_add_volume(struct guest *g, const struct guest_volume *v, struct err *e)
{
	struct guest_volume *volumes =
		guest_grow(g->volumes, g->nvolumes, GUEST_VOLUMES_MAX,
			   sizeof(*volumes), e);

	if (!volumes)
		return 0;
	g->volumes = volumes;
	volumes[g->nvolumes] = *v;
	return (uint32_t)g->nvolumes++;
}

static void
guest_forget(struct guest *g)
{
	for (size_t i = 0; i < g->nfiles; i++)
		free(g->files[i].name);
	free(g->files);
	free(g->volumes);
	free(g->pages);
	g->files = NULL;
	g->volumes = NULL;
	g->pages = NULL;
	g->nfiles = g->nvolumes = g->nchecks = 0;
	g->drops = false;
}

/* Of the free pages, one in so many is looked at. */
static bool
guest_finds_poison(const struct guest *g)
{
	uint64_t looked = 0, filled = 0, nfree = 0, step, value, seen = 0;
	uint8_t scratch[PAGE_BYTES];

	for (uint64_t n = 0; n < g->memory->npages; n++)
		nfree += g->pages[n].class == CLASS_FREE;
	step = 1 + nfree / GUEST_POISON_SAMPLES;
	for (size_t i = 0; i < g->memory->nruns; i++) {
		const struct memory_run *r = &g->memory->runs[i];

		for (uint64_t k = 0; k < r->npages; k++) {
			const uint8_t *page;

			if (g->pages[r->first_page + k].class != CLASS_FREE ||
			    seen++ % step != 0)
				continue;
			page = g->memory->page(g->memory->arg,
					       r->gpa + k * PAGE_BYTES,
					       scratch);
			looked++;
			filled += page && fill_find(page, &value) && value != 0;
		}
	}
	return looked > 0 && filled * 10 >= looked * 9;
}

static int
guest_classify(struct guest *g, struct err *e)
{
	guest_forget(g);
	g->pages = calloc(MAX(g->memory->npages, 1u), sizeof(*g->pages));
	g->files = calloc(1, sizeof(*g->files));
	g->volumes = calloc(1, sizeof(*g->volumes));
	if (!g->pages || !g->files || !g->volumes)
		return err_sys(e, "the classes of the guest's pages");
	g->nfiles = g->nvolumes = 1;
	if (g->kind->classify(g, e) < 0)
		return -1;
	g->poisons = guest_finds_poison(g);
	g->drops = !g->poisons && guest_is_sound(g);
	return 0;
}

int
guest_open(struct guest *g, const struct physical *p, struct err *e)
{
	*g = (struct guest){ .memory = p };
	for (size_t i = 0; kinds[i]; i++) {
		e->code = ERR_NONE;
		/* What a running Windows says was never tried on a real one. */
		if (p->forget && kinds[i] == &guest_windows)
			continue;
		if (!kinds[i]->find(g, e)) {
			if (e->code != ERR_NONE)
				return -1;
			continue;
		}
		g->kind = kinds[i];
		g->os = kinds[i]->os;
		if (guest_classify(g, e) == 0)
			return 0;
		guest_close(g);
		return -1;
	}
	return 0;
}

int
guest_refresh(struct guest *g, struct err *e)
{
	return g->kind ? guest_classify(g, e) : 0;
}

void
guest_close(struct guest *g)
{
	if (g->kind)
		g->kind->close(g);
	guest_forget(g);
	*g = (struct guest){ .memory = g->memory };
}

enum page_class
guest_class(const struct guest *g, uint64_t n)
{
	return g->pages ? g->pages[n].class : CLASS_UNKNOWN;
}

bool
guest_is_sound(const struct guest *g)
{
	for (size_t i = 0; i < g->nchecks; i++)
		if (!g->checks[i].passed)
			return false;
	return g->nchecks > 0;
}

bool
guest_drops(const struct guest *g, uint64_t n)
{
	return g->drops && guest_class(g, n) == CLASS_FREE;
}

const char *
guest_os_name(enum guest_os os)
{
	static const char *const names[] = { "none", "linux", "windows" };

	return names[os];
}
