/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation.  Bytes are read from QEMU straight into a batch, cut
 * into items there, and pages stay where they are: the batch points at them.
 * A batch is given on when it is full, when QEMU has written out all it had
 * and nothing else of this channel is under way, or when QEMU has been silent
 * for a moment; so nothing waits for more than that.  Reading stops while too
 * much of the channel is under way (flow.h), each channel for itself: QEMU
 * may have to read from one before it reads from another.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "sender/live-impl.h"

#define CHANNEL_READ_BYTES (256u << 10)
/* What one event may read, so that the other channels have their turn. */
#define CHANNEL_TURN_BYTES (4u << 20)
/* How long QEMU is silent before what it began is passed on, */
#define CHANNEL_IDLE_MS 2
/* and before a record that it has not ended is passed on in pieces. */
#define CHANNEL_STUCK_MS     500
#define CHANNEL_STUCK_END_MS 20 /* once one may well be the last */
#define CHANNEL_BACK_MAX     (16u << 20)
/* What is read of another channel before channel 0 told of the RAM: by it QEMU
 * there knows the channel (MultiFDInit_t, migration/multifd.c).
 */
#define CHANNEL_GREETING 64

/* Bytes read so far. */
static uint64_t
channel_bytes(const struct live_channel *c)
{
	return c->next_byte + (c->filling ? c->filling->len : 0);
}

/* Until the RAM is known pages have no numbers, and could only be copied. */
static bool
channel_is_early(const struct live_channel *c)
{
	const struct stream_parser *first = &c->sender->channels[0]->parser;

	return c->number > 0 && !stream_has_blocks(first) && !first->opaque;
}

static bool
channel_may_read(struct live_channel *c)
{
	struct live_sender *s = c->sender;

	if (c->fd < 0 || c->ended || !s->encoder ||
	    (channel_is_early(c) && channel_bytes(c) >= CHANNEL_GREETING))
		return false;
	if (c->hung)
		return true; /* no more comes than the socket holds */
	if (channel_bytes(c) - c->taken >= flow_limit(&c->flow)) {
		flow_blocked(&c->flow);
		return false;
	}
	return s->ready.n < LIVE_READY_MAX;
}

/* A new batch that begins with these bytes, at the channel's next. */
static int
channel_begin(struct live_channel *c, const uint8_t *bytes, size_t n,
	      struct err *e)
{
	struct live_batch *b = live_batch_new(c->sender, e);

	if (!b)
		return -1;
	if (n > 0)
		memcpy(b->raw, bytes, n);
	b->channel = c;
	b->len = n;
	b->parsed = 0;
	b->byte = c->next_byte;
	b->flags = c->at_eof ? LIVE_TAIL : 0;
	b->again = false;
	memset(b->plans, 0, sizeof(b->plans));
	b->b.npages = b->b.nruns = b->b.nbytes = 0;
	b->b.framed = true;
	c->filling = b;
	return 0;
}

/* Gives the batch on, up to what is parsed; the rest begins another. */
static int
channel_submit(struct live_channel *c, struct err *e)
{
	struct live_batch *b = c->filling;
	size_t len = b->len;

	c->filling = NULL;
	b->len = b->parsed;
	c->next_byte += b->len;
	if (b->len >= LIVE_BATCH_BYTES / 2 && c->nmarks < LIVE_MARKS)
		c->marks[(c->first_mark + c->nmarks++) % LIVE_MARKS] =
			(struct live_mark){ c->next_byte, clock_wall_ns() };
	live_queue_put(&c->sender->ready, b);
	if (len == b->len)
		return 0;
	return channel_begin(c, b->raw + b->len, len - b->len, e);
}

static void
batch_bytes(struct batch *b, const uint8_t *at, size_t n)
{
	struct batch_run *last = b->nruns ? &b->runs[b->nruns - 1] : NULL;

	b->nbytes += (uint32_t)n;
	if (last && last->at + last->n == at && last->before == b->npages)
		last->n += (uint32_t)n;
	else
		b->runs[b->nruns++] =
			(struct batch_run){ at, (uint32_t)n, b->npages };
}

