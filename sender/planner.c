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
/* Pages whose places in the tables are loaded while others are compared. */
#define PLANNER_AHEAD 16

struct planner {
	struct planner_config config;
	struct lookup lookup;
	struct match match;
	uint8_t *came; /* live: bit n: page n did */
	bool again;    /* live: a page came again */
};

static const uint8_t *
planner_match_bytes(void *arg, struct plan_ref ref)
{
	const struct planner *p = arg;

	return memory_page(p->config.memory, ref.page);
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
	if (c->shadow)
		p->came = calloc(c->memory->npages / 8 + 1, 1);
	if (c->shadow && !p->came) {
		(void)err_sys(e, "planner");
		planner_free(p);
		return NULL;
	}
	if (lookup_init(&p->lookup, c->memory, c->bases, c->nbases, c->shadow,
			e) < 0 ||
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
	free(p->came);
	free(p);
}

/* One frame under way. */
struct planning {
	struct planner *planner; /* NULL: plainly */
	const struct planner_limits *limits;
	struct batch *batch;
	struct plan_writer *w;
	struct planned *out;
	uint32_t i; /* the page it is at */
	/* What the next pages are, those up to 'ahead'. */
	struct lookup_page pages[PLANNER_AHEAD];
	bool filled[PLANNER_AHEAD];
	uint32_t ahead;
};

static void
planner_know(const struct planning *g, struct plan_ref ref)
{
	const struct base *b = &g->planner->config.bases[ref.base];
	const struct fingerprint *fp = base_fingerprint(b, ref.page);

	g->out->known[g->i] = fp != NULL;
	if (fp)
		g->out->fps[g->i] = *fp;
}

/* Only the kernel's own pages are of modules, where these are known. */
static bool
planner_alike(const struct planner *p, uint64_t n, const uint8_t *page,
	      struct plan_ref *ref, struct plan_delta *d)
{
	enum page_class is = p->config.guest ? guest_class(p->config.guest, n)
					     : CLASS_UNKNOWN;

	return (is == CLASS_KERNEL || is == CLASS_UNKNOWN) &&
	       lookup_alike(&p->lookup, page, ref, d);
}

/* A page that no earlier one equals may itself be what later ones equal. */
static int
planner_new_page(const struct planning *g, uint64_t hint, struct err *e)
{
	struct planner *p = g->planner;
	uint64_t n = g->batch->pages[g->i].number, normal;
	const uint8_t *page = g->batch->pages[g->i].bytes;
	struct plan_copy copies[PLAN_COPIES_MAX];
	struct plan_delta delta;
	struct plan_move move;
	struct plan_ref ref, places[LOOKUP_REFS];
	uint8_t scratch[PAGE_BYTES];
	unsigned ncopies = 0;

	if (g->limits->keep)
		table_add(&p->lookup.sent, hint, (uint32_t)n);
	if (normal_hash(page, &normal) > 0) {
		if (lookup_moved(&p->lookup, page, normal, &ref, &move)) {
			g->out->codes[g->i] = PLAN_MOVE;
			return plan_put_move(g->w, n, ref, &move, e);
		}
		if (g->limits->keep)
			table_add(&p->lookup.sent_normal, normal, (uint32_t)n);
	}
	for (size_t k = 0, nplaces = lookup_places(&p->lookup, n, places);
	     k < nplaces; k++)
		if (delta_make(page,
			       lookup_bytes(&p->lookup, places[k], scratch),
			       &delta)) {
			g->out->codes[g->i] = PLAN_DELTA;
			return plan_put_delta(g->w, n, places[k], &delta, e);
		}
	if (planner_alike(p, n, page, &ref, &delta)) {
		g->out->codes[g->i] = PLAN_DELTA;
		return plan_put_delta(g->w, n, ref, &delta, e);
	}
	if (g->limits->match) {
		uint64_t t = clock_cpu_ns();

		ncopies = match_page(&p->match, page, (struct plan_ref){ 0, n },
				     copies);
		g->out->match_cpu_ns += clock_cpu_ns() - t;
	}
	g->out->codes[g->i] = PLAN_DATA;
	return plan_put_data(g->w, page, copies, ncopies, e);
}

/* A page of one word: in a framed batch it is ZERO only where QEMU said so,
 * since that is another record.
 */
static int
planner_fill(const struct planning *g, uint64_t value, bool zero, struct err *e)
{
	g->out->fills[g->i] = value;
	g->out->codes[g->i] = zero ? PLAN_ZERO : PLAN_FILL;
	return zero ? plan_put_plain(g->w, PLAN_ZERO, e)
		    : plan_put_fill(g->w, value, e);
}

/* Sent again, it is dropped again, whatever it is by then: what arrives is what
 * was to arrive.
 */
static int
planner_drop(const struct planning *g, struct err *e)
{
	g->batch->pages[g->i].dropped = true;
	g->out->fills[g->i] = 0;
	g->out->codes[g->i] = PLAN_FREE;
	return plan_put_plain(g->w, PLAN_FREE, e);
}

static int
planner_page_plain(const struct planning *g, struct err *e)
{
	const uint8_t *page = g->batch->pages[g->i].bytes;
	uint64_t value;

	g->out->known[g->i] = false;
	g->out->codes[g->i] = PLAN_DATA;
	if (!page)
		return planner_fill(g, 0, true, e);
	if (g->batch->pages[g->i].dropped)
		return planner_drop(g, e);
	if (fill_find(page, &value))
		return planner_fill(g, value, false, e);
	return plan_put_data(g->w, page, NULL, 0, e);
}

/* Looks at the next pages, so that tables are in the cache when it is their
 * turn.
 */
static void
planner_look_ahead(struct planning *g)
{
	const struct lookup *l = &g->planner->lookup;
	bool hash = lookup_looks_ahead(l);

	for (; g->ahead < MIN(g->i + PLANNER_AHEAD, g->batch->npages);
	     g->ahead++) {
		const struct batch_page *page = &g->batch->pages[g->ahead];
		uint32_t k = g->ahead % PLANNER_AHEAD;

		g->filled[k] = !page->bytes ||
			       fill_find(page->bytes, &g->out->fills[g->ahead]);
		g->pages[k] = (struct lookup_page){ .bytes = page->bytes,
						    .number = page->number };
		if (hash && !g->filled[k])
			lookup_ahead(l, &g->pages[k]);
	}
}

/* Once pages come again QEMU may send them as differences from what it sent
 * before (xbzrle), and from then on that must have arrived.
 */
static bool
planner_drops(const struct planner *p, const struct lookup_page *page)
{
	if (p->config.free)
		return !p->again && free_pages_drops(p->config.free,
						     page->number, page->bytes);
	return p->config.guest && guest_drops(p->config.guest, page->number);
}

static int
planner_page(struct planning *g, struct err *e)
{
	struct planner *p = g->planner;
	struct lookup_page *page = &g->pages[g->i % PLANNER_AHEAD];
	uint64_t fill = g->out->fills[g->i];
	struct plan_ref ref;

	g->out->known[g->i] = false;
	if (!page->bytes)
		return planner_fill(g, 0, true, e);
	if (g->filled[g->i % PLANNER_AHEAD])
		return planner_fill(g, fill, fill == 0 && !g->batch->framed, e);
	if (planner_drops(p, page))
		return planner_drop(g, e);
	if (lookup_equal(&p->lookup, page, &ref))
		planner_know(g, ref);
	else if (!p->config.ask ||
		 !p->config.ask(p->config.ask_arg, page->number, &ref))
		return planner_new_page(g, page->hint, e);
	g->out->codes[g->i] = PLAN_REF;
	return plan_put_ref(g->w, page->number, ref, e);
}

static void
planner_came(struct planner *p, uint64_t n)
{
	uint8_t bit = (uint8_t)(1u << n % 8);

	p->again |= (p->came[n / 8] & bit) != 0;
	p->came[n / 8] |= bit;
}

/* The receiver has this page when it has rebuilt it, if it keeps it, too. */
static int
planner_keep(const struct planning *g, struct err *e)
{
	const struct batch_page *b = &g->batch->pages[g->i];
	bool zero = g->out->codes[g->i] == PLAN_FREE;

	if (!g->limits->keep)
		return 0;
	lookup_sent(&g->planner->lookup, b->number);
	return shadow_put(g->planner->config.shadow, b->number,
			  zero ? NULL : b->bytes, e);
}

static int
planner_next(struct planning *g, struct err *e)
{
	const struct batch_page *b = &g->batch->pages[g->i];
	const struct plan_place place = { b->number, b->bare, b->names };

	if (g->batch->framed && plan_put_place(g->w, &place, e) < 0)
		return -1;
	if (!g->planner)
		return planner_page_plain(g, e);
	if (g->planner->config.shadow)
		planner_came(g->planner, b->number);
	if (g->i == g->ahead)
		planner_look_ahead(g);
	if (planner_page(g, e) < 0)
		return -1;
	return g->planner->config.shadow ? planner_keep(g, e) : 0;
}

/* Plans pages and bytes in order until the frame holds so many words, and
 * cuts the batch there.
 */
static int
planner_batch(struct planning *g, struct batch *b, struct err *e)
{
	const struct buf *streams = g->w->streams;
	uint32_t run = 0, nbytes = 0;
	int ret = 0;

	plan_writer_reset(g->w);
	g->out->match_cpu_ns = 0;
	while (ret == 0 && (g->i < b->npages || run < b->nruns) &&
	       streams[STREAM_DATA].len + streams[STREAM_WORD].len <
		       g->limits->block_bytes) {
		const struct batch_run *r = &b->runs[run];

		if (run < b->nruns && r->before == g->i) {
			ret = plan_put_bytes(g->w, r->at, r->n, e);
			nbytes += r->n;
			run++;
			continue;
		}
		ret = planner_next(g, e);
		g->i++;
	}
	b->npages = g->i;
	b->nruns = run;
	b->nbytes = nbytes;
	return ret < 0 ? -1 : plan_writer_finish(g->w, e);
}

int
planner_frame(struct planner *p, const struct planner_limits *limits,
	      struct batch *b, struct plan_writer *w, struct planned *out,
	      struct err *e)
{
	struct planning g = {
		.planner = p, .limits = limits, .batch = b, .w = w, .out = out
	};

	if (p->config.free)
		free_pages_look(p->config.free);
	return planner_batch(&g, b, e);
}

int
planner_frame_plain(struct batch *b, struct plan_writer *w, struct planned *out,
		    struct err *e)
{
	const struct planner_limits limits = {
		.block_bytes = b->framed ? UINT32_MAX : PLANNER_PLAIN_BYTES
	};
	struct planning g = {
		.limits = &limits, .batch = b, .w = w, .out = out
	};

	return planner_batch(&g, b, e);
}
