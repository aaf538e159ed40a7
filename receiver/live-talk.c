/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/mem.h"
#include "receiver/live-impl.h"
#include "wire/offer.h"

#define LIVE_DEAD_PAUSED_MS 3000

struct session *
land_session(struct live_receiver *r)
{
	return talk_session(r->peer->talk);
}

static int
live_offer(struct live_receiver *r, struct err *e)
{
	struct offer o;

	held_offer(r->config.held, r->config.nheld, r->key, &o);
	if (offer_put(talk_out(r->peer->talk), &o, e) < 0)
		return -1;
	return talk_say(r->peer->talk, e);
}

static int
live_heard_want(struct live_receiver *r, struct span body, struct err *e)
{
	const struct held *h;
	struct want w;

	if (want_get(body, &w, e) < 0)
		return -1;
	if (w.held >= r->config.nheld)
		return err_set(e, ERR_PROTOCOL, "base %u of %zu wanted", w.held,
			       r->config.nheld);
	h = &r->config.held[w.held];
	if (w.first > h->nregions || w.n > h->nregions - w.first)
		return err_set(e, ERR_PROTOCOL,
			       "regions %u to %llu of %zu wanted", w.first,
			       (unsigned long long)w.first + w.n, h->nregions);
	if (regions_put(talk_out(r->peer->talk), h->regions + w.first, w.n, e) <
	    0)
		return -1;
	return talk_say(r->peer->talk, e);
}

static int
live_heard_bases(struct live_receiver *r, struct span body, struct err *e)
{
	uint8_t numbers[PLAN_BASES_MAX - 1];
	size_t n;

	if (r->nbases > 0)
		return err_set(e, ERR_PROTOCOL, "a second BASES");
	if (bases_get(body, r->config.nheld, numbers, &n, e) < 0)
		return -1;
	r->bases[0] = (struct base){ .kind = BASE_HISTORY };
	for (size_t i = 0; i < n; i++)
		r->bases[i + 1] = r->config.held[numbers[i]].base;
	r->nbases = n + 1;
	if (land_frames_init(r, e) < 0)
		return -1;
	return session_enter(land_session(r), SESSION_STREAM, e);
}

/* Asks for the next channel of those that QEMU here has not got yet. */
void
land_open_next(struct live_receiver *r)
{
	if (!r->ended && r->nopen < r->nchannels)
		r->config.open(r->config.arg, r->nopen);
}

static int
live_heard_channel(struct live_receiver *r, struct span body, struct err *e)
{
	bool idle = r->nopen == r->nchannels;
	uint8_t channel;

	if (live_get_channel(body, &channel, e) < 0)
		return -1;
	if (channel != r->nchannels)
		return err_set(e, ERR_PROTOCOL, "channel %u, not %u", channel,
			       r->nchannels);
	if (land_channel_new(r, channel, e) < 0)
		return -1;
	if (idle)
		land_open_next(r);
	return 0;
}

/* In a turn, since the turns of frames look for pages there, and the sender
 * may say frames before.
 */
static void
live_lay_out(struct pool_job *job, unsigned worker)
{
	struct live_work *w = (struct live_work *)job;
	struct live_receiver *r = w->r;
	int fd = r->config.shadow_fd;

	(void)worker;
	if (stream_numbers_init(&r->numbers, &r->blocks, &w->err) < 0)
		return;
	r->config.shadow_fd = -1;
	if (shadow_open(&r->shadow, fd, r->numbers.npages, r->config.room,
			&w->err) < 0) {
		stream_numbers_fini(&r->numbers);
		return;
	}
	w->err.code = ERR_NONE;
	r->bases[0].npages = r->numbers.npages;
}

static int
live_heard_blocks(struct live_receiver *r, struct span body, struct err *e)
{
	if (r->blocks.n > 0)
		return err_set(e, ERR_PROTOCOL, "a second BLOCKS");
	while (body.left > 0) {
		const uint8_t *name;
		uint8_t len;
		uint64_t used;

		if (live_get_block(&body, &name, &len, &used, e) < 0 ||
		    stream_blocks_add(&r->blocks, name, len, used, e) < 0)
			return -1;
	}
	r->lay_out.r = r;
	r->lay_out.job.turn = live_lay_out;
	pool_submit(r->pool, &r->lay_out.job);
	return 0;
}

static int
live_heard_seal(struct live_receiver *r, struct span body, struct err *e)
{
	struct span s = body;

	if (session_enter(land_session(r), SESSION_SEAL, e) < 0 ||
	    span_get_u32(&s, &r->seal_at, e) < 0)
		return -1;
	memcpy(r->theirs, body.at, SEAL_BYTES);
	r->seal_came = true;
	if (r->next_done > r->seal_at)
		return err_set(e, ERR_PROTOCOL, "a SEAL of %u frames",
			       r->seal_at);
	talk_set_dead_ms(r->peer->talk, LIVE_DEAD_PAUSED_MS);
	return land_move_on(r, e);
}

static int
live_heard_commit(struct live_receiver *r, struct err *e)
{
	if (!r->sealed)
		return err_set(e, ERR_PROTOCOL, "COMMIT before SEALED");
	if (session_enter(land_session(r), SESSION_COMMIT, e) < 0)
		return -1;
	r->committed = true;
	for (unsigned i = 0; i < r->nchannels; i++)
		if (land_channel_release(r->channels[i], e) < 0)
			return -1;
	return 0;
}