/* Adds the item as a page, if it is one that has a number. */
static bool
channel_page(struct live_channel *c, const struct stream_item *it)
{
	struct live_sender *s = c->sender;
	struct batch *b = &c->filling->b;
	struct batch_page p = { .bytes = it->page,
				.head = it->bytes,
				.bare = it->kind == STREAM_BARE };

	if (it->kind == STREAM_BYTES || it->kind == STREAM_EOF || s->blind ||
	    !s->laid_out ||
	    !stream_number_of(&s->numbers, it->block, it->offset, &p.number))
		return false;
	p.names = !p.bare && !it->continues;
	p.head_len =
		(uint16_t)(it->page ? (size_t)(it->page - it->bytes) : it->len);
	b->pages[b->npages++] = p;
	return true;
}

static int
channel_add(struct live_channel *c, struct stream_item *it, struct err *e)
{
	struct live_sender *s = c->sender;

	if (it->block != STREAM_NO_BLOCK && !s->laid_out && !s->blind &&
	    live_lay_out(s, e) < 0)
		return -1;
	if (it->kind == STREAM_EOF && !c->at_eof) {
		c->at_eof = true;
		if (c->filling->parsed > 0 && channel_submit(c, e) < 0)
			return -1;
		c->filling->flags |= LIVE_TAIL;
		it->bytes = c->filling->raw;
	}
	if (!channel_page(c, it)) {
		batch_bytes(&c->filling->b, it->bytes, it->len);
		if (c->parser.ram_ended && c->number == 0)
			live_device_state(s, it->bytes, it->len);
	}
	c->filling->parsed += it->len;
	return 0;
}

/* What the parser has learned that others want to know. */
static void
channel_tell(const struct live_channel *c)
{
	struct live_sender *s = c->sender;
	const struct stream_parser *p = &c->parser;
	char text[300];

	if (p->postcopy || (c->number == 0 && p->ram_ended))
		live_paused(s, p);
	if (p->postcopy_advised && s->free)
		free_pages_stop(s->free, "postcopy");
	if ((!p->opaque && !p->coded) || s->stats.opaque)
		return;
	s->stats.opaque = p->opaque ? p->opaque : "memory encoded by QEMU";
	snprintf(text, sizeof(text),
		 "%s: pages cannot be recognised, so less can be saved%s",
		 s->stats.opaque,
		 p->coded ? "; migrate without QEMU's own compression and TLS"
			  : "");
	live_notice(s, text);
}

/* Cuts what was read into items; last: no more comes for now. */
static int
channel_parse(struct live_channel *c, bool last, struct err *e)
{
	struct live_batch *b;

	while ((b = c->filling) && b->len > b->parsed) {
		const uint8_t *at = b->raw + b->parsed;
		size_t n = b->len - b->parsed, want;
		struct stream_item it;

		if (b->b.npages == FRAME_PAGES_MAX ||
		    b->b.nruns + 1 >= BATCH_RUNS_MAX) {
			if (channel_submit(c, e) < 0)
				return -1;
			continue;
		}
		if (last ? !stream_last(&c->parser, at, n, &it)
			 : !stream_next(&c->parser, at, n, &it, &want))
			break;
		if (channel_add(c, &it, e) < 0)
			return -1;
		c->section_end = it.section_end;
	}
	channel_tell(c);
	return 0;
}

static void
channel_wait(struct live_channel *c, unsigned ms)
{
	const struct timeval t = { .tv_usec = (long)ms * 1000 };

	evtimer_add(c->idle, &t);
}

