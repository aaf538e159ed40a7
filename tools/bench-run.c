/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/held.h"
#include "tools/bench-classes.h"
#include "tools/bench-engine.h"
#include "tools/bench-guest.h"
#include "tools/bench-machine.h"
#include "tools/bench-run.h"
#include "tools/progress.h"

struct run {
	const struct bench_options *o;
	struct progress progress;
	char doing[80]; /* .progress points here */
	const volatile sig_atomic_t *cancelled;
	struct bench_report *report;
	/* Images, their kernels, their programs, the previous memory. */
	struct held held[PLAN_BASES_MAX - 1];
	size_t nheld;
	uint64_t unpack_ns, unpack_bytes; /* CPU for the kernels, their size */
	struct image *images[BENCH_IMAGES_MAX];
	struct index *indexes[BENCH_IMAGES_MAX];
	size_t nimages;
	struct memory memory;
	FILE *residual;     /* of the first tier of each memory; may be NULL */
	struct guest guest; /* whose memory that is */
	struct physical physical;
	uint64_t guest_ns;
};

/* Begins a piece of work that takes long. */
static void __attribute__((format(printf, 2, 3)))
begin(struct run *r, const char *fmt, ...)
{
	va_list ap;

	progress_fini(&r->progress);
	va_start(ap, fmt);
	vsnprintf(r->doing, sizeof(r->doing), fmt, ap);
	va_end(ap);
	progress_init(&r->progress, r->doing);
}

/* Pages of a memory or blocks of an image: it is all 4096 bytes. */
static void
show_pages(void *arg, uint64_t done, uint64_t all)
{
	progress_show(arg, done * PAGE_BYTES, all * PAGE_BYTES);
}

static struct index_how
how_to_read(struct run *r)
{
	return (struct index_how){ .threads = MIN(r->o->threads, 8u),
				   .report = show_pages,
				   .arg = &r->progress,
				   .cancelled = r->cancelled };
}

static int
open_images(struct run *r, struct err *e)
{
	struct index_how how = how_to_read(r);

	for (size_t i = 0; i < r->o->nimages; i++) {
		struct bench_image *out = &r->report->images[i];
		struct held *h = &r->held[r->nheld];

		begin(r, "indexing image %zu of %zu", i + 1, r->o->nimages);
		if (held_open_image(h, r->o->images[i], r->o->image_format,
				    &how, e) != 0)
			return -1;
		r->nheld++;
		r->images[i] = h->image;
		r->indexes[i] = h->index;
		r->nimages++;
		*out = (struct bench_image){
			.path = r->o->images[i],
			.bytes = image_size(h->image),
			.unique_blocks = index_unique_blocks(h->index),
			.root = h->root,
		};
		snprintf(out->format, sizeof(out->format), "%s",
			 image_format(h->image));
		r->report->nimages++;
	}
	return 0;
}

/* SHA-256 of a memory's file.  Also brings the file into the page cache and
 * the mapping, so that the first tool does not pay for all of them.
 */
static int
digest_memory(struct run *r, const struct memory *m, struct digest *out,
	      struct err *e)
{
	struct digest_stream s;
	const size_t piece = 1u << 20;
	int rc;

	if (digest_stream_init(&s, e) != 0)
		return -1;
	rc = 0;
	for (size_t at = 0; at < m->map.len && rc == 0; at += piece) {
		rc = digest_stream_update(&s, m->map.data + at,
					  MIN(piece, m->map.len - at), e);
		progress_show(&r->progress, at, m->map.len);
		if (rc == 0 && *r->cancelled)
			rc = err_set(e, ERR_CANCELLED, "interrupted");
	}
	if (rc == 0)
		rc = digest_stream_final(&s, out, e);
	digest_stream_fini(&s);
	return rc;
}

/* Kernels that cannot be unpacked are passed over: they are only an offer. */
static void
open_kernel(struct run *r, const struct held *image, size_t i)
{
	struct held *h = &r->held[r->nheld];
	struct err ignored;

	if (held_open_kernel(h, image, i, &ignored) != 0)
		return;
	r->unpack_bytes += h->base.npages * PAGE_BYTES;
	r->nheld++;
}

