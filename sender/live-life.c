/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  QEMU's channels become batches (live-channel.c),
 * batches become frames (live-frames.c), and live_pump() moves on whatever can
 * be moved on; it is called whenever something changed.  All messages but
 * HELLO, PING and the like go through a journal: if the connection breaks
 * while the guest still runs here, what the receiver did not hear is said
 * again over the next one.  Once the guest is stopped, a broken connection
 * ends the migration instead, so that the guest goes on here at once: to wait
 * for another connection would be downtime that nobody asked for.
 *
 * The end: when QEMU_VM_EOF comes in, SEAL goes out, and the tail from that
 * byte on behind it; the receiver holds the tail until COMMIT, which answers
 * its SEALED.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "sender/live-impl.h"

#define LIVE_DEAD_PAUSED_MS 3000
/* What a link is taken for, in bytes a second: a guest is not kept waiting
 * for an effort that is too high.
 */
#define LIVE_LINK 125e6
/* Of what QEMU writes behind the RAM: CPUs come early in it. */
#define LIVE_STATE_MAX (16u << 20)

static void
live_close_channels(struct live_sender *s)
{
	for (unsigned i = 0; i < s->nchannels; i++)
		live_channel_close(s->channels[i]);
	if (s->listener)
		event_del(s->listener);
}

/* It is over; the first reason counts. */
void
live_end(struct live_sender *s, const struct err *why)
{
	if (s->ended)
		return;
	s->ended = true;
	s->why.code = ERR_NONE;
	if (why)
		s->why = *why;
	live_close_channels(s);
	event_del(s->give_up);
	event_del(s->later);
}

void
live_fail(struct live_sender *s, const struct err *why)
{
	struct err e = *why;

	if (s->ended)
		return;
	live_end(s, &e);
	if (s->talk)
		talk_abort(s->talk, &e);
}

enum session_state
live_state(const struct live_sender *s)
{
	if (s->ended)
		return s->why.code == ERR_NONE ? SESSION_DONE : SESSION_ABORT;
	return s->talk ? talk_session(s->talk)->state : SESSION_STREAM;
}

void
live_notice(const struct live_sender *s, const char *text)
{
	if (s->config.notice)
		s->config.notice(s->config.arg, text);
}

/* While a new connection has not said AGAIN, nothing else is said on it. */
struct talk *
live_talk(const struct live_sender *s)
{
	return s->stats.lost ? NULL : s->talk;
}

int
live_say(struct live_sender *s, struct err *e)
{
	return journal_say_buf(&s->journal, live_talk(s), &s->out, e);
}

/* The guest's RAM: where there are several blocks of it, it is not known which
 * of them stands where.
 */
static uint32_t
live_ram_block(const struct live_sender *s)
{
	uint64_t all = 0, most = 0;
	uint32_t ram = STREAM_NO_BLOCK;

	for (uint32_t i = 0; i < s->blocks.n; i++) {
		all += s->blocks.list[i].used;
		if (s->blocks.list[i].used <= most)
			continue;
		most = s->blocks.list[i].used;
		ram = i;
	}
	return most > all - most ? ram : STREAM_NO_BLOCK;
}

/* Looks for the guest beside everything else, or says why not. */
static void
live_find_guest(struct live_sender *s)
{
	struct qemu_maps maps = QEMU_MAPS_NONE;
	uint32_t ram = live_ram_block(s);
	struct err ignored;

	s->stats.guest = "not asked for";
	if (!s->config.memory)
		return;
	s->stats.guest = "QEMU's memory cannot be read";
	if (s->channels[0]->parser.postcopy_advised)
		s->stats.guest = "postcopy";
	else if (ram == STREAM_NO_BLOCK)
		s->stats.guest = "RAM in several blocks";
	else if (s->config.memory(s->config.arg, s->channels[0]->fd, &maps))
		s->free = free_pages_new(
			&maps,
			&(const struct qemu_ram){
				.len = s->blocks.list[ram].used,
				.first_page = s->numbers.first[ram],
				.machine = s->channels[0]->parser.machine },
			&ignored);
	if (s->free && s->config.rate > 0)
		free_pages_begin(s->free);
}