/* QEMU has nothing more to say for now. */
static int
channel_flush(struct live_channel *c, bool waited, struct err *e)
{
	const struct stream_parser *p = &c->parser;
	bool now = waited || p->postcopy || p->ram_ended ||
		   (c->filling && c->section_end &&
		    c->filling->parsed == c->filling->len);

	if (c->filling && c->filling->parsed > 0 && now &&
	    channel_submit(c, e) < 0)
		return -1;
	if (c->filling && c->filling->parsed > 0)
		channel_wait(c, CHANNEL_IDLE_MS);
	else if (c->filling && c->filling->len > 0)
		channel_wait(c, p->ram_ended ? CHANNEL_STUCK_END_MS
					     : CHANNEL_STUCK_MS);
	return 0;
}

/* QEMU here has closed it. */
static int
channel_end(struct live_channel *c, struct err *e)
{
	struct live_sender *s = c->sender;
	bool opaque = c->parser.opaque;

	if (channel_parse(c, true, e) < 0)
		return -1;
	if (c->number == 0 && !c->at_eof && !opaque)
		return err_set(e, ERR_CANCELLED,
			       "QEMU here ended the migration");
	if (!c->filling && channel_begin(c, NULL, 0, e) < 0)
		return -1;
	c->filling->flags |= LIVE_LAST;
	c->ended = true;
	s->nended++;
	return channel_submit(c, e);
}

/* Reads once: 1, 0 at the end of what there is, -1. */
static int
channel_read(struct live_channel *c, struct err *e)
{
	struct live_batch *b;
	size_t room;
	ssize_t n;

	if (!c->filling && channel_begin(c, NULL, 0, e) < 0)
		return -1;
	b = c->filling;
	room = MIN(LIVE_BATCH_BYTES - b->len, (size_t)CHANNEL_READ_BYTES);
	if (channel_is_early(c))
		room = MIN(room, CHANNEL_GREETING - channel_bytes(c));
	n = read(c->fd, b->raw + b->len, room);
	c->dry = n < 0 && (errno == EAGAIN || errno == EINTR);
	if (c->dry)
		return channel_flush(c, false, e);
	if (n <= 0)
		return channel_end(c, e);
	evtimer_del(c->idle);
	b->len += (size_t)n;
	c->sender->stats.qemu_bytes += (uint64_t)n;
	if (channel_parse(c, false, e) < 0)
		return -1;
	b = c->filling;
	if (b && b->len == LIVE_BATCH_BYTES && channel_submit(c, e) < 0)
		return -1;
	return 1;
}

static void
channel_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct live_channel *c = arg;
	uint64_t until = channel_bytes(c) + CHANNEL_TURN_BYTES;
	struct err e;
	int got = 1;

	(void)fd;
	(void)what;
	while (got > 0 && channel_bytes(c) < until && channel_may_read(c))
		got = channel_read(c, &e);
	if (got > 0 && c->filling)
		channel_wait(c, CHANNEL_IDLE_MS);
	if (got < 0)
		live_fail(c->sender, &e);
	else
		live_pump(c->sender);
}

/* QEMU has closed it, while we may not be reading: one that gave up is to be
 * known at once, whatever the link does.
 */
static void
channel_on_hang(evutil_socket_t fd, short what, void *arg)
{
	struct live_channel *c = arg;

	(void)fd;
	(void)what;
	c->hung = true;
	live_channel_watch(c);
}

/* QEMU was silent, or we do not listen: what there is goes on; in the end a
 * record that QEMU has not ended does, too.
 */
static void
channel_on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct live_channel *c = arg;
	struct err e;
	int ret = 0;

	(void)fd;
	(void)what;
	if (c->filling && c->filling->parsed == 0 && c->dry)
		ret = channel_parse(c, true, &e);
	if (ret == 0)
		ret = channel_flush(c, true, &e);
	if (ret < 0)
		live_fail(c->sender, &e);
	else
		live_pump(c->sender);
}