/* So is the lack of programs. */
static void
open_programs(struct run *r)
{
	struct index_how how = how_to_read(r);
	struct err ignored;

	for (size_t i = 0; i < r->nimages && r->nheld < ARRAY_LEN(r->held) - 1;
	     i++) {
		begin(r, "looking for programs in image %zu", i + 1);
		if (held_open_programs(&r->held[r->nheld], &r->held[i], &how,
				       &ignored) == 0)
			r->nheld++;
	}
}

static void
open_kernels(struct run *r)
{
	uint64_t begun = clock_cpu_ns();

	for (size_t i = 0; i < r->nimages; i++)
		for (size_t k = 0; r->nheld < ARRAY_LEN(r->held) - 1 &&
				   k < held_kernels(&r->held[i]);
		     k++) {
			begin(r, "unpacking kernel %zu of image %zu", k + 1,
			      i + 1);
			open_kernel(r, &r->held[i], k);
		}
	if (r->unpack_bytes)
		r->unpack_ns = clock_cpu_ns() - begun;
}

static int
open_previous(struct run *r, struct err *e)
{
	struct index_how how = how_to_read(r);
	struct held *h = &r->held[r->nheld];

	if (!r->o->previous)
		return 0;
	begin(r, "reading the previous memory");
	if (held_open_memory(h, r->o->previous, r->o->regions, r->o->nregions,
			     &how, e) != 0)
		return -1;
	r->nheld++;
	r->report->previous = r->o->previous;
	return digest_memory(r, &h->memory, &r->report->previous_digest, e);
}

static int
copy_segments(const struct memory *m, struct bench_capture *c, struct err *e)
{
	c->segments = calloc(MAX(m->nsegments, 1u), sizeof(*c->segments));
	if (!c->segments)
		return err_sys(e, "segments");
	for (size_t i = 0; i < m->nsegments; i++) {
		const struct memory_segment *s = &m->segments[i];

		if (s->is_pages)
			c->segments[c->nsegments++] = (struct bench_segment){
				s->first_page, s->len / PAGE_BYTES, s->gpa
			};
	}
	return 0;
}

/* One run of one tier; the first fills *t, later ones add their sample. */
static int
run_tier(const struct bench_engine *engine, const struct effort *effort,
	 struct bench_tier *t, struct err *e)
{
	struct bench_tier again = { .plan = NULL };
	int rc;

	if (t->result.nsamples == 0)
		return bench_engine_run(engine, effort, t, e);
	rc = bench_engine_run(engine, effort, &again, e);
	if (rc == 0) {
		bench_result_add(&t->result, &again.result.samples[0]);
		t->result.wire_bytes =
			MAX(t->result.wire_bytes, again.result.wire_bytes);
	}
	bench_tier_fini(&again);
	return rc;
}

static int
run_tiers(struct run *r, struct bench_capture *c, const char *name,
	  struct err *e)
{
	struct base bases[PLAN_BASES_MAX] = {
		{ .kind = BASE_HISTORY, .npages = r->memory.npages },
	};
	struct bench_engine engine = {
		.memory = &r->memory,
		.bases = bases,
		.nbases = 1,
		.threads = r->o->threads,
		.progress = show_pages,
		.progress_arg = &r->progress,
		.cancelled = r->cancelled,
		.unpack_ns = r->unpack_ns,
		.unpack_bytes = r->unpack_bytes,
		.guest = r->o->no_free_drop ? NULL : &r->guest,
		.guest_ns = r->o->no_free_drop ? 0 : r->guest_ns,
	};

	for (size_t i = 0; i < r->nheld; i++)
		bases[engine.nbases++] = r->held[i].base;
	engine.residual = r->residual;
	for (size_t i = 0; i < r->o->ntiers; i++) {
		const struct effort *effort = r->o->tiers[i];

		for (size_t k = 0; k < r->o->runs; k++) {
			begin(r, "%s: virt-mig %s", name, effort->name);
			c->ntiers = i + 1;
			if (run_tier(&engine, effort, &c->tiers[i], e) != 0)
				return -1;
			engine.residual = NULL;
		}
	}
	return 0;
}

static int
run_peer(const struct peer *p, const struct bench_input *in,
	 struct bench_result *out, struct err *e)
{
	struct bench_result once;

	if (p->run(p, in, &once, e) != 0)
		return -1;
	if (out->nsamples == 0)
		*out = once;
	else
		bench_result_add(out, &once.samples[0]);
	return 0;
}

