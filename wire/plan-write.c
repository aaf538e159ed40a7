/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "wire/plan-impl.h"
#include "wire/plan.h"

void
plan_writer_init(struct plan_writer *w, uint32_t guest_like)
{
	memset(w, 0, sizeof(*w));
	for (unsigned i = 0; i < STREAM__MAX; i++)
		buf_init(&w->streams[i], PLAN_STREAM_MAX);
	w->guest_like = guest_like;
}

void
plan_writer_fini(struct plan_writer *w)
{
	for (unsigned i = 0; i < STREAM__MAX; i++)
		buf_fini(&w->streams[i]);
	free(w->runs);
	w->runs = NULL;
	w->runs_cap = 0;
}

void
plan_writer_reset(struct plan_writer *w)
{
	for (unsigned i = 0; i < STREAM__MAX; i++)
		buf_reset(&w->streams[i]);
	w->run = 0;
	w->nruns = 0;
	memset(w->open, 0, sizeof(w->open));
	memset(w->cursors, 0, sizeof(w->cursors));
	w->moves.n = 0;
	w->copied = (struct plan_ref){ 0, 0 };
	w->places = (struct plan_places){ .run = 0 };
}

static int
plan_close_codes(struct plan_writer *w, struct err *e)
{
	uint64_t run = w->run;

	w->run = 0;
	if (run == 0)
		return 0;
	return buf_put_varint(&w->streams[STREAM_PLAN],
			      (run - 1) << 3 | w->code, e);
}

static int
plan_put_code(struct plan_writer *w, enum plan_code code, uint64_t n,
	      struct err *e)
{
	if (w->run > 0 && w->code == code) {
		w->run += n;
		return 0;
	}
	if (plan_close_codes(w, e) < 0)
		return -1;
	w->code = code;
	w->run = n;
	return 0;
}

static int
plan_open_run(struct plan_writer *w, unsigned use, bool base_changed,
	      struct err *e)
{
	if (w->nruns == w->runs_cap) {
		size_t cap = MAX(2 * w->runs_cap, (size_t)256);
		struct plan_run *runs = realloc(w->runs, cap * sizeof(*runs));

		if (!runs)
			return err_sys(e, "runs of references");
		w->runs = runs;
		w->runs_cap = cap;
	}
	w->runs[w->nruns++] = (struct plan_run){ 1, base_changed };
	w->open[use] = w->nruns;
	return 0;
}

static int
plan_put_reference(struct plan_writer *w, enum plan_code code, uint64_t own,
		   struct plan_ref ref, struct err *e)
{
	unsigned use = code - PLAN_REF;
	struct plan_cursor *c = &w->cursors[use], was = *c;
	struct buf *jump = &w->streams[STREAM_JUMP];
	int64_t step;

	step = plan_is_guest_like(w->guest_like, ref.base)
		       ? (int64_t)(ref.page - own) - c->offset
		       : (int64_t)(ref.page - c->next);
	plan_cursor_move(c, own, ref);
	if (w->open[use] && was.base == ref.base && step == 0) {
		w->runs[w->open[use] - 1].len++;
		return 0;
	}
	if (plan_open_run(w, use, was.base != ref.base, e) < 0)
		return -1;
	if (was.base != ref.base && buf_put_u8(jump, ref.base, e) < 0)
		return -1;
	return buf_put_varint(jump, zigzag(step), e);
}

int
plan_put_plain(struct plan_writer *w, enum plan_code code, struct err *e)
{
	assert(code == PLAN_ZERO || code == PLAN_FREE);
	return plan_put_code(w, code, 1, e);
}

int
plan_put_fill(struct plan_writer *w, uint64_t value, struct err *e)
{
	if (plan_put_code(w, PLAN_FILL, 1, e) < 0)
		return -1;
	return buf_put_u64(&w->streams[STREAM_FILL], value, e);
}

int
plan_put_ref(struct plan_writer *w, uint64_t own, struct plan_ref ref,
	     struct err *e)
{
	if (plan_put_code(w, PLAN_REF, 1, e) < 0)
		return -1;
	return plan_put_reference(w, PLAN_REF, own, ref, e);
}