void
live_channel_watch(struct live_channel *c)
{
	if (c->fd < 0)
		return;
	if (channel_may_read(c))
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
	if (evbuffer_get_length(c->back) > 0)
		event_add(c->writable, NULL);
	else
		event_del(c->writable);
}

static void
channel_write_back(struct live_channel *c)
{
	while (evbuffer_get_length(c->back) > 0)
		if (evbuffer_write(c->back, c->fd) <= 0)
			break;
	if (errno != EAGAIN && errno != EINTR)
		evbuffer_drain(c->back, evbuffer_get_length(c->back));
	if (c->shut && evbuffer_get_length(c->back) == 0)
		shutdown(c->fd, SHUT_WR);
}

static void
channel_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct live_channel *c = arg;

	(void)fd;
	(void)what;
	errno = EAGAIN;
	channel_write_back(c);
	live_channel_watch(c);
}

int
live_channel_back(struct live_channel *c, struct span bytes, struct err *e)
{
	if (c->fd < 0)
		return 0;
	if (evbuffer_get_length(c->back) + bytes.left > CHANNEL_BACK_MAX)
		return err_set(e, ERR_LIMIT,
			       "QEMU here does not hear what QEMU there says");
	if (evbuffer_add(c->back, bytes.at, bytes.left) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	channel_on_writable(c->fd, 0, c);
	return 0;
}

void
live_channel_shut(struct live_channel *c)
{
	c->shut = true;
	if (c->fd >= 0)
		channel_on_writable(c->fd, 0, c);
}

int
live_channel_taken(struct live_channel *c, uint64_t taken, struct err *e)
{
	uint64_t now = clock_wall_ns();

	if (taken < c->taken || taken > c->next_byte)
		return err_set(e, ERR_PROTOCOL, "%llu bytes taken of %llu",
			       (unsigned long long)taken,
			       (unsigned long long)c->next_byte);
	c->taken = taken;
	flow_taken(&c->flow, taken, now);
	while (c->nmarks > 0 && c->marks[c->first_mark].byte <= taken) {
		flow_passed(&c->flow, now - c->marks[c->first_mark].ns, now);
		c->first_mark = (c->first_mark + 1) % LIVE_MARKS;
		c->nmarks--;
	}
	return 0;
}

int
live_channel_open(struct live_sender *s, int fd, struct err *e)
{
	struct live_channel *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return err_sys(e, "channel");
	}
	c->sender = s;
	c->number = s->nchannels;
	c->fd = fd;
	stream_parser_init(&c->parser, &s->blocks);
	s->channels[s->nchannels++] = c;
	s->stats.channels = s->nchannels;
	c->back = evbuffer_new();
	c->readable = event_new(s->config.loop, fd, EV_READ | EV_PERSIST,
				channel_on_readable, c);
	c->writable = event_new(s->config.loop, fd, EV_WRITE | EV_PERSIST,
				channel_on_writable, c);
	c->idle = evtimer_new(s->config.loop, channel_on_idle, c);
	c->hang = event_new(s->config.loop, fd, EV_CLOSED, channel_on_hang, c);
	if (!c->back || !c->readable || !c->writable || !c->idle || !c->hang ||
	    event_add(c->hang, NULL) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	if (live_put_channel(&s->out, (uint8_t)c->number, e) < 0)
		return -1;
	return live_say(s, e);
}

void
live_channel_close(struct live_channel *c)
{
	if (c->fd < 0)
		return;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->idle);
	event_del(c->hang);
	close(c->fd);
	c->fd = -1;
}

void
live_channel_free(struct live_channel *c)
{
	if (c->readable && c->writable && c->idle && c->hang)
		live_channel_close(c);
	else
		close(c->fd);
	if (c->filling)
		live_batch_spare(c->sender, c->filling);
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->idle)
		event_free(c->idle);
	if (c->hang)
		event_free(c->hang);
	if (c->back)
		evbuffer_free(c->back);
	free(c);
}
