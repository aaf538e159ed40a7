/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/live-peer.h"

#include "receiver/live.h"
#include "sender/encode.h"
#include "stream/numbers.h"
#include "wire/offer.h"
#include "wire/seal.h"

/* Any bytes from the sender of a running guest, after its HELLO, to a receiver
 * that holds a kept memory.  An AGAIN comes over a new connection, and has the
 * session's secret in place of 32 zeros.  QEMU at the receiver takes all that
 * it gets.  It ends; and well only if the sender said SEAL, heard SEALED, and
 * then said COMMIT and END.
 */
#define KEPT  40
#define AGAIN (LIVE_SECRET_BYTES + 4)

static struct held held;

struct there {
	struct live_receiver *r;
	struct fuzz_peer peer;
	int qemu[LIVE_CHANNELS_MAX];
	unsigned nqemu;
	size_t bytes; /* that QEMU got */
	bool early;   /* COMMIT was said before SEALED was heard */
};

static void
set_up(void)
{
	static uint8_t pages[KEPT * PAGE_BYTES];
	static struct fuzz_memory memory;

	if (!held.base.memory)
		fuzz_held(&held, &memory, pages, KEPT);
	(void)live_loop();
}

static void
there_open(void *arg, unsigned channel)
{
	struct there *t = arg;
	int fds[2];

	fuzz_check(channel == t->nqemu && channel < LIVE_CHANNELS_MAX);
	live_pair(fds);
	t->qemu[t->nqemu++] = fds[1];
	live_receiver_channel(t->r, fds[0], NULL);
}

/* QEMU says a word when it got some, and ends a channel that has ended. */
static void
there_qemu(struct there *t)
{
	static const uint8_t pong[8] = { 0, 2, 0, 4, 0, 0, 0, 1 };

	for (unsigned i = 0; i < t->nqemu; i++) {
		size_t had = t->bytes;

		if (t->qemu[i] < 0)
			continue;
		if (live_qemu_hear(t->qemu[i], &t->bytes)) {
			close(t->qemu[i]);
			t->qemu[i] = -1;
		} else if (had == 0 && t->bytes > 0) {
			(void)!send(t->qemu[i], pong, 8, MSG_NOSIGNAL);
		}
	}
}

/* A sender that keeps the order waits for what it must have heard. */
static bool
there_may_say(const struct there *t, uint64_t since)
{
	const struct fuzz_peer *p = &t->peer;

	if (p->say.left == 0)
		return false;
	if (p->chunk > 0 || clock_wall_ns() - since > LIVE_PATIENCE_NS)
		return true;
	switch (fuzz_peer_next(p)) {
	case MESSAGE_WANT:
	case MESSAGE_BASES:
		return p->heard[MESSAGE_OFFER] > 0;
	case MESSAGE_FRAME: /* the same once more? */
		return p->say.left < MESSAGE_HEAD_BYTES + 5 ||
		       !(p->say.at[MESSAGE_HEAD_BYTES + 4] & LIVE_AGAIN) ||
		       p->heard[MESSAGE_NAK] > 0;
	case MESSAGE_SEAL:
	case MESSAGE_AGAIN:
		return p->said[MESSAGE_FRAME] <=
		       p->heard[MESSAGE_ACK] + p->heard[MESSAGE_NAK];
	case MESSAGE_COMMIT:
		return p->heard[MESSAGE_SEALED] > 0;
	default:
		return true;
	}
}

/* The connection breaks here, and another one begins with this message. */
static void
there_again(struct there *t)
{
	static const uint8_t zeros[LIVE_SECRET_BYTES];
	uint8_t *secret = (uint8_t *)t->peer.say.at + MESSAGE_HEAD_BYTES;

	live_peer_cut(&t->peer);
	if (memcmp(secret, zeros, sizeof(zeros)) == 0)
		memcpy(secret, t->peer.body, sizeof(zeros));
	live_receiver_reconnect(t->r, live_peer_connect(&t->peer));
}

static void
there_run(struct there *t, struct err *why)
{
	uint64_t since = clock_wall_ns();
	struct err enough;

	(void)err_set(&enough, ERR_CANCELLED, "nobody comes");
	while (!live_receiver_is_over(t->r, why)) {
		bool said = false;

		if (t->peer.fd >= 0 && there_may_say(t, since)) {
			if (live_peer_next_is(&t->peer, MESSAGE_AGAIN, AGAIN))
				there_again(t);
			t->early |= live_peer_next_is(&t->peer, MESSAGE_COMMIT,
						      0) &&
				    !live_receiver_stats(t->r)->sealed;
			said = fuzz_peer_say(&t->peer);
			since = clock_wall_ns();
		}
		live_turn(!said);
		if (t->peer.fd >= 0)
			fuzz_peer_hear(&t->peer);
		there_qemu(t);
		live_peer_leave(&t->peer, since);
		if (t->peer.say.left == 0 && live_receiver_stats(t->r)->lost)
			live_receiver_cancel(t->r, &enough);
	}
}

