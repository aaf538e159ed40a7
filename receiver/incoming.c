/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  The talk calls incoming_heard() for each message;
 * what takes long (making room on the disk, decoding, syncing) is a job of
 * the pool, and incoming_on_pool() goes on where it was left.  While there is
 * no free slot for a frame, or the disk is being waited for, the talk is
 * paused: the sender's frames then wait in its own queue, which is how a slow
 * receiver slows the sender down.  Pings go on all the time.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/pool.h"
#include "dedup/keyed.h"
#include "receiver/answer.h"
#include "receiver/decode.h"
#include "receiver/file-sink.h"
#include "receiver/incoming.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"
#include "wire/talk.h"

/* Frames that wait so that no worker does. */
#define INCOMING_SPARE 2

struct incoming_slot {
	struct decoding *decoding;
	uint8_t *body; /* of the FRAME; NULL: the slot is free */
	uint32_t seq;
};

/* Something for a worker that is no frame. */
struct incoming_work {
	struct pool_job job; /* first */
	struct incoming *in;
	bool commit; /* else: open the sink */
	bool busy;
	struct err err;
};

struct incoming {
	struct incoming_config config;
	struct talk *talk;
	struct pool *pool;
	struct answerer *answerer;
	struct base bases[PLAN_BASES_MAX];
	size_t nbases;
	uint8_t key[KEYED_KEY_BYTES];
	struct layout layout; /* until the sink has it */
	struct file_sink sink;
	bool sink_is_open;
	struct incoming_work work;
	struct decoder *decoder;
	struct incoming_slot *slots;
	size_t nslots, busy; /* slots with a frame */
	uint32_t next_seq;
	struct seal seal;
	struct incoming_stats stats;
	bool opened, committed, ended;
	struct err why; /* once ended */
};

static void
incoming_opened(void *arg)
{
	struct incoming *in = arg;
	struct offer o;
	struct err e;

	in->opened = true;
	in->stats.began_ns = clock_wall_ns();
	held_offer(in->config.held, in->config.nheld, in->key, &o);
	if (offer_put(talk_out(in->talk), &o, &e) < 0 ||
	    talk_say(in->talk, &e) < 0)
		talk_abort(in->talk, &e);
}

static void
incoming_work_run(struct pool_job *job, unsigned worker)
{
	struct incoming_work *w = (struct incoming_work *)job;
	struct incoming *in = w->in;
	int ret;

	(void)worker;
	w->err.code = ERR_NONE;
	if (w->commit)
		ret = file_sink_commit(&in->sink, &w->err);
	else
		ret = file_sink_open(&in->sink, in->config.output, &in->layout,
				     &w->err);
	if (ret == 0)
		w->err.code = ERR_NONE;
}

static void
incoming_start_work(struct incoming *in, bool commit)
{
	in->work.in = in;
	in->work.commit = commit;
	in->work.busy = true;
	in->work.job.early = incoming_work_run;
	talk_pause(in->talk);
	pool_submit(in->pool, &in->work.job);
}

static int
incoming_heard_layout(struct incoming *in, struct span body, struct err *e)
{
	if (in->sink_is_open || in->layout.nruns > 0)
		return err_set(e, ERR_PROTOCOL, "a second LAYOUT");
	if (layout_get(body, &in->layout, e) < 0)
		return -1;
	in->stats.npages = in->layout.npages;
	in->stats.nbytes = in->layout.nbytes;
	incoming_start_work(in, false);
	return 0;
}

static int
incoming_heard_want(struct incoming *in, struct span body, struct err *e)
{
	const struct held *h;
	struct want w;

	if (want_get(body, &w, e) < 0)
		return -1;
	if (w.held >= in->config.nheld)
		return err_set(e, ERR_PROTOCOL, "base %u of %zu wanted", w.held,
			       in->config.nheld);
	h = &in->config.held[w.held];
	if (w.first > h->nregions || w.n > h->nregions - w.first)
		return err_set(e, ERR_PROTOCOL,
			       "regions %u to %llu of %zu wanted", w.first,
			       (unsigned long long)w.first + w.n, h->nregions);
	if (regions_put(talk_out(in->talk), h->regions + w.first, w.n, e) < 0)
		return -1;
	return talk_say(in->talk, e);
}

static void
incoming_answered(void *arg, const struct plan_ref *refs, size_t n,
		  const struct err *failed)
{
	struct incoming *in = arg;
	struct err e;

	if (in->ended)
		return;
	if (failed) {
		talk_abort(in->talk, failed);
		return;
	}
	in->stats.queried += n;
	for (size_t i = 0; i < n; i++)
		in->stats.found += refs[i].base != PLAN_BASE_HISTORY;
	if (answer_put(talk_out(in->talk), refs, n, &e) < 0 ||
	    talk_say(in->talk, &e) < 0)
		talk_abort(in->talk, &e);
}

