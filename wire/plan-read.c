/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "wire/plan-impl.h"
#include "wire/plan.h"

void
plan_reader_init(struct plan_reader *r, const struct span streams[STREAM__MAX],
		 uint32_t guest_like, uint8_t nbases)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->streams, streams, sizeof(r->streams));
	r->guest_like = guest_like;
	r->nbases = nbases;
}

int
plan_next(struct plan_reader *r, uint64_t max, enum plan_code *code,
	  uint64_t *n, struct err *e)
{
	uint64_t v;

	if (r->left == 0) {
		if (span_get_varint(&r->streams[STREAM_PLAN], &v, e) < 0)
			return -1;
		r->code = v & 7;
		r->left = (v >> 3) + 1;
	}
	*code = r->code;
	*n = r->code == PLAN_BYTES ? r->left : MIN(r->left, max);
	r->left -= *n;
	return 0;
}

int
plan_get_fill(struct plan_reader *r, uint64_t *value, struct err *e)
{
	return span_get_u64(&r->streams[STREAM_FILL], value, e);
}

static int
plan_get_base(struct plan_reader *r, struct span *s, uint8_t *base,
	      struct err *e)
{
	if (span_get_u8(s, base, e) < 0)
		return -1;
	if (*base >= r->nbases)
		return err_set(e, ERR_PROTOCOL, "base %u of %u", *base,
			       r->nbases);
	return 0;
}

static int
plan_begin_run(struct plan_reader *r, struct plan_cursor *c, struct err *e)
{
	struct span *jump = &r->streams[STREAM_JUMP];
	uint64_t run, step;

	if (span_get_varint(&r->streams[STREAM_RUN], &run, e) < 0)
		return -1;
	c->left = (run >> 1) + 1;
	if ((run & 1) && plan_get_base(r, jump, &c->base, e) < 0)
		return -1;
	if (span_get_varint(jump, &step, e) < 0)
		return -1;
	if (plan_is_guest_like(r->guest_like, c->base))
		c->offset = (int64_t)((uint64_t)c->offset +
				      (uint64_t)unzigzag(step));
	else
		c->next += (uint64_t)unzigzag(step);
	return 0;
}

int
plan_get_ref(struct plan_reader *r, enum plan_code use, uint64_t own,
	     struct plan_ref *ref, struct err *e)
{
	struct plan_cursor *c = &r->cursors[use - PLAN_REF];

	if (c->left == 0 && plan_begin_run(r, c, e) < 0)
		return -1;
	c->left--;
	ref->base = c->base;
	ref->page = plan_is_guest_like(r->guest_like, c->base)
			    ? own + (uint64_t)c->offset
			    : c->next;
	plan_cursor_move(c, own, *ref);
	return 0;
}

static int
plan_get_one_move(struct plan_reader *r, uint64_t *by, struct err *e)
{
	struct span *s = &r->streams[STREAM_MOVE];
	uint8_t at;

	if (span_get_u8(s, &at, e) < 0)
		return -1;
	if (at == PLAN_MOVES_KNOWN) {
		if (span_get_u64(s, by, e) < 0)
			return -1;
		at = (uint8_t)r->moves.n;
	} else if (at < r->moves.n) {
		*by = r->moves.by[at];
	} else {
		return err_set(e, ERR_PROTOCOL, "difference %u of %u", at,
			       r->moves.n);
	}
	plan_moves_to_front(&r->moves, at, *by);
	return 0;
}

int
plan_get_moves(struct plan_reader *r, uint64_t by[PLAN_MOVES_MAX], unsigned *n,
	       struct err *e)
{
	uint8_t count;

	if (span_get_u8(&r->streams[STREAM_MOVE], &count, e) < 0)
		return -1;
	if (count < 1 || count > PLAN_MOVES_MAX)
		return err_set(e, ERR_PROTOCOL, "%u differences", count);
	for (unsigned i = 0; i < count; i++)
		if (plan_get_one_move(r, &by[i], e) < 0)
			return -1;
	*n = count;
	return 0;
}