static void
there_check(const struct there *t, const struct err *why)
{
	const struct fuzz_peer *p = &t->peer;

	if (why->code != ERR_NONE) {
		fuzz_check(why->text[0] != '\0');
		return;
	}
	fuzz_check(p->said[MESSAGE_SEAL] > 0 && p->heard[MESSAGE_SEALED] > 0);
	fuzz_check(p->said[MESSAGE_COMMIT] > 0 && !t->early);
	fuzz_check(p->said[MESSAGE_END] > 0 && p->heard[MESSAGE_END] == 1);
	fuzz_check(t->bytes == live_receiver_stats(t->r)->qemu_bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct there t = { .peer = { .fd = -1, .stays = true } };
	struct live_receiver_config c = { .loop = live_loop(),
					  .held = &held,
					  .nheld = 1,
					  .shadow_fd = live_shadow(),
					  .room = size % 2 << 20,
					  .keep = true,
					  .threads = 1,
					  .reconnect_ms = 10000,
					  .open = there_open,
					  .arg = &t };
	struct err why, e;
	struct buf b;

	set_up();
	buf_init(&b, size + 1);
	fuzz_ok(buf_put(&b, data, size, &e), &e);
	t.peer.say = span_of(b.data, b.len);
	c.peer_fd = live_peer_connect(&t.peer);
	t.r = live_receiver_new(&c, &e);
	fuzz_check(t.r);
	there_run(&t, &why);
	if (t.peer.fd >= 0)
		fuzz_peer_hear(&t.peer);
	there_qemu(&t);
	there_check(&t, &why);
	live_receiver_free(t.r);
	live_peer_cut(&t.peer);
	for (unsigned i = 0; i < t.nqemu; i++)
		if (t.qemu[i] >= 0)
			close(t.qemu[i]);
	buf_fini(&b);
	return 0;
}

/* ---- seeds: what a sender says, made by the sender's own encoder */

struct seed {
	struct buf *out;
	struct encoder *encoder;
	struct encoding *x;
	struct seal seal;
	struct stream_blocks blocks;
	struct shadow shadow;
	unsigned channel;
	uint64_t byte[3]; /* of each channel */
	uint32_t seq;
	struct err e;
};

static void
seed_begin(struct seed *s, struct buf *out, bool kept)
{
	const uint8_t base = 0;
	const struct base bases[2] = { { BASE_HISTORY, .npages = MAKE_PAGES },
				       held.base };
	struct planner_config c = { .bases = bases, .nbases = kept ? 2 : 1 };
	struct err *e = &s->e;

	s->out = out;
	fuzz_ok(seal_init(&s->seal, e), e);
	fuzz_ok(shadow_open(&s->shadow, live_shadow(), MAKE_PAGES, UINT64_MAX,
			    e),
		e);
	stream_blocks_init(&s->blocks);
	fuzz_ok(stream_blocks_add(&s->blocks, "pc.ram", 6,
				  MAKE_PAGES * PAGE_BYTES, e),
		e);
	fuzz_ok(want_put(out, &(struct want){ 0, 0, 1 }, e), e);
	fuzz_ok(bases_put(out, &base, kept, e), e);
	fuzz_ok(live_put_channel(out, 0, e), e);
	s->encoder = encoder_new(&c, 1, e);
	fuzz_check(s->encoder);
	c.memory = &s->shadow.memory;
	c.shadow = &s->shadow;
	fuzz_ok(encoder_plan(s->encoder, &c, e), e);
	s->x = encoding_new(s->encoder, e);
	fuzz_check(s->x);
}

static void
seed_blocks(struct seed *s)
{
	struct err *e = &s->e;
	size_t at;

	fuzz_ok(message_begin(s->out, MESSAGE_BLOCKS, &at, e), e);
	fuzz_ok(live_put_block(s->out, "pc.ram", 6, MAKE_PAGES * PAGE_BYTES, e),
		e);
	fuzz_ok(message_end(s->out, at, e), e);
}

static void
seed_end(struct seed *s)
{
	encoding_free(s->x);
	encoder_free(s->encoder);
	seal_fini(&s->seal);
	stream_blocks_fini(&s->blocks);
	shadow_close(&s->shadow);
}

/* A page of the batch, as QEMU's stream has it. */
static void
seed_page(struct seed *s, struct batch *b, uint64_t number, const uint8_t *page)
{
	static uint8_t heads[FUZZ_PAGES][STREAM_HEAD_MAX];
	bool first = b->npages == 0;
	uint8_t *head = heads[b->npages];
	size_t n = stream_put_head(&s->blocks, page ? STREAM_PAGE : STREAM_ZERO,
				   0, number * PAGE_BYTES, !first, head);

	b->pages[b->npages++] = (struct batch_page){ .number = number,
						     .bytes = page,
						     .head = head,
						     .head_len = (uint16_t)n,
						     .names = first };
	s->byte[s->channel] += n + (page ? PAGE_BYTES : 0);
}

/* Some pages, or none, and some bytes after them. */
static void
seed_frame(struct seed *s, unsigned npages, const char *bytes, uint8_t flags)
{
	static uint8_t pages[FUZZ_PAGES * PAGE_BYTES];
	static struct batch b;
	const struct live_frame_head head = { s->seq, flags, 0 };
	struct err *e = &s->e;
	uint64_t byte = s->byte[s->channel];
	size_t at;

	memset(&b, 0, sizeof(b));
	b.framed = true;
	fuzz_pages(pages, npages);
	for (unsigned n = 0; n < npages; n++) {
		memset(pages + n * PAGE_BYTES + 16, (int)s->seq, 8);
		seed_page(s, &b, (n * 3) % MAKE_PAGES,
			  n % 5 == 4 ? NULL : pages + n * PAGE_BYTES);
	}
	if (*bytes) {
		b.nbytes = (uint32_t)strlen(bytes);
		b.runs[b.nruns++] = (struct batch_run){ (const uint8_t *)bytes,
							b.nbytes, b.npages };
		s->byte[s->channel] += b.nbytes;
	}
	encoding_begin_batch(s->x, effort_by_name("fast", e), &b, s->channel,
			     byte, !(flags & LIVE_PASSING), flags & LIVE_AGAIN);
	fuzz_run(&s->x->job);
	fuzz_check(!s->x->failed);
	fuzz_ok(message_begin(s->out, MESSAGE_FRAME, &at, e), e);
	fuzz_ok(live_put_frame_head(s->out, &head, e), e);
	fuzz_ok(frame_put(s->out, &s->x->frame, e), e);
	fuzz_ok(message_end(s->out, at, e), e);
	if (!(flags & LIVE_TAIL))
		fuzz_ok(seal_add(&s->seal, &s->x->frame.digest, e), e);
	s->seq++;
}

static void
seed_message(struct seed *s, enum message_type type)
{
	size_t at;

	fuzz_ok(message_begin(s->out, type, &at, &s->e), &s->e);
	fuzz_ok(message_end(s->out, at, &s->e), &s->e);
}

static void
seed_again(struct seed *s, uint32_t heard)
{
	static const uint8_t secret[LIVE_SECRET_BYTES];

	fuzz_ok(live_put_again(s->out, secret, heard, &s->e), &s->e);
}

static void
seed_finish(struct seed *s)
{
	fuzz_ok(seal_put(s->out, &s->seal, &s->e), &s->e);
	seed_frame(s, 0, "the tail", LIVE_TAIL | LIVE_LAST);
	seed_message(s, MESSAGE_COMMIT);
	fuzz_ok(live_put_end(s->out, NULL, &s->e), &s->e);
}

/* A frame that does not come out right, and again. */
static void
seed_refused(struct seed *s)
{
	size_t at = s->out->len;
	struct err *e = &s->e;

	seed_frame(s, 3, "lost", 0);
	s->out->data[s->out->len - 1] ^= 1;
	fuzz_check(at < s->out->len);
	s->seq--;
	seal_fini(&s->seal);
	fuzz_ok(seal_init(&s->seal, e), e);
	s->byte[0] = 0;
	seed_frame(s, 3, "lost", LIVE_AGAIN);
	s->seq = 1;
}

static void
seed_channels(struct seed *s)
{
	struct err *e = &s->e;

	seed_frame(s, 0, "first", 0);
	fuzz_ok(live_put_channel(s->out, 1, e), e);
	fuzz_ok(live_put_channel(s->out, 2, e), e);
	fuzz_ok(message_put_u64(s->out, MESSAGE_PING, 7, e), e);
	seed_frame(s, 9, "", LIVE_PASSING);
	seed_frame(s, 9, "", 0);
	for (s->channel = 1; s->channel <= 2; s->channel++)
		seed_frame(s, 0, "a little", LIVE_LAST);
	s->channel = 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "one",   "return", "again",
					     "twice", "bad",    "channels",
					     "late" };
	struct seed s = { .seq = 0 };

	if (i >= sizeof(names) / sizeof(*names))
		return NULL;
	set_up();
	seed_begin(&s, out, i == 1);
	if (i < 6)
		seed_blocks(&s);
	if (i == 4) {
		seed_refused(&s);
	} else if (i == 5) {
		seed_channels(&s);
	} else {
		seed_frame(&s, 0, "header", 0);
		if (i >= 2)
			seed_again(&s, 0);
		seed_frame(&s, i == 1 ? 20 : 7, "section", 0);
		if (i == 3)
			seed_again(&s, 3);
		if (i == 6)
			seed_blocks(&s);
		seed_frame(&s, 7, "", 0);
	}
	seed_finish(&s);
	seed_end(&s);
	return names[i];
}
