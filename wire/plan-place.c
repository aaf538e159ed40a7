/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wire/plan-impl.h"
#include "wire/plan.h"

/* A run of places: a varint, whose low bits say what the first page is like
 * and the others how many more follow; then, if it jumps, how far.
 */
#define PLACE_BARE  1
#define PLACE_NAMES 2
#define PLACE_JUMPS 4
#define PLACE_SHIFT 3

int
plan_close_places(struct plan_writer *w, struct err *e)
{
	struct plan_places *s = &w->places;
	struct buf *b = &w->streams[STREAM_PLACE];
	uint64_t first = s->last.number - s->run + 1;
	uint64_t v = (s->run - 1) << PLACE_SHIFT |
		     (s->last.bare ? PLACE_BARE : 0) |
		     (s->last.names ? PLACE_NAMES : 0) |
		     (s->jumps ? PLACE_JUMPS : 0);

	if (s->run == 0)
		return 0;
	s->run = 0;
	if (buf_put_varint(b, v, e) < 0)
		return -1;
	if (s->jumps &&
	    buf_put_varint(b, zigzag((int64_t)(first - s->next)), e) < 0)
		return -1;
	s->next = s->last.number + 1;
	return 0;
}

int
plan_put_place(struct plan_writer *w, const struct plan_place *p, struct err *e)
{
	struct plan_places *s = &w->places;

	if (s->run > 0 && !p->names && p->bare == s->last.bare &&
	    p->number == s->last.number + 1) {
		s->last.number++;
		s->run++;
		return 0;
	}
	if (plan_close_places(w, e) < 0)
		return -1;
	s->last = *p;
	s->jumps = p->number != s->next;
	s->run = 1;
	return 0;
}

static int
plan_begin_places(struct plan_reader *r, struct err *e)
{
	struct plan_places *s = &r->places;
	struct span *in = &r->streams[STREAM_PLACE];
	uint64_t v, jump = 0;

	if (span_get_varint(in, &v, e) < 0 ||
	    ((v & PLACE_JUMPS) && span_get_varint(in, &jump, e) < 0))
		return -1;
	s->run = (v >> PLACE_SHIFT) + 1;
	s->last.bare = v & PLACE_BARE;
	s->last.names = v & PLACE_NAMES;
	s->last.number = s->next + (uint64_t)unzigzag(jump);
	return 0;
}

int
plan_get_place(struct plan_reader *r, struct plan_place *p, struct err *e)
{
	struct plan_places *s = &r->places;

	if (s->run == 0 && plan_begin_places(r, e) < 0)
		return -1;
	*p = s->last;
	s->run--;
	s->last.number++;
	s->last.names = false;
	s->next = s->last.number;
	return 0;
}