int
plan_get_slots(struct plan_reader *r, unsigned nmoves, unsigned n,
	       const uint8_t **slots, struct err *e)
{
	if (span_take(&r->streams[STREAM_SLOT], n, slots, e) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if ((*slots)[i] >= nmoves)
			return err_set(e, ERR_PROTOCOL, "slot %u of %u",
				       (*slots)[i], nmoves);
	return 0;
}

int
plan_get_delta(struct plan_reader *r, uint64_t mask[PAGE_WORDS / 64],
	       const uint8_t **words, struct err *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS / 64; i++) {
		if (span_get_u64(&r->streams[STREAM_MASK], &mask[i], e) < 0)
			return -1;
		n += (unsigned)__builtin_popcountll(mask[i]);
	}
	if (n > PLAN_DELTA_MAX)
		return err_set(e, ERR_PROTOCOL, "%u changed words", n);
	return span_take(&r->streams[STREAM_WORD], 8 * (size_t)n, words, e);
}

static int
plan_get_copy(struct plan_reader *r, unsigned at, struct plan_copy *c,
	      struct err *e)
{
	struct span *copy = &r->streams[STREAM_COPY];
	struct span *from = &r->streams[STREAM_FROM];
	uint64_t skip, len, jump, shift;
	int64_t word;

	if (span_get_varint(copy, &skip, e) < 0 ||
	    span_get_varint(copy, &len, e) < 0 ||
	    span_get_varint(from, &jump, e) < 0)
		return -1;
	if ((jump & 1) && plan_get_base(r, from, &r->copied.base, e) < 0)
		return -1;
	if (span_get_varint(from, &shift, e) < 0)
		return -1;
	if (skip > PAGE_WORDS || len > PAGE_WORDS - PLAN_COPY_MIN ||
	    at + skip + len + PLAN_COPY_MIN > PAGE_WORDS)
		return err_set(e, ERR_PROTOCOL, "copy past the end of a page");
	c->to = (uint16_t)(at + skip);
	c->len = (uint16_t)(len + PLAN_COPY_MIN);
	word = unzigzag(shift);
	if (word < -(int64_t)c->to || word > PAGE_WORDS - c->len - c->to)
		return err_set(e, ERR_PROTOCOL, "copy from outside a page");
	c->from = (uint16_t)(c->to + word);
	r->copied.page += (uint64_t)unzigzag(jump >> 1);
	c->ref = r->copied;
	return 0;
}

int
plan_get_copies(struct plan_reader *r, struct plan_copy copies[PLAN_COPIES_MAX],
		unsigned *n, struct err *e)
{
	uint64_t count;
	unsigned at = 0;

	if (span_get_varint(&r->streams[STREAM_COPY], &count, e) < 0)
		return -1;
	if (count > PLAN_COPIES_MAX)
		return err_set(e, ERR_PROTOCOL, "too many copies in a page");
	for (unsigned i = 0; i < count; i++) {
		if (plan_get_copy(r, at, &copies[i], e) < 0)
			return -1;
		at = copies[i].to + copies[i].len;
	}
	*n = (unsigned)count;
	return 0;
}

int
plan_get_words(struct plan_reader *r, unsigned nwords, uint8_t *out,
	       struct err *e)
{
	return span_get(&r->streams[STREAM_DATA], out, 8 * (size_t)nwords, e);
}

int
plan_get_bytes(struct plan_reader *r, uint64_t n, const uint8_t **bytes,
	       struct err *e)
{
	return span_take(&r->streams[STREAM_GAP], n, bytes, e);
}

int
plan_reader_end(const struct plan_reader *r, struct err *e)
{
	bool more = r->left > 0 || r->places.run > 0;

	for (unsigned i = 0; i < PLAN_USES; i++)
		more |= r->cursors[i].left > 0;
	if (more)
		return err_set(e, ERR_PROTOCOL, "a run goes past the frame");
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (r->streams[i].left > 0)
			return err_set(e, ERR_PROTOCOL,
				       "%zu bytes left in stream %s",
				       r->streams[i].left, plan_stream_name(i));
	return 0;
}