static int
plan_put_one_move(struct plan_writer *w, uint64_t by, struct err *e)
{
	struct buf *b = &w->streams[STREAM_MOVE];
	unsigned at = 0;

	while (at < w->moves.n && w->moves.by[at] != by)
		at++;
	if (at < w->moves.n) {
		if (buf_put_u8(b, (uint8_t)at, e) < 0)
			return -1;
	} else if (buf_put_u8(b, PLAN_MOVES_KNOWN, e) < 0 ||
		   buf_put_u64(b, by, e) < 0) {
		return -1;
	}
	plan_moves_to_front(&w->moves, at, by);
	return 0;
}

int
plan_put_move(struct plan_writer *w, uint64_t own, struct plan_ref ref,
	      const struct plan_move *m, struct err *e)
{
	assert(m->n >= 1 && m->n <= PLAN_MOVES_MAX);
	if (plan_put_code(w, PLAN_MOVE, 1, e) < 0 ||
	    plan_put_reference(w, PLAN_MOVE, own, ref, e) < 0 ||
	    buf_put_u8(&w->streams[STREAM_MOVE], (uint8_t)m->n, e) < 0)
		return -1;
	for (unsigned i = 0; i < m->n; i++)
		if (plan_put_one_move(w, m->by[i], e) < 0)
			return -1;
	return m->n == 1 ? 0
			 : buf_put(&w->streams[STREAM_SLOT], m->slots,
				   m->nslots, e);
}

int
plan_put_delta(struct plan_writer *w, uint64_t own, struct plan_ref ref,
	       const struct plan_delta *d, struct err *e)
{
	if (plan_put_code(w, PLAN_DELTA, 1, e) < 0 ||
	    plan_put_reference(w, PLAN_DELTA, own, ref, e) < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(d->mask); i++)
		if (buf_put_u64(&w->streams[STREAM_MASK], d->mask[i], e) < 0)
			return -1;
	return buf_put(&w->streams[STREAM_WORD], d->words, 8 * d->nwords, e);
}

static int
plan_put_copy(struct plan_writer *w, const struct plan_copy *c, unsigned at,
	      struct err *e)
{
	struct buf *copy = &w->streams[STREAM_COPY];
	struct buf *from = &w->streams[STREAM_FROM];
	bool base_changed = c->ref.base != w->copied.base;
	uint64_t jump = zigzag((int64_t)(c->ref.page - w->copied.page));

	assert(c->to >= at && c->len >= PLAN_COPY_MIN);
	assert(c->to + c->len <= PAGE_WORDS && c->from + c->len <= PAGE_WORDS);
	w->copied = c->ref;
	if (buf_put_varint(copy, c->to - at, e) < 0 ||
	    buf_put_varint(copy, c->len - PLAN_COPY_MIN, e) < 0 ||
	    buf_put_varint(from, jump << 1 | base_changed, e) < 0)
		return -1;
	if (base_changed && buf_put_u8(from, c->ref.base, e) < 0)
		return -1;
	return buf_put_varint(from, zigzag(c->from - c->to), e);
}

int
plan_put_data(struct plan_writer *w, const uint8_t *page,
	      const struct plan_copy *copies, unsigned n, struct err *e)
{
	struct buf *data = &w->streams[STREAM_DATA];
	unsigned at = 0;

	if (plan_put_code(w, PLAN_DATA, 1, e) < 0 ||
	    buf_put_varint(&w->streams[STREAM_COPY], n, e) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const struct plan_copy *c = &copies[i];

		if (plan_put_copy(w, c, at, e) < 0 ||
		    buf_put(data, page + 8 * at, 8 * (c->to - at), e) < 0)
			return -1;
		at = c->to + c->len;
	}
	return buf_put(data, page + 8 * at, 8 * (PAGE_WORDS - at), e);
}

int
plan_put_bytes(struct plan_writer *w, const uint8_t *bytes, uint64_t n,
	       struct err *e)
{
	if (n == 0)
		return 0;
	if (plan_put_code(w, PLAN_BYTES, n, e) < 0)
		return -1;
	return buf_put(&w->streams[STREAM_GAP], bytes, n, e);
}

int
plan_writer_finish(struct plan_writer *w, struct err *e)
{
	if (plan_close_codes(w, e) < 0 || plan_close_places(w, e) < 0)
		return -1;
	for (size_t i = 0; i < w->nruns; i++)
		if (buf_put_varint(&w->streams[STREAM_RUN],
				   (w->runs[i].len - 1) << 1 |
					   w->runs[i].base_changed,
				   e) < 0)
			return -1;
	return 0;
}