static int
incoming_make_slots(struct incoming *in, struct err *e)
{
	in->decoder =
		decoder_new(in->bases, in->nbases, pool_nworkers(in->pool), e);
	if (!in->decoder)
		return -1;
	in->slots =
		calloc(in->config.threads + INCOMING_SPARE, sizeof(*in->slots));
	if (!in->slots)
		return err_sys(e, "frames");
	while (in->nslots < in->config.threads + INCOMING_SPARE) {
		struct decoding *x = decoding_new(in->decoder, e);

		if (!x)
			return -1;
		in->slots[in->nslots++].decoding = x;
	}
	return 0;
}

static int
incoming_heard_bases(struct incoming *in, struct span body, struct err *e)
{
	struct answerer_config answers = { .loop = in->config.loop,
					   .bases = in->bases,
					   .answered = incoming_answered,
					   .arg = in };
	uint8_t numbers[PLAN_BASES_MAX - 1];
	size_t n;

	if (!in->sink_is_open)
		return err_set(e, ERR_PROTOCOL, "BASES before LAYOUT");
	if (bases_get(body, in->config.nheld, numbers, &n, e) < 0)
		return -1;
	in->bases[0] = (struct base){ .kind = BASE_HISTORY,
				      .npages = in->stats.npages };
	for (size_t i = 0; i < n; i++)
		in->bases[i + 1] = in->config.held[numbers[i]].base;
	in->nbases = n + 1;
	answers.nbases = in->nbases;
	memcpy(answers.key, in->key, sizeof(answers.key));
	in->answerer = answerer_new(&answers, e);
	if (!in->answerer || incoming_make_slots(in, e) < 0)
		return -1;
	return session_enter(talk_session(in->talk), SESSION_STREAM, e);
}

static struct incoming_slot *
incoming_free_slot(struct incoming *in)
{
	for (size_t i = 0; i < in->nslots; i++)
		if (!in->slots[i].body)
			return &in->slots[i];
	return NULL;
}

static int
incoming_heard_frame(struct incoming *in, struct span body, struct err *e)
{
	const struct rebuild_target target = file_sink_target(&in->sink);
	struct incoming_slot *slot = incoming_free_slot(in);
	uint32_t seq;

	if (span_get_u32(&body, &seq, e) < 0)
		return -1;
	if (seq != in->next_seq)
		return err_set(e, ERR_PROTOCOL, "frame %u after frame %u", seq,
			       in->next_seq - 1);
	in->next_seq++;
	slot->seq = seq;
	slot->body = talk_keep(in->talk);
	decoding_begin(slot->decoding, body, &target);
	pool_submit(in->pool, &slot->decoding->job);
	if (++in->busy == in->nslots)
		talk_pause(in->talk);
	return 0;
}

static int
incoming_heard_seal(struct incoming *in, struct span body, struct err *e)
{
	struct session *s = talk_session(in->talk);

	if (in->busy > 0)
		return err_set(e, ERR_PROTOCOL,
			       "SEAL before all frames were acknowledged");
	if (session_enter(s, SESSION_SEAL, e) < 0 ||
	    seal_check(body, &in->seal, e) < 0)
		return -1;
	if (!file_sink_is_whole(&in->sink))
		return err_set(e, ERR_CORRUPT,
			       "the sender ended before everything came");
	if (session_enter(s, SESSION_COMMIT, e) < 0)
		return -1;
	incoming_start_work(in, true);
	return 0;
}

static int
incoming_heard(void *arg, enum message_type type, struct span body,
	       struct err *e)
{
	struct incoming *in = arg;

	switch ((int)type) {
	case MESSAGE_LAYOUT:
		return incoming_heard_layout(in, body, e);
	case MESSAGE_WANT:
		return incoming_heard_want(in, body, e);
	case MESSAGE_BASES:
		return incoming_heard_bases(in, body, e);
	case MESSAGE_FRAME:
		return incoming_heard_frame(in, body, e);
	case MESSAGE_QUERY:
		return answerer_ask(in->answerer, body, e);
	case MESSAGE_SEAL:
		return incoming_heard_seal(in, body, e);
	default:
		return err_set(e, ERR_PROTOCOL, "%s to a receiver",
			       message_name(type));
	}
}

static void
incoming_drained(void *arg)
{
	(void)arg;
}

static void
incoming_ended(void *arg, const struct err *why)
{
	struct incoming *in = arg;

	in->ended = true;
	in->why.code = ERR_NONE;
	if (why)
		in->why = *why;
}

