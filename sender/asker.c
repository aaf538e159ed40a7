/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "common/mem.h"
#include "common/page.h"
#include "common/pool.h"
#include "dedup/index.h"
#include "sender/asker.h"
#include "wire/query.h"

/* Some pages in a row.  The worker's while it is scanned; then the loop's;
 * .refs the planner's once the piece is known.
 */
struct asker_piece {
	struct pool_job job; /* first: a pool_job of ours is a piece */
	struct asker *asker;
	uint64_t first;
	size_t npages;
	struct plan_ref refs[ASKER_PIECE];
	uint16_t where[ASKER_PIECE]; /* which pages are asked about */
	struct fingerprint fps[ASKER_PIECE];
	size_t nasked;
	struct err err;
};

/* Pieces pass through these counts in turn; piece n is in slot
 * n % ASKER_PIECES.  begun >= scanned >= known >= passed.
 */
struct asker {
	struct asker_config config;
	struct pool *pool;
	struct asker_piece *slots;
	uint64_t npieces, begun, scanned, known, passed;
	struct asker_stats stats;
};

static struct asker_piece *
asker_slot(const struct asker *a, uint64_t n)
{
	return &a->slots[n % ASKER_PIECES];
}

/* Whether a shared base is likely to hold the page.  A wrong yes costs its
 * bytes, a wrong no the question.
 */
static bool
asker_is_shared(const struct asker *a, const uint8_t *page)
{
	uint64_t hint = digest_hint(page, PAGE_BYTES);
	uint32_t blocks[INDEX_CANDIDATES];

	for (size_t i = 1; i < a->config.nbases; i++) {
		const struct base *b = &a->config.bases[i];
		size_t n;

		if (b->kind != BASE_IMAGE || !b->index)
			continue;
		n = index_find(b->index, hint, blocks);
		for (size_t k = 0; k < n; k++)
			if (base_shares(b, blocks[k]))
				return true;
	}
	return false;
}

/* Whether a kept memory that both hold has the page at the same address. */
static bool
asker_is_kept(const struct asker *a, uint64_t n, const uint8_t *page)
{
	const struct memory_segment *s = memory_segment_of(a->config.memory, n);
	uint64_t gpa = s->gpa + (n - s->first_page) * PAGE_BYTES, at;

	for (size_t i = 1; i < a->config.nbases; i++) {
		const struct base *b = &a->config.bases[i];

		if (b->kind == BASE_MEMORY && b->memory &&
		    memory_page_at(b->memory, gpa, &at) && base_shares(b, at) &&
		    memcmp(memory_page(b->memory, at), page, PAGE_BYTES) == 0)
			return true;
	}
	return false;
}

static int
asker_scan(struct asker_piece *p, struct err *e)
{
	const struct asker *a = p->asker;
	const uint8_t *pages[ASKER_PIECE];
	uint64_t fill;

	p->nasked = 0;
	for (size_t i = 0; i < p->npages; i++) {
		const uint8_t *page =
			memory_page(a->config.memory, p->first + i);

		p->refs[i] = (struct plan_ref){ PLAN_BASE_HISTORY, 0 };
		if (fill_find(page, &fill) ||
		    asker_is_kept(a, p->first + i, page) ||
		    asker_is_shared(a, page))
			continue;
		pages[p->nasked] = page;
		p->where[p->nasked++] = (uint16_t)i;
	}
	if (p->nasked == 0)
		return 0;
	if (fingerprint_pages(pages, p->nasked, p->fps, e) < 0)
		return -1;
	return keyed_seal(a->config.key, p->fps, p->nasked, p->fps, e);
}

static void
asker_run(struct pool_job *job, unsigned worker)
{
	struct asker_piece *p = (struct asker_piece *)job;

	(void)worker;
	p->err.code = ERR_NONE;
	(void)asker_scan(p, &p->err);
}