void
live_device_state(struct live_sender *s, const uint8_t *bytes, size_t n)
{
	struct err ignored;

	/* What is missing is not found there. */
	if (s->free && !s->sealed)
		(void)!buf_put(&s->state, bytes, n, &ignored);
}

/* In a turn: from here on pages are planned. */
static void
live_set_up(struct pool_job *job, unsigned worker)
{
	struct live_work *w = (struct live_work *)job;
	struct live_sender *s = w->s;
	const struct planner_config c = { .memory = &s->shadow.memory,
					  .shadow = &s->shadow,
					  .bases = s->agree.bases,
					  .nbases = s->agree.nbases,
					  .free = s->free };

	(void)worker;
	w->err.code = ERR_NONE;
	if (encoder_plan(s->encoder, &c, &w->err) == 0)
		w->err.code = ERR_NONE;
}

static int
live_say_blocks(struct live_sender *s, struct err *e)
{
	size_t at;

	if (message_begin(&s->out, MESSAGE_BLOCKS, &at, e) < 0)
		return -1;
	for (uint32_t i = 0; i < s->blocks.n; i++) {
		const struct stream_block *b = &s->blocks.list[i];

		if (live_put_block(&s->out, b->name, b->name_len, b->used, e) <
		    0)
			return -1;
	}
	return message_end(&s->out, at, e) < 0 ? -1 : live_say(s, e);
}

int
live_lay_out(struct live_sender *s, struct err *e)
{
	int fd = s->config.shadow_fd;

	if (stream_numbers_init(&s->numbers, &s->blocks, e) < 0)
		return -1;
	s->config.shadow_fd = -1;
	if (shadow_open(&s->shadow, fd, s->numbers.npages, s->config.room, e) <
	    0) {
		s->blind = true;
		(void)err_prefix(e, "pages are sent as they are");
		s->stats.opaque = "no room for a shadow";
		live_notice(s, e->text);
		return 0;
	}
	s->laid_out = true;
	s->stats.ram_bytes = s->shadow.memory.map.len;
	s->agree.bases[0].npages = s->numbers.npages;
	if (live_say_blocks(s, e) < 0)
		return -1;
	live_find_guest(s);
	s->set_up.s = s;
	s->set_up.job.turn = live_set_up;
	pool_submit(s->pool, &s->set_up.job);
	return 0;
}

void
live_paused(struct live_sender *s, const struct stream_parser *p)
{
	s->stats.postcopy |= p->postcopy;
	if (s->stats.paused)
		return;
	s->stats.paused = true;
	s->paused_at_ns = clock_wall_ns();
	if (s->stats.lost)
		event_active(s->give_up, EV_TIMEOUT, 0);
	if (s->talk && !p->postcopy)
		talk_set_dead_ms(s->talk, LIVE_DEAD_PAUSED_MS);
}

/* The connection is lost, be it the first or another: asks for one more. */
static void
live_on_later(evutil_socket_t fd, short what, void *arg)
{
	struct live_sender *s = arg;
	const struct timeval retry = { .tv_usec = LIVE_RETRY_MS * 999 };

	(void)fd;
	(void)what;
	if (s->talk && !s->talk_ended)
		return;
	s->closed_sent = live_wire_bytes(s);
	talk_free(s->talk);
	s->talk = NULL;
	s->talk_ended = false;
	evtimer_add(s->later, &retry);
	s->config.lost(s->config.arg, &s->cut);
}

static void
live_on_give_up(evutil_socket_t fd, short what, void *arg)
{
	struct live_sender *s = arg;

	(void)fd;
	(void)what;
	if (s->stats.paused)
		(void)err_prefix(&s->cut, "the guest stopped while the "
					  "connection was lost");
	else
		(void)err_prefix(&s->cut,
				 "no new connection for %u seconds, and "
				 "before that",
				 s->config.reconnect_ms / 1000);
	live_fail(s, &s->cut);
}