static int
live_heard_end(struct live_receiver *r, struct span body, struct err *e)
{
	bool keeps;

	if (r->ending)
		return err_set(e, ERR_PROTOCOL, "a second END");
	if (live_get_end(body, &keeps, &r->root.root, e) < 0)
		return -1;
	r->ending = true;
	r->config.keep = r->config.keep && keeps && r->laid_out;
	return land_move_on(r, e);
}

static int
live_heard_streaming(struct live_receiver *r, enum message_type type,
		     struct span body, struct err *e)
{
	r->heard++;
	switch ((int)type) {
	case MESSAGE_FRAME:
		return land_frames_add(r, body, e);
	case MESSAGE_CHANNEL:
		return live_heard_channel(r, body, e);
	case MESSAGE_BLOCKS:
		return live_heard_blocks(r, body, e);
	case MESSAGE_SEAL:
		return live_heard_seal(r, body, e);
	case MESSAGE_COMMIT:
		return live_heard_commit(r, e);
	case MESSAGE_END:
		return live_heard_end(r, body, e);
	default:
		return err_set(e, ERR_PROTOCOL, "%s to a receiver",
			       message_name(type));
	}
}

/* The first message of a further connection: is it our sender?  If so it
 * takes the place of the one before, be that one known to be lost or not.
 */
static int
live_heard_again(struct live_peer *p, struct span body, struct err *e)
{
	struct live_receiver *r = p->r;
	uint8_t secret[LIVE_SECRET_BYTES];
	uint32_t heard;

	if (live_get_again(body, secret, &heard, e) < 0)
		return -1;
	if (CRYPTO_memcmp(secret, r->key, sizeof(secret)) != 0)
		return err_set(e, ERR_AUTH, "this is another's session");
	if (r->seal_came || r->ended)
		return err_set(e, ERR_LIMIT, "it is too late to go on");
	if (journal_heard(&r->journal, heard, e) < 0)
		return -1;
	if (r->peer)
		land_peer_gone(r->peer);
	r->next = NULL;
	r->peer = p;
	r->stats.lost = false;
	r->stats.reconnects++;
	event_del(r->give_up);
	if (session_enter(land_session(r), SESSION_STREAM, e) < 0 ||
	    live_put_again(talk_out(p->talk), NULL, r->heard, e) < 0 ||
	    talk_say(p->talk, e) < 0)
		return -1;
	return journal_again(&r->journal, p->talk, e);
}

static int
live_heard(void *arg, enum message_type type, struct span body, struct err *e)
{
	struct live_peer *p = arg;
	struct live_receiver *r = p->r;
	int ret;

	if (p == r->next && type == MESSAGE_AGAIN)
		return live_heard_again(p, body, e);
	if (p != r->peer || type == MESSAGE_AGAIN)
		return err_set(e, ERR_PROTOCOL, "%s out of place",
			       message_name(type));
	if (r->ended)
		return 0;
	if (type == MESSAGE_WANT)
		ret = live_heard_want(r, body, e);
	else if (type == MESSAGE_BASES)
		ret = live_heard_bases(r, body, e);
	else
		ret = live_heard_streaming(r, type, body, e);
	return ret;
}

static void
live_opened(void *arg)
{
	struct live_peer *p = arg;
	struct live_receiver *r = p->r;
	struct err e;

	if (p != r->peer)
		return;
	r->opened = true;
	if (live_offer(r, &e) < 0)
		land_fail(r, &e);
}

static void
live_drained(void *arg)
{
	(void)arg;
}

bool
land_may_wait(const struct live_receiver *r)
{
	/* A QEMU that has ended it does not take any more. */
	for (unsigned i = 0; i < r->nchannels; i++)
		if (r->channels[i]->closed)
			return false;
	return r->config.reconnect_ms > 0 && r->nbases > 0 && !r->seal_came;
}

static void
live_ended(void *arg, const struct err *why)
{
	struct live_peer *p = arg;
	struct live_receiver *r = p->r;
	const struct timeval patience = {
		.tv_sec = r->config.reconnect_ms / 1000,
		.tv_usec = r->config.reconnect_ms % 1000 * 1000L
	};

	p->ended = true;
	if (p == r->next) {
		land_peer_gone(p);
		return;
	}
	if (p != r->peer || r->ended)
		return;
	if (!why || !talk_was_cut(p->talk) || !land_may_wait(r)) {
		land_end(r, why);
		return;
	}
	r->cut = *why;
	r->stats.lost = true;
	land_peer_gone(p);
	evtimer_add(r->give_up, &patience);
}

struct live_peer *
land_accept(struct live_receiver *r, int fd, struct err *e)
{
	struct live_peer *p = calloc(1, sizeof(*p));
	const struct talk_config talk = {
		.role = SESSION_RECEIVER,
		.live = true,
		.opened = live_opened,
		.heard = live_heard,
		.drained = live_drained,
		.ended = live_ended,
		.arg = p,
	};
	const struct link_config link = { .base = r->config.loop };

	if (!p) {
		close(fd);
		(void)err_sys(e, "session");
		return NULL;
	}
	p->r = r;
	p->talk = talk_accept(&talk, &link, fd, r->config.tls, e);
	if (p->talk)
		return p;
	free(p);
	return NULL;
}
