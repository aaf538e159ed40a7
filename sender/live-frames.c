/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "sender/live-impl.h"

void
live_queue_put(struct live_queue *q, struct live_batch *b)
{
	b->next = NULL;
	*(q->n ? q->end : &q->oldest) = b;
	q->end = &b->next;
	q->n++;
}

struct live_batch *
live_queue_take(struct live_queue *q)
{
	struct live_batch *b = q->oldest;

	q->oldest = b->next;
	q->n--;
	return b;
}

struct live_batch *
live_batch_new(struct live_sender *s, struct err *e)
{
	struct live_batch *b;

	if (s->spare.n > 0)
		return live_queue_take(&s->spare);
	b = calloc(1, sizeof(*b));
	if (b)
		b->raw = malloc(LIVE_BATCH_BYTES);
	if (b && b->raw)
		return b;
	(void)err_sys(e, "batch");
	free(b);
	return NULL;
}

static void
live_batch_free(struct live_batch *b)
{
	if (!b)
		return;
	free(b->raw);
	free(b);
}

/* Some are kept for the next. */
void
live_batch_spare(struct live_sender *s, struct live_batch *b)
{
	if (s->spare.n < LIVE_READY_MAX + s->nchannels)
		live_queue_put(&s->spare, b);
	else
		live_batch_free(b);
}

int
live_frames_init(struct live_sender *s, struct err *e)
{
	size_t n = s->config.threads + LIVE_SPARE;

	s->encodings = calloc(n, sizeof(*s->encodings));
	if (!s->encodings)
		return err_sys(e, "frames");
	while (s->nencodings < n) {
		struct encoding *x = encoding_new(s->encoder, e);

		if (!x)
			return -1;
		s->encodings[s->nencodings++].x = x;
	}
	return 0;
}

static void
live_queue_fini(struct live_queue *q)
{
	while (q->n > 0)
		live_batch_free(live_queue_take(q));
}

void
live_frames_fini(struct live_sender *s)
{
	for (size_t i = 0; i < s->nencodings; i++) {
		struct live_encoding *x = &s->encodings[i];

		/* One that had a NAK is in the window, too. */
		if (x->batch && !x->batch->again)
			live_batch_free(x->batch);
		encoding_free(x->x);
	}
	free(s->encodings);
	live_queue_fini(&s->ready);
	live_queue_fini(&s->window);
	live_queue_fini(&s->spare);
}

static void
live_frame_begin(struct live_sender *s, struct live_encoding *x,
		 struct live_batch *b)
{
	const struct effort *effort = control_choose(&s->control);

	s->stats.effort = effort->name;
	s->stats.efforts[effort_number(effort)]++;
	x->batch = b;
	if (!b->again)
		b->keep = effort->keeps || s->config.keep;
	encoding_begin_batch(x->x, effort, &b->b, b->channel->number, b->byte,
			     b->keep, b->again);
	pool_submit(s->pool, &x->x->job);
}

static struct live_encoding *
live_idle(struct live_sender *s)
{
	for (size_t i = 0; i < s->nencodings; i++)
		if (!s->encodings[i].batch)
			return &s->encodings[i];
	return NULL;
}

void
live_frames_begin(struct live_sender *s)
{
	struct live_encoding *x;

	while ((x = live_idle(s)) && !s->stats.lost) {
		if (s->refused && !s->refused->again) {
			s->refused->again = true;
			live_frame_begin(s, x, s->refused);
			continue;
		}
		if (s->ready.n == 0 ||
		    (!s->sealed && (s->ready.oldest->flags & LIVE_TAIL)) ||
		    s->next_seq - s->acked == LIVE_WINDOW ||
		    (s->talk && talk_is_full(s->talk)))
			return;
		s->ready.oldest->seq = s->next_seq++;
		live_frame_begin(s, x, live_queue_take(&s->ready));
	}
}

/* Before the next frame: does the link have enough to do? */
static void
live_look_at_link(struct live_sender *s)
{
	if (!s->talk)
		return;
	control_look(&s->control, live_wire_bytes(s),
		     link_starves(talk_link(s->talk)), clock_wall_ns());
	if (s->control.was_busy && s->free)
		free_pages_begin(s->free);
}