static void
live_on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct live_sender *s = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;

	(void)what;
	if (peer < 0)
		return;
	if (s->nchannels == LIVE_CHANNELS_MAX) {
		close(peer);
		return;
	}
	if (live_channel_open(s, peer, &e) < 0)
		live_fail(s, &e);
	else
		live_pump(s);
}

/* In a worker: what is kept here. */
static void
live_digest(struct pool_job *job, unsigned worker)
{
	struct live_work *w = (struct live_work *)job;

	(void)worker;
	w->err.code = ERR_NONE;
	if (held_root(&w->s->shadow.memory, &w->root, &w->err) < 0 ||
	    shadow_save(&w->s->shadow, &w->err) < 0)
		w->s->config.keep = false;
	else
		w->err.code = ERR_NONE;
}

static int
live_say_end(struct live_sender *s, const struct digest *root, struct err *e)
{
	if (live_put_end(&s->out, root, e) < 0)
		return -1;
	return live_say(s, e);
}

/* QEMU is done with us. */
static int
live_finish(struct live_sender *s, struct err *e)
{
	s->ending = true;
	s->config.keep = s->config.keep && s->laid_out;
	if (!s->config.keep)
		return live_say_end(s, NULL, e);
	s->root.s = s;
	s->root.job.early = live_digest;
	pool_submit(s->pool, &s->root.job);
	return 0;
}

static int
live_say_seal(struct live_sender *s, struct err *e)
{
	if (s->free &&
	    free_pages_confirm(s->free, span_of(s->state.data, s->state.len),
			       e) < 0)
		return -1;
	if (session_enter(talk_session(s->talk), SESSION_SEAL, e) < 0 ||
	    seal_put(&s->out, &s->seal, e) < 0)
		return -1;
	s->sealed = true;
	return live_say(s, e);
}

/* All but the tail is on its way. */
static bool
live_may_seal(const struct live_sender *s)
{
	const struct live_batch *next = s->ready.oldest;

	if (s->sealed || s->stats.lost || s->nchannels == 0)
		return false;
	if (s->channels[0]->at_eof)
		return s->sent == s->next_seq &&
		       (s->ready.n == 0 || (next->flags & LIVE_TAIL));
	return s->nended == s->nchannels && live_frames_are_done(s);
}

static int
live_move_on(struct live_sender *s, struct err *e)
{
	if (live_may_seal(s) && live_say_seal(s, e) < 0)
		return -1;
	live_frames_begin(s);
	if (s->committed && !s->ending && s->nended == s->nchannels &&
	    live_frames_are_done(s))
		return live_finish(s, e);
	return 0;
}

void
live_pump(struct live_sender *s)
{
	struct err e;

	if (s->ended || !s->encoder)
		return;
	if (live_move_on(s, &e) < 0) {
		live_fail(s, &e);
		return;
	}
	for (unsigned i = 0; i < s->nchannels; i++)
		live_channel_watch(s->channels[i]);
}

static int
live_job_done(struct live_sender *s, struct pool_job *job, struct err *e)
{
	if (job == &s->set_up.job) {
		*e = s->set_up.err;
		return e->code == ERR_NONE ? 0 : -1;
	}
	if (job != &s->root.job)
		return live_frames_done(s, job, e);
	s->root.s = NULL;
	if (s->config.keep)
		return live_say_end(s, &s->root.root, e);
	(void)err_prefix(&s->root.err, "its memory is not kept");
	live_notice(s, s->root.err.text);
	return live_say_end(s, NULL, e);
}

static void
live_on_pool(void *arg)
{
	struct live_sender *s = arg;
	struct pool_job *job;
	struct err e;

	while ((job = pool_take(s->pool)))
		if (!s->ended && live_job_done(s, job, &e) < 0)
			live_fail(s, &e);
	live_pump(s);
}

