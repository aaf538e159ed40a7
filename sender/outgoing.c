/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  outgoing_pump() is the only place that begins a
 * frame; it is called whenever something that held it back may have gone: a
 * worker finished, the link drained, the receiver acknowledged or answered.
 * A frame goes through pool -> link -> window; the window keeps what it takes
 * to send it again until the receiver's ACK.  What the receiver could not
 * rebuild comes before anything new, and without references.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "common/pool.h"
#include "sender/agree.h"
#include "sender/asker.h"
#include "sender/encode.h"
#include "sender/outgoing.h"
#include "sender/window.h"
#include "wire/layout.h"
#include "wire/query.h"
#include "wire/seal.h"
#include "wire/talk.h"

/* Frames that are encoded while others wait for their turn on the link. */
#define OUTGOING_SPARE 1
struct outgoing_setup {
	struct pool_job job; /* first */
	struct outgoing *o;
	struct encoder *encoder;
	struct err err;
};

struct outgoing {
	struct outgoing_config config;
	struct talk *talk;
	struct pool *pool;
	struct agree agree;
	struct asker *asker; /* NULL: nothing to ask */
	struct control control;
	struct outgoing_setup setup;
	struct encoder *encoder;
	struct encoding **all, **idle; /* idle: a stack, not in the pool */
	size_t nall, nidle;
	size_t planning;  /* in the pool, of new pages */
	uint64_t planned; /* pages, by encodings that came back */
	bool at_end;      /* of the memory */
	struct window window;
	struct seal seal;
	struct outgoing_stats stats;
	bool sealed, ended;
	struct err why; /* once ended */
};

static int
outgoing_say_layout(struct outgoing *o, struct err *e)
{
	const struct memory *m = o->config.memory;
	struct layout l;
	int ret = 0;

	layout_init(&l);
	for (size_t i = 0; i < m->nsegments && ret == 0; i++) {
		const struct memory_segment *s = &m->segments[i];

		if (s->len > 0)
			ret = layout_add(
				&l, s->is_pages,
				s->is_pages ? s->len / PAGE_BYTES : s->len, e);
	}
	if (ret == 0)
		ret = layout_put(talk_out(o->talk), &l, e);
	layout_fini(&l);
	return ret < 0 ? -1 : talk_say(o->talk, e);
}

static void
outgoing_opened(void *arg)
{
	struct outgoing *o = arg;
	struct err e;

	if (outgoing_say_layout(o, &e) < 0)
		talk_abort(o->talk, &e);
}

/* The planner enters all of a kept memory into its tables: a worker's job. */
static void
outgoing_set_up(struct pool_job *job, unsigned worker)
{
	struct outgoing_setup *s = (struct outgoing_setup *)job;
	struct outgoing *o = s->o;
	struct planner_config c = { .memory = o->config.memory,
				    .bases = o->agree.bases,
				    .nbases = o->agree.nbases,
				    .ask = o->asker ? asker_ask : NULL,
				    .ask_arg = o->asker };

	(void)worker;
	s->err.code = ERR_NONE;
	s->encoder = encoder_new(&c, o->config.threads, &s->err);
}

static int
outgoing_query(void *arg, const struct fingerprint *keyed, size_t n,
	       struct err *e)
{
	struct outgoing *o = arg;

	if (query_put(talk_out(o->talk), keyed, n, e) < 0)
		return -1;
	return talk_say(o->talk, e);
}

static void outgoing_pump(struct outgoing *o);

static void
outgoing_asked(void *arg, const struct err *failed)
{
	struct outgoing *o = arg;

	if (o->ended)
		return;
	if (failed)
		talk_abort(o->talk, failed);
	else
		outgoing_pump(o);
}