/* Scans as far ahead as there is room for answers. */
static void
asker_begin(struct asker *a)
{
	while (a->begun < a->npieces && a->begun < a->passed + ASKER_PIECES) {
		struct asker_piece *p = asker_slot(a, a->begun);

		p->asker = a;
		p->first = a->begun * ASKER_PIECE;
		p->npages = MIN(a->config.memory->npages - p->first,
				(uint64_t)ASKER_PIECE);
		p->job.early = asker_run;
		a->begun++;
		pool_submit(a->pool, &p->job);
	}
}

/* Pieces that nothing was asked about need no answer. */
static void
asker_skip(struct asker *a)
{
	while (a->known < a->scanned && asker_slot(a, a->known)->nasked == 0)
		a->known++;
}

static int
asker_scanned(struct asker *a, const struct asker_piece *p, struct err *e)
{
	if (p->err.code != ERR_NONE) {
		*e = p->err;
		return -1;
	}
	a->scanned++;
	a->stats.asked += p->nasked;
	if (p->nasked == 0)
		return 0;
	return a->config.query(a->config.arg, p->fps, p->nasked, e);
}

static void
asker_on_ready(void *arg)
{
	struct asker *a = arg;
	struct pool_job *job;
	struct err e;

	while ((job = pool_take(a->pool)))
		if (asker_scanned(a, (struct asker_piece *)job, &e) < 0) {
			a->config.moved(a->config.arg, &e);
			return;
		}
	asker_skip(a);
	a->config.moved(a->config.arg, NULL);
}

struct asker *
asker_new(const struct asker_config *c, struct err *e)
{
	struct asker *a = calloc(1, sizeof(*a));

	static_assert(ASKER_PIECE <= QUERY_MAX, "a piece is one query");
	static_assert(ASKER_PIECES <= QUERY_WINDOW, "all may wait");
	if (!a) {
		(void)err_sys(e, "questions");
		return NULL;
	}
	a->config = *c;
	a->npieces = (c->memory->npages + ASKER_PIECE - 1) / ASKER_PIECE;
	a->slots = calloc(ASKER_PIECES, sizeof(*a->slots));
	a->pool = pool_new(1, e);
	if (!a->slots)
		(void)err_set(e, ERR_SYSTEM, "questions: out of memory");
	if (a->slots && a->pool &&
	    pool_watch(a->pool, c->loop, asker_on_ready, a, e) == 0) {
		asker_begin(a);
		return a;
	}
	asker_free(a);
	return NULL;
}

void
asker_free(struct asker *a)
{
	if (!a)
		return;
	pool_free(a->pool);
	free(a->slots);
	free(a);
}

int
asker_answer(struct asker *a, struct span body, struct err *e)
{
	struct plan_ref refs[ASKER_PIECE];
	struct asker_piece *p = asker_slot(a, a->known);

	if (a->known == a->scanned)
		return err_set(e, ERR_PROTOCOL, "ANSWER that nobody asked for");
	if (answer_get(body, refs, p->nasked, a->config.nbases, e) < 0)
		return -1;
	for (size_t i = 0; i < p->nasked; i++) {
		p->refs[p->where[i]] = refs[i];
		a->stats.found += refs[i].base != PLAN_BASE_HISTORY;
	}
	a->known++;
	asker_skip(a);
	a->config.moved(a->config.arg, NULL);
	return 0;
}

uint64_t
asker_known(const struct asker *a)
{
	return MIN(a->known * ASKER_PIECE, a->config.memory->npages);
}

void
asker_passed(struct asker *a, uint64_t page)
{
	a->passed = page / ASKER_PIECE;
	asker_begin(a);
}

bool
asker_ask(void *asker, uint64_t page, struct plan_ref *ref)
{
	const struct asker *a = asker;
	const struct asker_piece *p = asker_slot(a, page / ASKER_PIECE);

	*ref = p->refs[page % ASKER_PIECE];
	return ref->base != PLAN_BASE_HISTORY;
}

struct asker_stats
asker_stats(const struct asker *a)
{
	return a->stats;
}
