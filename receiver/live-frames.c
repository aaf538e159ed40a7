/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  Frames wait in the order in which they came, go
 * through the pool, and come back in that order.  A frame whose digest is
 * wrong has a NAK; those after it come back held, and wait in front of the
 * others until the sender said that frame again and it was right.  Nothing of
 * a frame goes to QEMU before.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "receiver/live-impl.h"

static void
frames_put(struct live_frames *q, struct live_frame *f)
{
	f->next = NULL;
	*(q->n ? q->end : &q->oldest) = f;
	q->end = &f->next;
	q->n++;
}

static struct live_frame *
frames_take(struct live_frames *q)
{
	struct live_frame *f = q->oldest;

	q->oldest = f->next;
	q->n--;
	return f;
}

/* All of q, before what is in 'to'. */
static void
frames_prepend(struct live_frames *to, struct live_frames *q)
{
	struct live_frames all = { .n = 0 };

	while (q->n > 0)
		frames_put(&all, frames_take(q));
	while (to->n > 0)
		frames_put(&all, frames_take(to));
	*to = all;
}

static void
frame_free(struct live_frame *f)
{
	if (!f)
		return;
	free(f->body);
	free(f);
}

/* frame_get() has bounded both counts. */
static bool
slot_room(struct live_slot *s)
{
	const struct frame *f = &s->x->frame;

	if (!s->out)
		s->out = malloc((size_t)f->npages *
					(STREAM_HEAD_MAX + PAGE_BYTES) +
				f->nbytes + 1);
	return s->out;
}

static bool
slot_place(void *arg, const struct plan_place *p, bool zero,
	   struct rebuild_item *head, uint8_t **out)
{
	struct live_slot *s = arg;
	struct live_receiver *r = s->r;
	uint32_t block;
	uint64_t offset;

	*out = NULL;
	if (!stream_number_find(&r->numbers, p->number, &block, &offset) ||
	    !slot_room(s))
		return false;
	head->head = s->out + s->len;
	if (!p->bare) {
		head->head_len = (uint32_t)stream_put_head(
			&r->blocks, zero ? STREAM_ZERO : STREAM_PAGE, block,
			offset, !p->names, s->out + s->len);
		s->len += head->head_len;
		if (zero)
			return true;
	}
	*out = s->out + s->len;
	s->len += PAGE_BYTES;
	return true;
}

static int
slot_done(void *arg, uint64_t n, const uint8_t *page, struct err *e)
{
	const struct live_slot *s = arg;

	if (s->frame->head.flags & LIVE_PASSING)
		return 0;
	return shadow_put(&s->r->shadow, n, page, e);
}

static const uint8_t *
slot_history(void *arg, uint64_t n)
{
	const struct live_slot *s = arg;

	if (n >= s->r->numbers.npages)
		return NULL;
	return s->r->shadow.data + n * PAGE_BYTES;
}

static int
slot_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	   struct err *e)
{
	struct live_slot *s = arg;

	(void)first;
	if (!slot_room(s))
		return err_sys(e, "frame");
	memcpy(s->out + s->len, bytes, n);
	s->len += n;
	return 0;
}

int
land_frames_init(struct live_receiver *r, struct err *e)
{
	size_t n = r->config.threads + LIVE_SPARE;

	r->decoder = decoder_new(r->bases, r->nbases, r->config.threads, e);
	if (!r->decoder)
		return -1;
	r->slots = calloc(n, sizeof(*r->slots));
	if (!r->slots)
		return err_sys(e, "frames");
	while (r->nslots < n) {
		struct decoding *x = decoding_new(r->decoder, e);

		if (!x)
			return -1;
		r->slots[r->nslots++] = (struct live_slot){ .r = r, .x = x };
	}
	return 0;
}

void
land_frames_fini(struct live_receiver *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		decoding_free(r->slots[i].x);
		frame_free(r->slots[i].frame);
		free(r->slots[i].out);
	}
	free(r->slots);
	decoder_free(r->decoder);
	while (r->waiting.n > 0)
		frame_free(frames_take(&r->waiting));
	while (r->held.n > 0)
		frame_free(frames_take(&r->held));
	frame_free(r->again);
}

static void
slot_begin(struct live_slot *s, struct live_frame *f)
{
	const struct rebuild_target target = { .history = slot_history,
					       .bytes = slot_bytes,
					       .place = slot_place,
					       .done = slot_done,
					       .arg = s };

	s->frame = f;
	s->out = NULL;
	s->len = 0;
	decoding_begin_framed(s->x, f->coded, &target,
			      f->head.flags & LIVE_AGAIN);
	pool_submit(s->r->pool, &s->x->job);
}