/* Both ends know what they share: the frames can begin. */
static int
outgoing_agreed(struct outgoing *o, struct err *e)
{
	struct asker_config c = { .loop = o->config.loop,
				  .memory = o->config.memory,
				  .query = outgoing_query,
				  .moved = outgoing_asked,
				  .arg = o };

	agree_finish(&o->agree, o->config.memory->npages);
	o->stats.nbases = o->agree.nbases - 1;
	for (size_t i = 0; i < o->agree.offer.nheld; i++)
		o->stats.nwhole += o->agree.pairs[i].whole;
	if (bases_put(talk_out(o->talk), o->agree.numbers, o->agree.nbases - 1,
		      e) < 0 ||
	    talk_say(o->talk, e) < 0 ||
	    session_enter(talk_session(o->talk), SESSION_STREAM, e) < 0)
		return -1;
	if (o->agree.ask) {
		c.bases = o->agree.bases;
		c.nbases = o->agree.nbases;
		memcpy(c.key, o->agree.offer.key, sizeof(c.key));
		o->asker = asker_new(&c, e);
		if (!o->asker)
			return -1;
	}
	o->setup.o = o;
	o->setup.job.early = outgoing_set_up;
	pool_submit(o->pool, &o->setup.job);
	return 0;
}

static int
outgoing_want(struct outgoing *o, struct err *e)
{
	struct want w;
	int ret = agree_want(&o->agree, &w, e);

	if (ret == 0)
		return outgoing_agreed(o, e);
	if (ret < 0 || want_put(talk_out(o->talk), &w, e) < 0)
		return -1;
	return talk_say(o->talk, e);
}

static int
outgoing_heard_offer(struct outgoing *o, struct span body, struct err *e)
{
	if (o->agree.offer.nheld > 0)
		return err_set(e, ERR_PROTOCOL, "a second OFFER");
	return agree_offer(&o->agree, body, e) < 0 ? -1 : outgoing_want(o, e);
}

static int
outgoing_heard_regions(struct outgoing *o, struct span body, struct err *e)
{
	return agree_regions(&o->agree, body, e) < 0 ? -1 : outgoing_want(o, e);
}

static int
outgoing_heard_ack(struct outgoing *o, struct span body, struct err *e)
{
	const struct window_frame *f = window_take(&o->window, body, e);

	if (!f || seal_add(&o->seal, &f->digest, e) < 0)
		return -1;
	o->stats.frames++;
	o->stats.pages += f->range.npages;
	o->stats.bytes += f->range.nbytes;
	for (unsigned i = 0; i < PLAN__MAX; i++)
		o->stats.plans[i] += f->plans[i];
	outgoing_pump(o);
	return 0;
}

static int
outgoing_heard_nak(struct outgoing *o, struct span body, struct err *e)
{
	const struct window_frame *f = window_take(&o->window, body, e);

	if (!f || window_refused(&o->window, f, e) < 0)
		return -1;
	o->stats.refused++;
	outgoing_pump(o);
	return 0;
}

static int
outgoing_heard_answer(struct outgoing *o, struct span body, struct err *e)
{
	if (!o->asker)
		return err_set(e, ERR_PROTOCOL, "ANSWER that nobody asked for");
	return asker_answer(o->asker, body, e);
}

static int
outgoing_heard_sealed(struct outgoing *o, struct err *e)
{
	struct session *s = talk_session(o->talk);

	if (session_enter(s, SESSION_COMMIT, e) < 0 ||
	    session_enter(s, SESSION_DONE, e) < 0)
		return -1;
	talk_close(o->talk);
	return 0;
}

static int
outgoing_heard(void *arg, enum message_type type, struct span body,
	       struct err *e)
{
	struct outgoing *o = arg;

	switch ((int)type) {
	case MESSAGE_OFFER:
		return outgoing_heard_offer(o, body, e);
	case MESSAGE_REGIONS:
		return outgoing_heard_regions(o, body, e);
	case MESSAGE_ACK:
		return outgoing_heard_ack(o, body, e);
	case MESSAGE_NAK:
		return outgoing_heard_nak(o, body, e);
	case MESSAGE_ANSWER:
		return outgoing_heard_answer(o, body, e);
	case MESSAGE_SEALED:
		return outgoing_heard_sealed(o, e);
	default:
		return err_set(e, ERR_PROTOCOL, "%s to a sender",
			       message_name(type));
	}
}

