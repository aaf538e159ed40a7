/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "sender/live-impl.h"

/* Both ends know what they share: QEMU may come. */
static int
live_agreed(struct live_sender *s, struct err *e)
{
	struct agree *a = &s->agree;
	struct planner_config c = { .bases = a->bases };

	agree_finish(a, 0);
	c.nbases = a->nbases;
	s->stats.nbases = a->nbases - 1;
	for (size_t i = 0; i < a->offer.nheld; i++)
		s->stats.nwhole += a->pairs[i].whole;
	if (bases_put(talk_out(s->talk), a->numbers, a->nbases - 1, e) < 0 ||
	    talk_say(s->talk, e) < 0 ||
	    session_enter(talk_session(s->talk), SESSION_STREAM, e) < 0)
		return -1;
	s->encoder = encoder_new(&c, s->config.threads, e);
	if (!s->encoder || live_frames_init(s, e) < 0)
		return -1;
	event_add(s->listener, NULL);
	return 0;
}

static int
live_want(struct live_sender *s, struct err *e)
{
	struct want w;
	int ret = agree_want(&s->agree, &w, e);

	if (ret == 0)
		return live_agreed(s, e);
	if (ret < 0 || want_put(talk_out(s->talk), &w, e) < 0)
		return -1;
	return talk_say(s->talk, e);
}

static int
live_heard_taken(struct live_sender *s, struct span body, struct err *e)
{
	uint8_t channel;
	uint64_t taken;

	if (live_get_taken(body, &channel, &taken, e) < 0)
		return -1;
	if (channel >= s->nchannels)
		return err_set(e, ERR_PROTOCOL, "channel %u of %u", channel,
			       s->nchannels);
	return live_channel_taken(s->channels[channel], taken, e);
}

static int
live_heard_return(struct live_sender *s, struct span body, struct err *e)
{
	uint8_t channel;

	if (live_get_return(&body, &channel, e) < 0)
		return -1;
	if (channel >= s->nchannels)
		return err_set(e, ERR_PROTOCOL, "channel %u of %u", channel,
			       s->nchannels);
	for (size_t i = 0; channel == 0 && i < body.left; i++)
		s->last_back[s->nback++ % sizeof(s->last_back)] = body.at[i];
	return live_channel_back(s->channels[channel], body, e);
}

/* QEMU there has closed a channel: before it has everything, only one that the
 * QEMU here has closed, or a QEMU that we do not understand may.
 */
static int
live_heard_channel(struct live_sender *s, struct span body, struct err *e)
{
	const struct live_channel *c;
	uint8_t channel;

	if (live_get_channel(body, &channel, e) < 0)
		return -1;
	if (channel >= s->nchannels)
		return err_set(e, ERR_PROTOCOL, "channel %u of %u", channel,
			       s->nchannels);
	c = s->channels[channel];
	if (!s->committed && !c->ended && !s->channels[0]->parser.opaque)
		return err_set(e, ERR_CANCELLED,
			       "QEMU at the destination ended the migration");
	live_channel_shut(s->channels[channel]);
	return 0;
}

static int
live_heard_sealed(struct live_sender *s, struct err *e)
{
	size_t at;

	if (session_enter(talk_session(s->talk), SESSION_COMMIT, e) < 0 ||
	    message_begin(&s->out, MESSAGE_COMMIT, &at, e) < 0 ||
	    message_end(&s->out, at, e) < 0)
		return -1;
	s->committed = true;
	s->committed_at_ns = clock_wall_ns();
	return live_say(s, e);
}

/* The last word of QEMU's return path, if it has one: SHUT, no error. */
static bool
live_is_confirmed(const struct live_sender *s)
{
	static const uint8_t shut[8] = { 0, 1, 0, 4, 0, 0, 0, 0 };

	if (s->nback == 0 || s->channels[0]->parser.role != STREAM_MAIN)
		return true;
	for (size_t i = 0; i < sizeof(shut); i++)
		if (s->last_back[(s->nback + i) % sizeof(shut)] != shut[i])
			return false;
	return s->nback >= sizeof(shut);
}

static int
live_heard_end(struct live_sender *s, struct span body, struct err *e)
{
	struct digest theirs;
	bool keeps;

	if (live_get_end(body, &keeps, &theirs, e) < 0)
		return -1;
	if (!s->ending || s->root.s) /* ours is still being made */
		return err_set(e, ERR_PROTOCOL, "END before the end");
	s->stats.kept = keeps && s->config.keep &&
			memcmp(theirs.b, s->root.root.b, DIGEST_BYTES) == 0;
	if (session_enter(talk_session(s->talk), SESSION_DONE, e) < 0)
		return -1;
	talk_close(s->talk);
	if (live_is_confirmed(s)) {
		live_end(s, NULL);
		return 0;
	}
	(void)err_set(e, ERR_CANCELLED,
		      "QEMU at the destination did not take the guest");
	live_end(s, e);
	return 0;
}