/* Gives frames to workers.  While one is missing the others would only come
 * back.
 */
static void
frames_begin(struct live_receiver *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct live_slot *s = &r->slots[i];

		if (s->frame)
			continue;
		if (r->again) {
			slot_begin(s, r->again);
			r->again = NULL;
		} else if (!r->nak && r->waiting.n > 0) {
			slot_begin(s, frames_take(&r->waiting));
		}
	}
}

int
land_frames_add(struct live_receiver *r, struct span body, struct err *e)
{
	struct live_frame_head head;
	struct live_frame *f;

	if (live_get_frame_head(&body, &head, e) < 0)
		return -1;
	/* One that is said again says what was true then. */
	if (journal_heard_once(&r->journal, head.heard, e) < 0)
		return -1;
	if (head.flags & LIVE_AGAIN
		    ? !r->nak || r->again || head.seq != r->nak_seq
		    : head.seq != r->next_seq ||
			      head.seq - r->next_done >= LIVE_WINDOW)
		return err_set(e, ERR_PROTOCOL, "frame %u out of place",
			       head.seq);
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_sys(e, "frame");
	*f = (struct live_frame){ .body = talk_keep(r->peer->talk),
				  .coded = body,
				  .head = head };
	if (head.flags & LIVE_AGAIN) {
		r->again = f;
	} else {
		r->next_seq++;
		frames_put(&r->waiting, f);
	}
	frames_begin(r);
	return 0;
}

static int
frames_say(struct live_receiver *r, enum message_type type, uint32_t seq,
	   struct err *e)
{
	if (message_put_u32(&r->out, type, seq, e) < 0)
		return -1;
	return land_say(r, e);
}

static int
frame_bad(struct live_receiver *r, struct live_slot *s, struct err *e)
{
	const struct live_frame *f = s->frame;

	if (f->head.flags & LIVE_AGAIN)
		return err_set(e, ERR_CORRUPT,
			       "frame %u is wrong even from its words",
			       f->head.seq);
	r->nak = true;
	r->nak_seq = f->head.seq;
	r->stats.refused++;
	return frames_say(r, MESSAGE_NAK, f->head.seq, e);
}

/* It is right: QEMU may have it. */
static int
frame_good(struct live_receiver *r, struct live_slot *s, struct err *e)
{
	const struct live_frame_head *head = &s->frame->head;
	const struct frame *f = &s->x->frame;
	struct live_out_channel *c;
	uint8_t *out = s->out;

	if (f->first_page >= r->nchannels)
		return err_set(e, ERR_PROTOCOL, "frame of channel %llu",
			       (unsigned long long)f->first_page);
	c = r->channels[f->first_page];
	if (c->last || f->first_byte != c->next_byte)
		return err_set(e, ERR_PROTOCOL, "frame at byte %llu, not %llu",
			       (unsigned long long)f->first_byte,
			       (unsigned long long)c->next_byte);
	c->next_byte += s->len;
	if (head->flags & LIVE_AGAIN) {
		r->nak = false;
		frames_prepend(&r->waiting, &r->held);
	}
	if ((!r->seal_came || r->next_done < r->seal_at) &&
	    seal_add(&r->seal, &f->digest, e) < 0)
		return -1;
	r->next_done++;
	r->stats.frames++;
	r->stats.pages += f->npages;
	if (frames_say(r, MESSAGE_ACK, head->seq, e) < 0)
		return -1;
	s->out = NULL;
	return land_channel_put(c, out, s->len, head->flags, e);
}

int
land_frames_done(struct live_receiver *r, struct pool_job *job, struct err *e)
{
	struct live_slot *s = r->slots;
	int ret = 0;

	while (&s->x->job != job)
		s++;
	if (s->x->failed) {
		*e = s->x->err;
		return err_prefix(e, "frame %u", s->frame->head.seq);
	}
	if (s->x->held) {
		frames_put(&r->held, s->frame);
		s->frame = NULL;
	} else {
		ret = s->x->good ? frame_good(r, s, e) : frame_bad(r, s, e);
	}
	frame_free(s->frame);
	free(s->out);
	s->frame = NULL;
	s->out = NULL;
	if (ret < 0)
		return -1;
	frames_begin(r);
	return land_move_on(r, e);
}