static int
run_peers(struct run *r, struct bench_capture *c, const char *name,
	  struct err *e)
{
	struct bench_input in = {
		.memory = &r->memory,
		.images = r->images,
		.indexes = r->indexes,
		.nimages = r->nimages,
		.threads = r->o->threads,
		.progress = { show_pages, &r->progress, r->cancelled },
	};
	size_t n;
	const struct peer *p = peer_list(&n);

	for (size_t i = 0; i < n; i++) {
		if (!r->o->peers[i])
			continue;
		for (size_t k = 0; k < r->o->runs; k++) {
			begin(r, "%s: %s", name, p[i].name);
			if (run_peer(&p[i], &in, &c->peers[c->npeers], e) != 0)
				return -1;
		}
		c->npeers++;
	}
	return 0;
}

static int
open_guest(struct run *r, struct bench_capture *c, struct err *e)
{
	uint64_t begun = clock_cpu_ns();

	r->physical = physical_of(&r->memory);
	if (guest_open(&r->guest, &r->physical, e) < 0)
		return -1;
	r->guest_ns = clock_cpu_ns() - begun;
	bench_guest_note(&r->guest, !r->o->no_free_drop, &c->guest);
	return 0;
}

static int
run_tools(struct run *r, struct bench_capture *c, const char *name,
	  struct err *e)
{
	if (run_tiers(r, c, name, e) != 0)
		return -1;
	bench_classes(&r->memory, &r->guest, c->tiers, c->ntiers);
	return run_peers(r, c, name, e);
}

static int
run_memory(struct run *r, size_t i, struct err *e)
{
	struct bench_capture *c = &r->report->captures[i];
	char name[48];
	int rc;

	snprintf(name, sizeof(name), "memory %zu of %zu", i + 1,
		 r->o->nmemories);
	c->path = r->o->memories[i];
	c->format = r->memory.format;
	c->file_bytes = r->memory.map.len;
	c->npages = r->memory.npages;
	c->tiers = calloc(MAX(r->o->ntiers, 1u), sizeof(*c->tiers));
	c->peers = calloc(PEERS_MAX, sizeof(*c->peers));
	if (!c->tiers || !c->peers)
		return err_sys(e, "results");
	begin(r, "%s: reading", name);
	if (copy_segments(&r->memory, c, e) != 0 ||
	    digest_memory(r, &r->memory, &c->digest, e) != 0 ||
	    open_guest(r, c, e) != 0)
		return -1;
	rc = run_tools(r, c, name, e);
	guest_close(&r->guest);
	return rc;
}

static int
run_all(struct run *r, struct err *e)
{
	if (open_images(r, e) != 0)
		return -1;
	open_kernels(r);
	open_programs(r);
	if (open_previous(r, e) != 0)
		return -1;
	for (size_t i = 0; i < r->o->nmemories; i++) {
		int rc;

		if (memory_open(&r->memory, r->o->memories[i], r->o->regions,
				r->o->nregions, e) != 0)
			return -1;
		r->report->ncaptures++;
		rc = r->memory.npages > 0
			     ? run_memory(r, i, e)
			     : err_set(e, ERR_USAGE,
				       "%s: not one page of memory in it",
				       r->o->memories[i]);
		memory_close(&r->memory);
		if (rc != 0)
			return -1;
	}
	return 0;
}

int
bench_run(const struct bench_options *o, struct bench_report *r, struct err *e)
{
	struct run run = { .o = o, .cancelled = interrupted(), .report = r };
	int rc;

	*r = (struct bench_report){ .threads = o->threads,
				    .nlinks = o->nlinks };
	bench_machine(r);
	memcpy(r->links, o->links, sizeof(r->links));
	r->images = calloc(MAX(o->nimages, 1u), sizeof(*r->images));
	r->captures = calloc(o->nmemories, sizeof(*r->captures));
	rc = r->images && r->captures ? 0 : err_sys(e, "report");
	if (rc == 0 && o->residual) {
		run.residual = fopen(o->residual, "wb");
		if (!run.residual)
			rc = err_sys(e, "%s", o->residual);
	}
	if (rc == 0)
		rc = run_all(&run, e);
	if (run.residual && fclose(run.residual) != 0 && rc == 0)
		rc = err_sys(e, "%s", o->residual);
	progress_fini(&run.progress);
	for (size_t i = 0; i < run.nheld; i++)
		held_close(&run.held[i]);
	return rc;
}
