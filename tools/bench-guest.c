/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-guest.h"
#include "tools/format.h"

void
bench_guest_note(const struct guest *g, bool drops, struct bench_guest *out)
{
	*out = (struct bench_guest){ .os = g->os,
				     .sound = guest_is_sound(g),
				     .drops = g->drops && drops,
				     .nchecks = g->nchecks };
	memcpy(out->release, g->release, sizeof(out->release));
	memcpy(out->checks, g->checks, sizeof(out->checks));
}

const char *
bench_guest_text(const struct bench_guest *g, char out[BENCH_GUEST_TEXT])
{
	auto_free char *safe = format_printable(g->release);
	const char *more = "its free pages are sent, too";

	if (g->drops)
		more = "its free pages arrive as zeros";
	else if (!g->sound)
		more = "its tables leave doubt, so free pages are sent, too";
	if (g->os == GUEST_NONE)
		snprintf(out, BENCH_GUEST_TEXT,
			 "no tables that are understood; pages are told by "
			 "content");
	else
		snprintf(out, BENCH_GUEST_TEXT, "%s %s; %s",
			 guest_os_name(g->os), safe ? safe : "", more);
	return out;
}

static void
explain_classes(const struct guest *g, FILE *out)
{
	char pages[FORMAT_LEN], bytes[FORMAT_LEN];
	uint64_t counts[CLASS__MAX] = { 0 }, dirty = 0;

	for (uint64_t n = 0; n < g->memory->npages; n++) {
		counts[guest_class(g, n)]++;
		dirty += (g->pages[n].flags & PAGE_DIRTY) != 0;
	}
	for (unsigned c = 0; c < CLASS__MAX; c++)
		if (counts[c] > 0)
			fprintf(out, "  %-10s %11s pages %10s\n", class_name(c),
				format_count(pages, counts[c]),
				format_bytes(bytes, counts[c] * PAGE_BYTES));
	fprintf(out, "  of cached pages %s may differ from the disk\n",
		format_count(pages, dirty));
}

static void
explain_volume(const struct guest *g, uint32_t volume, FILE *out)
{
	const struct guest_volume *v = &g->volumes[volume];
	char files[FORMAT_LEN], pages[FORMAT_LEN];
	auto_free char *fs = format_printable(v->fs);
	auto_free char *device = format_printable(v->device);
	uint64_t nfiles = 0, npages = 0;

	for (size_t i = 1; i < g->nfiles; i++)
		nfiles += g->files[i].volume == volume;
	for (uint64_t n = 0; n < g->memory->npages; n++)
		npages += g->pages[n].file != 0 &&
			  g->files[g->pages[n].file].volume == volume;
	fprintf(out, "  %s %s: %s pages of %s files\n", fs ? fs : "",
		device ? device : "", format_count(pages, npages),
		format_count(files, nfiles));
}

/* Of Windows: whether files have names, and what waits on standby. */
static void
explain_windows(const struct guest *g, FILE *out)
{
	char files[FORMAT_LEN], named[FORMAT_LEN], pages[FORMAT_LEN];
	uint64_t nnamed = 0, npages = 0, waiting[8] = { 0 };

	for (size_t i = 1; i < g->nfiles; i++)
		nnamed += g->files[i].name != NULL;
	for (uint64_t n = 0; n < g->memory->npages; n++) {
		npages += g->pages[n].file != 0;
		if (guest_class(g, n) == CLASS_STANDBY)
			waiting[g->pages[n].priority & 7]++;
	}
	fprintf(out, "  %s pages are of %s files, %s of which have a name\n",
		format_count(pages, npages), format_count(files, g->nfiles - 1),
		format_count(named, nnamed));
	fputs("  standby by priority, 0 to 7:", out);
	for (unsigned i = 0; i < ARRAY_LEN(waiting); i++)
		fprintf(out, " %s", format_count(pages, waiting[i]));
	fputs("\n", out);
}

static void
explain(const struct guest *g, double cpu_s, FILE *out)
{
	auto_free char *safe = format_printable(g->release);
	char bytes[FORMAT_LEN];

	if (g->os == GUEST_NONE) {
		fputs("  no tables that are understood were found: pages are "
		      "told by content alone\n",
		      out);
		return;
	}
	fprintf(out, "  %s %s, %s in %.3f s of CPU\n", guest_os_name(g->os),
		safe ? safe : "",
		format_bytes(bytes, g->memory->npages * PAGE_BYTES), cpu_s);
	for (size_t i = 0; i < g->nchecks; i++)
		fprintf(out, "  %s: %s\n",
			g->checks[i].passed ? "passed" : "FAILED",
			g->checks[i].what);
	if (g->poisons)
		fputs("  it fills what it frees with a value and checks that: "
		      "nothing is dropped\n",
		      out);
	fprintf(out, "  free pages %s\n",
		g->drops ? "need not be sent" : "are sent like others");
	explain_classes(g, out);
	for (uint32_t i = 1; i < g->nvolumes; i++)
		explain_volume(g, i, out);
	if (g->os == GUEST_WINDOWS)
		explain_windows(g, out);
}

static int
explain_memory(const struct bench_options *o, const char *path, FILE *out,
	       struct err *e)
{
	auto_free char *safe = format_printable(path);
	struct physical p;
	struct memory m;
	struct guest g;
	uint64_t t;
	int ret;

	if (memory_open(&m, path, o->regions, o->nregions, e) < 0)
		return -1;
	p = physical_of(&m);
	t = clock_cpu_ns();
	ret = guest_open(&g, &p, e);
	t = clock_cpu_ns() - t;
	if (ret == 0) {
		fprintf(out, "%s: %s\n", safe ? safe : "memory", m.format);
		explain(&g, (double)t / 1e9, out);
		guest_close(&g);
	}
	memory_close(&m);
	return ret;
}

int
bench_guest_explain(const struct bench_options *o, FILE *out, struct err *e)
{
	for (size_t i = 0; i < o->nmemories; i++)
		if (explain_memory(o, o->memories[i], out, e) < 0)
			return -1;
	return 0;
}