static int
live_start(struct live_sender *s, struct err *e)
{
	struct event_base *loop = s->config.loop;
	int peer = s->config.peer_fd;

	s->config.peer_fd = -1;
	if (live_connect(s, peer, e) < 0 || seal_init(&s->seal, e) < 0)
		return -1;
	s->pool = pool_new(s->config.threads, e);
	if (!s->pool || pool_watch(s->pool, loop, live_on_pool, s, e) < 0)
		return -1;
	s->listener = event_new(loop, s->config.qemu_fd, EV_READ | EV_PERSIST,
				live_on_connection, s);
	s->later = evtimer_new(loop, live_on_later, s);
	s->give_up = evtimer_new(loop, live_on_give_up, s);
	if (!s->listener || !s->later || !s->give_up)
		return err_set(e, ERR_SYSTEM, "session: out of memory");
	return 0;
}

struct live_sender *
live_sender_new(const struct live_sender_config *c, struct err *e)
{
	struct live_sender *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)err_sys(e, "session");
		close(c->peer_fd);
		close(c->qemu_fd);
		close(c->shadow_fd);
		return NULL;
	}
	s->config = *c;
	s->stats.effort = s->stats.guest = "";
	buf_init(&s->out, MESSAGE_HEAD_BYTES + LIVE_BLOCKS_MAX);
	buf_init(&s->state, LIVE_STATE_MAX);
	s->shadow.memory.map.fd = -1;
	stream_blocks_init(&s->blocks);
	journal_init(&s->journal);
	agree_init(&s->agree, c->held, c->nheld);
	control_init(&s->control, c->threads, c->effort);
	control_assume(&s->control, LIVE_LINK);
	if (live_start(s, e) == 0)
		return s;
	live_sender_free(s);
	return NULL;
}

static void
live_free_events(struct live_sender *s)
{
	struct event *all[] = { s->listener, s->later, s->give_up };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i])
			event_free(all[i]);
}

void
live_sender_free(struct live_sender *s)
{
	int fds[] = { s ? s->config.peer_fd : -1, s ? s->config.qemu_fd : -1,
		      s ? s->config.shadow_fd : -1 };

	if (!s)
		return;
	talk_free(s->talk);
	live_free_events(s);
	pool_free(s->pool);
	while (s->nchannels > 0)
		live_channel_free(s->channels[--s->nchannels]);
	live_frames_fini(s);
	encoder_free(s->encoder);
	free_pages_free(s->free);
	buf_fini(&s->state);
	agree_fini(&s->agree);
	seal_fini(&s->seal);
	shadow_close(&s->shadow);
	stream_numbers_fini(&s->numbers);
	stream_blocks_fini(&s->blocks);
	journal_fini(&s->journal);
	buf_fini(&s->out);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(s);
}

void
live_sender_reconnect(struct live_sender *s, int peer_fd)
{
	struct err e;

	if (s->ended || s->talk || !s->stats.lost) {
		close(peer_fd);
		return;
	}
	event_del(s->later);
	if (live_connect(s, peer_fd, &e) < 0)
		live_fail(s, &e);
}

bool
live_sender_is_over(const struct live_sender *s, struct err *why)
{
	if (!s->ended || (s->talk && !s->talk_ended))
		return false;
	*why = s->why;
	return true;
}

void
live_sender_cancel(struct live_sender *s, const struct err *why)
{
	live_fail(s, why);
}

uint64_t
live_wire_bytes(const struct live_sender *s)
{
	return s->closed_sent + (s->talk ? link_sent(talk_link(s->talk)) : 0);
}

const struct live_sender_stats *
live_sender_stats(struct live_sender *s)
{
	s->stats.state = live_state(s);
	if (s->free) {
		s->stats.guest = free_pages_text(s->free);
		s->stats.drops = free_pages_state(s->free) == FREE_DROPS;
	}
	if (s->stats.paused && !s->stats.postcopy)
		s->stats.paused_ns = (s->committed_at_ns ? s->committed_at_ns
							 : clock_wall_ns()) -
				     s->paused_at_ns;
	s->stats.taken = 0;
	s->stats.take_rate = 0;
	for (unsigned i = 0; i < s->nchannels; i++) {
		s->stats.taken += s->channels[i]->taken;
		s->stats.take_rate += s->channels[i]->flow.rate;
	}
	s->stats.link_rate = s->control.link;
	s->stats.wire_bytes = live_wire_bytes(s);
	return &s->stats;
}
