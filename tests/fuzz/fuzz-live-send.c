/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sys/un.h>

#include "tests/fuzz/live-peer.h"

#include "sender/live.h"
#include "wire/offer.h"

/* Any bytes from a receiver, after its HELLO, to the sender of a small running
 * guest.  The first byte says what QEMU does (see enum here_what); an AGAIN
 * comes over a new connection.  It ends, with QEMU's connections closed; and
 * well only if the receiver acknowledged every frame, said SEALED before
 * COMMIT was heard, and END.
 */
enum here_what {
	HERE_MULTIFD = 1,  /* a second channel */
	HERE_POSTCOPY = 2, /* instead of precopy */
	HERE_OPAQUE = 4,   /* something unknown instead */
	HERE_AGAIN = 8,    /* only half, until the connection was lost */
};

#define KEPT 40
#define HERE 2 /* channels */

static struct held held;
static struct buf precopy, postcopy, opaque, multifd;

struct here {
	struct live_sender *s;
	struct fuzz_peer peer;
	struct {
		const struct buf *in;
		size_t said, back;
		int fd; /* -1: closed */
	} qemu[HERE];
	unsigned nqemu;
	bool half;      /* QEMU says no more */
	size_t refused; /* frames heard when the last NAK was said */
	bool lost;      /* another connection is asked for */
	bool early;     /* COMMIT was heard before SEALED was said */
};

static void
set_up(void)
{
	static uint8_t pages[KEPT * PAGE_BYTES];
	static struct fuzz_memory memory;

	if (held.base.memory)
		return;
	fuzz_held(&held, &memory, pages, KEPT);
	buf_init(&precopy, 1 << 20);
	buf_init(&postcopy, 1 << 20);
	buf_init(&opaque, 1 << 20);
	buf_init(&multifd, 1 << 20);
	make_precopy(&precopy);
	make_postcopy(&postcopy);
	make_bytes(&opaque, "\x16\x03\x01 something else", 18);
	make_multifd_init(&multifd);
	make_packet(&multifd, 0, "pc.ram", 128, 1, 8, 0);
}

static void
here_lost(void *arg, const struct err *why)
{
	struct here *h = arg;

	(void)why;
	h->lost = true;
}

/* A socket of QEMU's, whose name the kernel chooses. */
static int
here_listen(struct sockaddr_un *where, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*where = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(*where);
	fuzz_check(bind(fd, (struct sockaddr *)where, sizeof(sa_family_t)) ==
		   0);
	fuzz_check(getsockname(fd, (struct sockaddr *)where, len) == 0);
	fuzz_check(listen(fd, HERE) == 0);
	return fd;
}

