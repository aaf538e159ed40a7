/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/delta.h"
#include "dedup/match.h"
#include "dedup/normal.h"
#include "sender/lookup.h"
#include "sender/planner.h"

/* Words in a frame that is sent again. */
#define PLANNER_PLAIN_BYTES (1u << 20)

struct planner {
	struct planner_config config;
	struct lookup lookup;
	struct match match;
	struct planner_cursor at;
};

static const uint8_t *
planner_match_bytes(void *arg, struct plan_ref ref)
{
	const struct planner *p = arg;

	return lookup_bytes(&p->lookup, ref);
}

struct planner *
planner_new(const struct planner_config *c, struct err *e)
{
	struct planner *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)err_sys(e, "planner");
		return NULL;
	}
	p->config = *c;
	if (lookup_init(&p->lookup, c->memory, c->bases, c->nbases, e) < 0 ||
	    match_init(&p->match, c->memory->npages, planner_match_bytes, p,
		       e) < 0) {
		planner_free(p);
		return NULL;
	}
	return p;
}

void
planner_free(struct planner *p)
{
	if (!p)
		return;
	lookup_fini(&p->lookup);
	match_fini(&p->match);
	free(p);
}

static void
planner_know(const struct planner *p, struct planned *out, uint32_t i,
	     struct plan_ref ref)
{
	const struct fingerprint *fp =
		base_fingerprint(&p->config.bases[ref.base], ref.page);

	out->known[i] = fp != NULL;
	if (fp)
		out->fps[i] = *fp;
}

/* A page that no earlier one equals may itself be what later ones equal. */
static int
planner_new_page(struct planner *p, const struct planner_limits *limits,
		 struct plan_writer *w, struct planned *out, uint64_t hint,
		 struct err *e)
{
	uint32_t i = out->npages;
	uint64_t n = out->start.page + i, normal;
	const uint8_t *page = memory_page(p->config.memory, n);
	struct plan_copy copies[PLAN_COPIES_MAX];
	struct plan_delta delta;
	struct plan_move move;
	struct plan_ref ref, places[LOOKUP_PLACES];
	unsigned ncopies = 0;

	table_add(&p->lookup.sent, hint, (uint32_t)n);
	if (normal_hash(page, &normal) > 0) {
		if (lookup_moved(&p->lookup, page, normal, &ref, &move)) {
			out->codes[i] = PLAN_MOVE;
			return plan_put_move(w, n, ref, &move, e);
		}
		table_add(&p->lookup.sent_normal, normal, (uint32_t)n);
	}
	for (size_t k = 0, nplaces = lookup_places(&p->lookup, n, places);
	     k < nplaces; k++)
		if (delta_make(page, lookup_bytes(&p->lookup, places[k]),
			       &delta)) {
			out->codes[i] = PLAN_DELTA;
			return plan_put_delta(w, n, places[k], &delta, e);
		}
	if (limits->match) {
		uint64_t t = clock_cpu_ns();

		ncopies = match_page(&p->match, page, (struct plan_ref){ 0, n },
				     copies);
		out->match_cpu_ns += clock_cpu_ns() - t;
	}
	out->codes[i] = PLAN_DATA;
	return plan_put_data(w, page, copies, ncopies, e);
}

static int
planner_page(struct planner *p, const struct planner_limits *limits,
	     struct plan_writer *w, struct planned *out, struct err *e)
{
	uint32_t i = out->npages;
	uint64_t n = out->start.page + i, hint;
	const uint8_t *page = memory_page(p->config.memory, n);
	struct plan_ref ref;

	out->known[i] = false;
	if (fill_find(page, &out->fills[i])) {
		out->codes[i] = out->fills[i] ? PLAN_FILL : PLAN_ZERO;
		return out->fills[i] ? plan_put_fill(w, out->fills[i], e)
				     : plan_put_plain(w, PLAN_ZERO, e);
	}
	if (!lookup_equal(&p->lookup, page, n, &hint, &ref)) {
		if (!p->config.ask ||
		    !p->config.ask(p->config.ask_arg, n, &ref))
			return planner_new_page(p, limits, w, out, hint, e);
	} else {
		planner_know(p, out, i, ref);
	}
	out->codes[i] = PLAN_REF;
	return plan_put_ref(w, n, ref, e);
}