static void
outgoing_drained(void *arg)
{
	outgoing_pump(arg);
}

static void
outgoing_ended(void *arg, const struct err *why)
{
	struct outgoing *o = arg;

	o->ended = true;
	o->why.code = ERR_NONE;
	if (!why)
		return;
	o->why = *why;
	if (o->sealed)
		(void)err_prefix(&o->why, "everything was sent, but the "
					  "receiver did not confirm it");
}

/* Whether another frame of new pages may be planned: not before it is known
 * what the receiver holds of them.
 */
static bool
outgoing_may_plan(const struct outgoing *o)
{
	uint64_t most;

	if (o->at_end)
		return false;
	if (!o->asker)
		return true;
	most = o->planned + (o->planning + 1) * FRAME_PAGES_MAX;
	return asker_known(o->asker) >= MIN(most, o->config.memory->npages);
}

static void
outgoing_begin(struct outgoing *o)
{
	struct encoding *x = o->idle[--o->nidle];
	struct window *w = &o->window;
	const struct effort *effort = control_choose(&o->control);

	o->stats.effort = effort->name;
	o->stats.efforts[effort_number(effort)]++;
	if (w->nagain > 0) {
		encoding_begin_again(x, effort, &w->again[--w->nagain]);
	} else {
		encoding_begin(x, effort);
		o->planning++;
	}
	pool_submit(o->pool, &x->job);
}

static int
outgoing_say_seal(struct outgoing *o, struct err *e)
{
	if (seal_put(talk_out(o->talk), &o->seal, e) < 0 ||
	    talk_say(o->talk, e) < 0)
		return -1;
	o->sealed = true;
	return session_enter(talk_session(o->talk), SESSION_SEAL, e);
}

static void
outgoing_pump(struct outgoing *o)
{
	size_t under_way = window_waiting(&o->window) + o->nall - o->nidle;
	struct err e;

	if (!o->encoder || talk_session(o->talk)->state != SESSION_STREAM)
		return;
	while (o->nidle > 0 && under_way < WINDOW_FRAMES &&
	       (o->window.nagain > 0 || outgoing_may_plan(o)) &&
	       !talk_is_full(o->talk)) {
		outgoing_begin(o);
		under_way++;
	}
	if (o->at_end && under_way == 0 && o->window.nagain == 0 &&
	    outgoing_say_seal(o, &e) < 0)
		talk_abort(o->talk, &e);
}

static int
outgoing_say_frame(struct outgoing *o, const struct encoding *x, struct err *e)
{
	struct buf b;
	size_t at;

	buf_init(&b, MESSAGE_HEAD_BYTES + MESSAGE_BODY_MAX);
	if (!buf_room(&b, MESSAGE_HEAD_BYTES + 4 + frame_bound(&x->frame), e) ||
	    message_begin(&b, MESSAGE_FRAME, &at, e) < 0 ||
	    buf_put_u32(&b, o->window.sent, e) < 0 ||
	    frame_put(&b, &x->frame, e) < 0 || message_end(&b, at, e) < 0) {
		buf_fini(&b);
		return -1;
	}
	control_look(&o->control, link_sent(talk_link(o->talk)),
		     link_starves(talk_link(o->talk)), clock_wall_ns());
	return talk_give(o->talk, b.data, b.len, e);
}

static void
outgoing_learn(struct outgoing *o, const struct encoding *x)
{
	const struct frame_stream *s = x->frame.streams;

	if (x->plain)
		return;
	control_encoded(&o->control, x->effort,
			s[STREAM_DATA].raw_len + s[STREAM_WORD].raw_len,
			s[STREAM_DATA].coded_len + s[STREAM_WORD].coded_len,
			x->turn_wall_ns, x->late_wall_ns);
}

/* A frame is ready: on the link with it, and remember it until its ACK. */
static int
outgoing_send(struct outgoing *o, const struct encoding *x, struct err *e)
{
	if (outgoing_say_frame(o, x, e) < 0)
		return -1;
	window_add(&o->window, x);
	outgoing_learn(o, x);
	return 0;
}