static int
live_frame_say(struct live_sender *s, const struct live_encoding *x,
	       struct err *e)
{
	const struct live_frame_head head = {
		.seq = x->batch->seq,
		.flags = x->batch->flags |
			 (uint8_t)(x->batch->again ? LIVE_AGAIN : 0) |
			 (uint8_t)(x->batch->keep ? 0 : LIVE_PASSING),
		.heard = s->heard,
	};
	const struct frame *f = &x->x->frame;
	struct buf b;
	size_t at;

	buf_init(&b, MESSAGE_HEAD_BYTES + MESSAGE_BODY_MAX);
	if (!buf_room(&b, MESSAGE_HEAD_BYTES + 16 + frame_bound(f), e) ||
	    message_begin(&b, MESSAGE_FRAME, &at, e) < 0 ||
	    live_put_frame_head(&b, &head, e) < 0 || frame_put(&b, f, e) < 0 ||
	    message_end(&b, at, e) < 0) {
		buf_fini(&b);
		return -1;
	}
	live_look_at_link(s);
	if (s->config.reconnect_ms > 0)
		return journal_say(&s->journal, live_talk(s), b.data, b.len, e);
	return talk_give(s->talk, b.data, b.len, e);
}

static void
live_frame_learn(struct live_sender *s, const struct live_encoding *x)
{
	const struct frame_stream *f = x->x->frame.streams;

	if (x->batch->again)
		return;
	for (uint32_t i = 0; i < x->batch->b.npages; i++)
		x->batch->plans[x->x->planned.codes[i]]++;
	control_encoded(&s->control, x->x->effort,
			f[STREAM_DATA].raw_len + f[STREAM_WORD].raw_len,
			f[STREAM_DATA].coded_len + f[STREAM_WORD].coded_len,
			x->x->turn_wall_ns, x->x->late_wall_ns);
}

int
live_frames_done(struct live_sender *s, struct pool_job *job, struct err *e)
{
	struct live_encoding *x = s->encodings;

	while (&x->x->job != job)
		x++;
	if (x->x->failed) {
		*e = x->x->err;
		return -1;
	}
	live_frame_learn(s, x);
	if (live_frame_say(s, x, e) < 0)
		return -1;
	x->batch->said = s->journal.next;
	if (x->batch->again) {
		s->refused = NULL;
	} else {
		if (!s->sealed &&
		    seal_add(&s->seal, &x->x->frame.digest, e) < 0)
			return -1;
		live_queue_put(&s->window, x->batch);
		s->sent++;
	}
	x->batch = NULL;
	return 0;
}

/* The frame that an ACK or NAK is about: the oldest. */
static struct live_batch *
live_frames_oldest(struct live_sender *s, struct span body, struct err *e)
{
	uint32_t seq;

	if (message_get_u32(body, &seq, e) < 0)
		return NULL;
	if (s->window.n == 0 || seq != s->window.oldest->seq || s->refused) {
		(void)err_set(e, ERR_PROTOCOL, "word of frame %u", seq);
		return NULL;
	}
	return s->window.oldest;
}

int
live_frames_ack(struct live_sender *s, struct span body, struct err *e)
{
	struct live_batch *b = live_frames_oldest(s, body, e);

	if (!b || (s->config.reconnect_ms > 0 &&
		   journal_heard_once(&s->journal, b->said, e) < 0))
		return -1;
	s->acked = b->seq + 1;
	s->stats.frames++;
	s->stats.pages += b->b.npages;
	for (unsigned i = 0; i < PLAN__MAX; i++)
		s->stats.plans[i] += b->plans[i];
	live_batch_spare(s, live_queue_take(&s->window));
	return 0;
}

int
live_frames_nak(struct live_sender *s, struct span body, struct err *e)
{
	struct live_batch *b = live_frames_oldest(s, body, e);

	if (!b)
		return -1;
	if (b->again)
		return err_set(e, ERR_CORRUPT,
			       "the receiver cannot rebuild a frame, even from "
			       "its words");
	s->stats.refused++;
	s->refused = b;
	return 0;
}

bool
live_frames_are_done(const struct live_sender *s)
{
	return s->ready.n == 0 && s->window.n == 0 && s->next_seq == s->acked;
}