/* The file is whole and has its name; now say so. */
static int
incoming_committed(struct incoming *in, struct err *e)
{
	struct buf *out = talk_out(in->talk);
	size_t at;

	in->committed = true;
	if (in->ended) {
		in->stats.unconfirmed = true;
		return 0;
	}
	if (message_begin(out, MESSAGE_SEALED, &at, e) < 0 ||
	    message_end(out, at, e) < 0 || talk_say(in->talk, e) < 0 ||
	    session_enter(talk_session(in->talk), SESSION_DONE, e) < 0)
		return -1;
	talk_close(in->talk);
	return 0;
}

static int
incoming_work_done(struct incoming *in, struct err *e)
{
	in->work.busy = false;
	*e = in->work.err;
	if (e->code != ERR_NONE)
		return -1;
	if (in->work.commit)
		return incoming_committed(in, e);
	in->sink_is_open = true;
	talk_resume(in->talk);
	return 0;
}

static int
incoming_frame_done(struct incoming *in, struct incoming_slot *slot,
		    struct err *e)
{
	const struct decoding *x = slot->decoding;
	enum message_type reply = x->good ? MESSAGE_ACK : MESSAGE_NAK;

	free(slot->body);
	slot->body = NULL;
	in->busy--;
	talk_resume(in->talk);
	if (x->failed) {
		*e = x->err;
		return err_prefix(e, "frame %u", slot->seq);
	}
	in->stats.frames += x->good;
	in->stats.refused += !x->good;
	if (x->good && (file_sink_add(&in->sink, &x->frame, e) < 0 ||
			seal_add(&in->seal, &x->frame.digest, e) < 0))
		return -1;
	if (x->good) {
		in->stats.pages += x->frame.npages;
		in->stats.bytes += x->frame.nbytes;
	}
	if (message_put_u32(talk_out(in->talk), reply, slot->seq, e) < 0)
		return -1;
	return talk_say(in->talk, e);
}

static int
incoming_job_done(struct incoming *in, struct pool_job *job, struct err *e)
{
	if (job == &in->work.job)
		return incoming_work_done(in, e);
	for (size_t i = 0; i < in->nslots; i++)
		if (job == &in->slots[i].decoding->job)
			return incoming_frame_done(in, &in->slots[i], e);
	return 0;
}

static void
incoming_on_pool(void *arg)
{
	struct incoming *in = arg;
	struct pool_job *job;
	struct err e;

	while ((job = pool_take(in->pool)))
		if (incoming_job_done(in, job, &e) < 0 && !in->ended)
			talk_abort(in->talk, &e);
}

static int
incoming_start(struct incoming *in, int fd, struct err *e)
{
	const struct talk_config talk = {
		.role = SESSION_RECEIVER,
		.opened = incoming_opened,
		.heard = incoming_heard,
		.drained = incoming_drained,
		.ended = incoming_ended,
		.arg = in,
	};
	const struct link_config link = { .base = in->config.loop };

	/* From here on the talk closes fd, whatever happens. */
	in->talk = talk_accept(&talk, &link, fd, in->config.tls, e);
	if (!in->talk || seal_init(&in->seal, e) < 0 ||
	    keyed_draw(in->key, e) < 0)
		return -1;
	in->pool = pool_new(in->config.threads, e);
	if (!in->pool)
		return -1;
	return pool_watch(in->pool, in->config.loop, incoming_on_pool, in, e);
}

struct incoming *
incoming_new(const struct incoming_config *c, int fd, struct err *e)
{
	struct incoming *in = calloc(1, sizeof(*in));

	if (!in) {
		(void)err_sys(e, "session");
		close(fd);
		return NULL;
	}
	in->config = *c;
	layout_init(&in->layout);
	file_sink_init(&in->sink);
	if (incoming_start(in, fd, e) == 0)
		return in;
	incoming_free(in);
	return NULL;
}

void
incoming_free(struct incoming *in)
{
	if (!in)
		return;
	pool_free(in->pool);
	answerer_free(in->answerer);
	for (size_t i = 0; i < in->nslots; i++) {
		decoding_free(in->slots[i].decoding);
		free(in->slots[i].body);
	}
	free(in->slots);
	decoder_free(in->decoder);
	talk_free(in->talk);
	seal_fini(&in->seal);
	layout_fini(&in->layout);
	file_sink_close(&in->sink);
	free(in);
}

bool
incoming_is_open(const struct incoming *in)
{
	return in->opened;
}

bool
incoming_is_over(const struct incoming *in, struct err *why)
{
	if (!in->ended || (in->work.busy && in->work.commit))
		return false;
	*why = in->why;
	if (in->committed)
		why->code = ERR_NONE;
	return true;
}

void
incoming_cancel(struct incoming *in, const struct err *why)
{
	if (talk_session(in->talk)->state < SESSION_COMMIT)
		talk_abort(in->talk, why);
}

const struct incoming_stats *
incoming_stats(struct incoming *in)
{
	in->stats.wire_bytes = link_received(talk_link(in->talk));
	return &in->stats;
}