static int
live_heard_again(struct live_sender *s, struct span body, struct err *e)
{
	uint32_t heard;

	if (!s->stats.lost)
		return err_set(e, ERR_PROTOCOL, "AGAIN out of place");
	if (live_get_again(body, NULL, &heard, e) < 0 ||
	    journal_heard(&s->journal, heard, e) < 0 ||
	    session_enter(talk_session(s->talk), SESSION_STREAM, e) < 0)
		return -1;
	s->stats.lost = false;
	s->stats.reconnects++;
	event_del(s->give_up);
	live_notice(s, "connected again");
	return journal_again(&s->journal, s->talk, e);
}

static int
live_heard_streaming(struct live_sender *s, enum message_type type,
		     struct span body, struct err *e)
{
	s->heard++;
	switch ((int)type) {
	case MESSAGE_ACK:
		return live_frames_ack(s, body, e);
	case MESSAGE_NAK:
		return live_frames_nak(s, body, e);
	case MESSAGE_TAKEN:
		return live_heard_taken(s, body, e);
	case MESSAGE_RETURN:
		return live_heard_return(s, body, e);
	case MESSAGE_CHANNEL:
		return live_heard_channel(s, body, e);
	case MESSAGE_SEALED:
		return live_heard_sealed(s, e);
	case MESSAGE_END:
		return live_heard_end(s, body, e);
	default:
		return err_set(e, ERR_PROTOCOL, "%s to a sender",
			       message_name(type));
	}
}

static int
live_heard(void *arg, enum message_type type, struct span body, struct err *e)
{
	struct live_sender *s = arg;
	int ret;

	switch ((int)type) {
	case MESSAGE_OFFER:
		if (s->stats.lost)
			return err_set(e, ERR_CANCELLED,
				       "it does not know this migration");
		if (s->agree.offer.nheld > 0)
			return err_set(e, ERR_PROTOCOL, "a second OFFER");
		return agree_offer(&s->agree, body, e) < 0 ? -1
							   : live_want(s, e);
	case MESSAGE_REGIONS:
		return agree_regions(&s->agree, body, e) < 0 ? -1
							     : live_want(s, e);
	case MESSAGE_AGAIN:
		ret = live_heard_again(s, body, e);
		break;
	default:
		ret = live_heard_streaming(s, type, body, e);
	}
	if (ret == 0 && !s->ended)
		live_pump(s);
	return ret;
}

/* A new connection after one was lost: says who we are, and waits to hear
 * where the receiver stands.
 */
static void
live_opened(void *arg)
{
	struct live_sender *s = arg;
	struct err e;

	if (!s->stats.lost)
		return;
	if (live_put_again(talk_out(s->talk), s->agree.offer.key, s->heard,
			   &e) < 0 ||
	    talk_say(s->talk, &e) < 0)
		live_fail(s, &e);
}

static void
live_drained(void *arg)
{
	live_pump(arg);
}

static bool
live_may_reconnect(const struct live_sender *s)
{
	return s->config.reconnect_ms > 0 && s->config.lost &&
	       !s->stats.paused && (s->stats.lost || s->encoder) && !s->sealed;
}

static void
live_ended(void *arg, const struct err *why)
{
	struct live_sender *s = arg;
	/* Where one hangs up at once, so would the next. */
	const struct timeval next = { .tv_usec = s->stats.lost
							 ? LIVE_RETRY_MS * 999
							 : 0 };
	const struct timeval patience = {
		.tv_sec = s->config.reconnect_ms / 1000,
		.tv_usec = s->config.reconnect_ms % 1000 * 1000L
	};

	s->talk_ended = true;
	if (s->ended)
		return;
	if (why && s->stats.lost && !talk_was_cut(s->talk)) {
		s->cut = *why;
		(void)err_prefix(&s->cut, "a connection was lost, and over "
					  "another one");
		live_end(s, &s->cut);
		return;
	}
	if (!why || !talk_was_cut(s->talk) || !live_may_reconnect(s)) {
		live_end(s, why);
		return;
	}
	s->cut = *why;
	if (!s->stats.lost)
		evtimer_add(s->give_up, &patience);
	s->stats.lost = true;
	evtimer_add(s->later, &next);
}

int
live_connect(struct live_sender *s, int fd, struct err *e)
{
	const struct talk_config talk = {
		.role = SESSION_SENDER,
		.live = true,
		.opened = live_opened,
		.heard = live_heard,
		.drained = live_drained,
		.ended = live_ended,
		.arg = s,
	};
	const struct link_config link = { .base = s->config.loop,
					  .rate = s->config.rate };

	s->talk = talk_over(&talk, &link, fd, s->config.tls, s->config.host, e);
	return s->talk ? 0 : -1;
}