/* Opaque bytes at the cursor, as many as the frame may still hold. */
static int
planner_bytes(const struct planner *p, struct planner_cursor *at, uint64_t max,
	      struct plan_writer *w, struct planned *out, struct err *e)
{
	const struct memory *m = p->config.memory;
	const struct memory_segment *s = &m->segments[at->segment];
	uint64_t n = MIN(s->len - at->done, max);
	const uint8_t *bytes = m->map.data + s->offset + at->done;

	out->bytes[out->nruns++] = (struct planned_bytes){
		.at = bytes, .n = (uint32_t)n, .before = out->npages
	};
	out->nbytes += (uint32_t)n;
	at->done += n;
	at->byte += n;
	return plan_put_bytes(w, bytes, n, e);
}

static const struct memory_segment *
planner_segment(const struct planner *p, struct planner_cursor *at)
{
	const struct memory *m = p->config.memory;

	while (at->segment < m->nsegments &&
	       at->done == m->segments[at->segment].len) {
		at->segment++;
		at->done = 0;
	}
	return at->segment < m->nsegments ? &m->segments[at->segment] : NULL;
}

static void
planned_reset(struct planned *out, const struct planner_cursor *start)
{
	out->start = *start;
	out->npages = 0;
	out->nbytes = 0;
	out->nruns = 0;
	out->match_cpu_ns = 0;
}

static void
planner_cursor_page(struct planner_cursor *at)
{
	at->done += PAGE_BYTES;
	at->page++;
}

int
planner_frame(struct planner *p, const struct planner_limits *limits,
	      struct plan_writer *w, struct planned *out, struct err *e)
{
	const struct memory_segment *s;

	plan_writer_reset(w);
	planned_reset(out, &p->at);
	while ((s = planner_segment(p, &p->at)) &&
	       out->npages < FRAME_PAGES_MAX &&
	       w->streams[STREAM_DATA].len + w->streams[STREAM_WORD].len <
		       limits->block_bytes) {
		if (s->is_pages) {
			if (planner_page(p, limits, w, out, e) < 0)
				return -1;
			out->npages++;
			planner_cursor_page(&p->at);
			continue;
		}
		if (out->nruns == PLANNED_BYTES_MAX ||
		    out->nbytes == FRAME_BYTES_MAX)
			break;
		if (planner_bytes(p, &p->at, FRAME_BYTES_MAX - out->nbytes, w,
				  out, e) < 0)
			return -1;
	}
	return plan_writer_finish(w, e);
}

static int
planner_page_plain(const struct planner *p, struct plan_writer *w,
		   struct planned *out, struct err *e)
{
	uint32_t i = out->npages;
	const uint8_t *page =
		memory_page(p->config.memory, out->start.page + i);

	out->known[i] = false;
	out->codes[i] = PLAN_DATA;
	if (!fill_find(page, &out->fills[i]))
		return plan_put_data(w, page, NULL, 0, e);
	out->codes[i] = PLAN_FILL;
	return plan_put_fill(w, out->fills[i], e);
}

int
planner_frame_plain(const struct planner *p, struct planner_range *range,
		    struct plan_writer *w, struct planned *out, struct err *e)
{
	const struct memory_segment *s;

	plan_writer_reset(w);
	planned_reset(out, &range->at);
	while ((range->npages > 0 || range->nbytes > 0) &&
	       w->streams[STREAM_DATA].len < PLANNER_PLAIN_BYTES &&
	       (s = planner_segment(p, &range->at))) {
		if (s->is_pages) {
			if (planner_page_plain(p, w, out, e) < 0)
				return -1;
			out->npages++;
			range->npages--;
			planner_cursor_page(&range->at);
			continue;
		}
		range->nbytes += out->nbytes;
		if (planner_bytes(p, &range->at, range->nbytes - out->nbytes, w,
				  out, e) < 0)
			return -1;
		range->nbytes -= out->nbytes;
	}
	return plan_writer_finish(w, e);
}