static void
here_channel(struct here *h, const struct buf *in,
	     const struct sockaddr_un *where, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	fuzz_check(connect(fd, (const struct sockaddr *)where, len) == 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	h->qemu[h->nqemu].in = in;
	h->qemu[h->nqemu++].fd = fd;
}

/* QEMU ends when it has said all and heard something, or when we do. */
static void
here_qemu(struct here *h)
{
	for (unsigned i = 0; i < h->nqemu; i++) {
		const struct buf *in = h->qemu[i].in;
		size_t most = h->half ? in->len / 2 : in->len;
		ssize_t n;

		if (h->qemu[i].fd < 0)
			continue;
		n = send(h->qemu[i].fd, in->data + h->qemu[i].said,
			 most - h->qemu[i].said, MSG_NOSIGNAL);
		h->qemu[i].said += n > 0 ? (size_t)n : 0;
		if (live_qemu_hear(h->qemu[i].fd, &h->qemu[i].back) ||
		    (h->qemu[i].said == in->len &&
		     (i > 0 || h->qemu[i].back >= 8))) {
			close(h->qemu[i].fd);
			h->qemu[i].fd = -1;
		}
	}
}

/* A receiver that keeps the order answers what it was told or asked. */
static bool
here_may_say(const struct here *h, uint64_t since)
{
	const struct fuzz_peer *p = &h->peer;

	if (p->say.left == 0)
		return false;
	if (p->chunk > 0 || clock_wall_ns() - since > LIVE_PATIENCE_NS)
		return true;
	switch (fuzz_peer_next(p)) {
	case MESSAGE_REGIONS:
		return p->said[MESSAGE_REGIONS] < p->heard[MESSAGE_WANT];
	case MESSAGE_ACK:
	case MESSAGE_NAK:
		return p->heard[MESSAGE_FRAME] > h->refused &&
		       p->said[MESSAGE_ACK] + p->said[MESSAGE_NAK] <
			       p->heard[MESSAGE_FRAME];
	case MESSAGE_TAKEN:
	case MESSAGE_RETURN:
		return p->heard[MESSAGE_CHANNEL] > 0;
	case MESSAGE_SEALED:
		return p->heard[MESSAGE_SEAL] > 0;
	case MESSAGE_CHANNEL:
		return p->heard[MESSAGE_COMMIT] > 0;
	case MESSAGE_END:
		return p->heard[MESSAGE_END] > 0;
	default:
		return true;
	}
}

/* The connection breaks here; true once there is another one. */
static bool
here_again(struct here *h)
{
	if (h->peer.fd >= 0)
		live_peer_cut(&h->peer);
	if (!h->lost)
		return false;
	h->lost = h->half = false;
	h->refused = h->peer.heard[MESSAGE_FRAME] =
		h->peer.said[MESSAGE_ACK] + h->peer.said[MESSAGE_NAK];
	live_sender_reconnect(h->s, live_peer_connect(&h->peer));
	return true;
}

static bool
here_say(struct here *h, uint64_t *since)
{
	struct fuzz_peer *p = &h->peer;
	bool again = live_peer_next_is(p, MESSAGE_AGAIN, 4);
	size_t naks = p->said[MESSAGE_NAK];

	if ((p->fd < 0 && !again) || !here_may_say(h, *since) ||
	    (again && !here_again(h)) || !fuzz_peer_say(p))
		return false;
	if (p->said[MESSAGE_NAK] > naks)
		h->refused = p->heard[MESSAGE_FRAME];
	*since = clock_wall_ns();
	return true;
}

static void
here_run(struct here *h, struct err *why)
{
	uint64_t since = clock_wall_ns();
	struct err enough;

	(void)err_set(&enough, ERR_CANCELLED, "nobody comes");
	while (!live_sender_is_over(h->s, why)) {
		bool said = here_say(h, &since);

		live_turn(!said);
		if (h->peer.fd >= 0)
			fuzz_peer_hear(&h->peer);
		h->early |= h->peer.heard[MESSAGE_COMMIT] &&
			    !h->peer.said[MESSAGE_SEALED];
		here_qemu(h);
		live_peer_leave(&h->peer, since);
		if (live_sender_stats(h->s)->lost &&
		    !live_peer_next_is(&h->peer, MESSAGE_AGAIN, 4))
			live_sender_cancel(h->s, &enough);
	}
}

static void
here_check(const struct here *h, const struct err *why)
{
	const struct fuzz_peer *p = &h->peer;
	const struct live_sender_stats *s = live_sender_stats(h->s);

	fuzz_check(!h->early);
	for (unsigned i = 0; i < h->nqemu; i++)
		fuzz_check(h->qemu[i].fd < 0);
	if (why->code != ERR_NONE) {
		fuzz_check(why->text[0] != '\0');
		return;
	}
	fuzz_check(p->said[MESSAGE_SEALED] > 0 && p->said[MESSAGE_END] > 0);
	fuzz_check(p->heard[MESSAGE_COMMIT] > 0 && p->heard[MESSAGE_END] > 0);
	fuzz_check(p->said[MESSAGE_ACK] >= s->frames && s->frames > 0);
	for (unsigned i = 0; i < h->nqemu; i++)
		fuzz_check(h->qemu[i].said == h->qemu[i].in->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct here h = { .peer = { .fd = -1, .stays = true } };
	struct live_sender_config c = { .loop = live_loop(),
					.held = &held,
					.nheld = 1,
					.shadow_fd = live_shadow(),
					.room = size % 2 << 20,
					.keep = true,
					.threads = 1,
					.reconnect_ms = 10000,
					.lost = here_lost,
					.arg = &h };
	unsigned what = size > 0 ? data[0] : 0;
	struct sockaddr_un where;
	struct err why, e;
	socklen_t len;

	set_up();
	h.half = what & HERE_AGAIN;
	h.peer.say = span_of(data + (size > 0), size - (size > 0));
	c.qemu_fd = here_listen(&where, &len);
	c.peer_fd = live_peer_connect(&h.peer);
	c.effort = effort_by_name("fast", &e);
	here_channel(&h,
		     what & HERE_OPAQUE     ? &opaque
		     : what & HERE_POSTCOPY ? &postcopy
					    : &precopy,
		     &where, len);
	if (what & HERE_MULTIFD)
		here_channel(&h, &multifd, &where, len);
	h.s = live_sender_new(&c, &e);
	fuzz_check(h.s);
	here_run(&h, &why);
	here_qemu(&h);
	if (h.nqemu > 0 && live_sender_stats(h.s)->channels == h.nqemu)
		here_check(&h, &why);
	live_sender_free(h.s);
	live_peer_cut(&h.peer);
	for (unsigned i = 0; i < h.nqemu; i++)
		if (h.qemu[i].fd >= 0)
			close(h.qemu[i].fd);
	return 0;
}

static struct err e;

static void
seed_message(struct buf *out, enum message_type type)
{
	size_t at;

	fuzz_ok(message_begin(out, type, &at, &e), &e);
	fuzz_ok(message_end(out, at, &e), &e);
}

static void
seed_offer(struct buf *out, bool same)
{
	struct offer o = { .nheld = 1 };

	o.held[0] = (struct offer_held){ OFFER_MEMORY, KEPT, held.root, "k" };
	o.held[0].root.b[0] ^= !same;
	fuzz_ok(offer_put(out, &o, &e), &e);
	if (!same)
		fuzz_ok(regions_put(out, held.regions, 1, &e), &e);
}

/* Acknowledges so many frames, the first of them after it came again. */
static void
seed_acks(struct buf *out, unsigned first, unsigned n, bool refuse)
{
	if (refuse)
		fuzz_ok(message_put_u32(out, MESSAGE_NAK, first, &e), &e);
	for (unsigned i = 0; i < n; i++)
		fuzz_ok(message_put_u32(out, MESSAGE_ACK, first + i, &e), &e);
}

static void
seed_end(struct buf *out, unsigned from, unsigned tail, unsigned channels)
{
	static const uint8_t shut[8] = { 0, 1, 0, 4 };

	seed_message(out, MESSAGE_SEALED);
	seed_acks(out, from, tail > 0, false);
	fuzz_ok(live_put_return(out, 0, shut, sizeof(shut), &e), &e);
	for (unsigned i = 0; i < channels; i++)
		fuzz_ok(live_put_channel(out, (uint8_t)i, &e), &e);
	fuzz_ok(live_put_taken(out, 0, 1, &e), &e);
	if (tail > 0)
		seed_acks(out, from + 1, tail - 1, false);
	fuzz_ok(live_put_end(out, NULL, &e), &e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct {
		const char *name;
		uint8_t what;
		bool same, regions, refuse;
		uint8_t before, tail; /* frames */
	} seeds[] = {
		{ "first", 0, false, false, false, 1, 2 },
		{ "return", 0, true, false, false, 1, 2 },
		{ "regions", 0, false, true, true, 1, 2 },
		{ "again", HERE_AGAIN, false, false, false, 1, 1 },
		{ "multifd", HERE_MULTIFD, false, false, false, 1, 3 },
		{ "postcopy", HERE_POSTCOPY, false, false, false, 1, 2 },
		{ "opaque", HERE_OPAQUE, false, false, false, 1, 0 },
		{ "all", HERE_AGAIN | HERE_MULTIFD, true, false, true, 1, 2 },
	};
	static const uint8_t pong[8] = { 0, 2, 0, 4, 0, 0, 0, 1 };
	struct offer none = { .nheld = 0 };

	if (i >= sizeof(seeds) / sizeof(*seeds))
		return NULL;
	set_up();
	fuzz_ok(buf_put_u8(out, seeds[i].what, &e), &e);
	if (seeds[i].same || seeds[i].regions)
		seed_offer(out, seeds[i].same);
	else
		fuzz_ok(offer_put(out, &none, &e), &e);
	fuzz_ok(live_put_return(out, 0, pong, sizeof(pong), &e), &e);
	fuzz_ok(message_put_u64(out, MESSAGE_PONG, 1, &e), &e);
	if (seeds[i].what & HERE_AGAIN)
		fuzz_ok(live_put_again(out, NULL, 2, &e), &e);
	seed_acks(out, 0, seeds[i].before, seeds[i].refuse);
	seed_end(out, seeds[i].before, seeds[i].tail,
		 seeds[i].what & HERE_MULTIFD ? 2 : 1);
	return seeds[i].name;
}