static int
outgoing_encoded(struct outgoing *o, struct encoding *x, struct err *e)
{
	o->idle[o->nidle++] = x;
	if (x->failed) {
		*e = x->err;
		return -1;
	}
	if (!x->plain) {
		o->planning--;
		o->planned = x->start.page + x->batch->npages;
		if (o->asker)
			asker_passed(o->asker, o->planned);
		o->at_end = o->at_end || encoding_is_end(x);
	}
	return encoding_is_end(x) ? 0 : outgoing_send(o, x, e);
}

static int
outgoing_set_up_done(struct outgoing *o, struct err *e)
{
	*e = o->setup.err;
	o->encoder = o->setup.encoder;
	if (!o->encoder)
		return -1;
	while (o->nall < o->config.threads + OUTGOING_SPARE) {
		struct encoding *x = encoding_new(o->encoder, e);

		if (!x)
			return -1;
		o->all[o->nall++] = x;
		o->idle[o->nidle++] = x;
	}
	return 0;
}

static void
outgoing_on_pool(void *arg)
{
	struct outgoing *o = arg;
	struct pool_job *job;
	struct err e;
	int ret;

	while ((job = pool_take(o->pool))) {
		if (job == &o->setup.job)
			ret = outgoing_set_up_done(o, &e);
		else
			ret = outgoing_encoded(o, (struct encoding *)job, &e);
		if (ret < 0 && !o->ended)
			talk_abort(o->talk, &e);
	}
	outgoing_pump(o);
}

static int
outgoing_start(struct outgoing *o, struct err *e)
{
	const struct outgoing_config *c = &o->config;
	const struct talk_config talk = {
		.role = SESSION_SENDER,
		.opened = outgoing_opened,
		.heard = outgoing_heard,
		.drained = outgoing_drained,
		.ended = outgoing_ended,
		.arg = o,
	};
	const struct link_config link = { .base = c->loop, .rate = c->rate };

	o->all = calloc(c->threads + OUTGOING_SPARE, sizeof(*o->all));
	o->idle = calloc(c->threads + OUTGOING_SPARE, sizeof(*o->idle));
	if (!o->all || !o->idle)
		return err_sys(e, "session");
	o->talk = talk_connect(&talk, &link, c->addrs, c->naddrs, c->tls,
			       c->host, e);
	if (!o->talk || seal_init(&o->seal, e) < 0)
		return -1;
	o->pool = pool_new(c->threads, e);
	if (!o->pool)
		return -1;
	return pool_watch(o->pool, c->loop, outgoing_on_pool, o, e);
}

struct outgoing *
outgoing_new(const struct outgoing_config *c, struct err *e)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (!o) {
		(void)err_sys(e, "session");
		return NULL;
	}
	o->config = *c;
	o->stats.effort = "";
	agree_init(&o->agree, c->held, c->nheld);
	control_init(&o->control, c->threads, c->effort);
	if (outgoing_start(o, e) == 0)
		return o;
	outgoing_free(o);
	return NULL;
}

void
outgoing_free(struct outgoing *o)
{
	if (!o)
		return;
	pool_free(o->pool);
	while (o->nall > 0)
		encoding_free(o->all[--o->nall]);
	free(o->all);
	free(o->idle);
	encoder_free(o->setup.encoder);
	asker_free(o->asker);
	agree_fini(&o->agree);
	seal_fini(&o->seal);
	talk_free(o->talk);
	free(o);
}

bool
outgoing_is_over(const struct outgoing *o, struct err *why)
{
	if (o->ended)
		*why = o->why;
	return o->ended;
}

void
outgoing_cancel(struct outgoing *o, const struct err *why)
{
	talk_abort(o->talk, why);
}

const struct outgoing_stats *
outgoing_stats(struct outgoing *o)
{
	struct asker_stats asked;

	o->stats.wire_bytes = link_sent(talk_link(o->talk));
	o->stats.link_rate = o->control.link;
	if (o->asker) {
		asked = asker_stats(o->asker);
		o->stats.asked = asked.asked;
		o->stats.found = asked.found;
	}
	return &o->stats;
}
