/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/peer.h"

#include "common/clock.h"
#include "common/endpoint.h"
#include "sender/outgoing.h"
#include "wire/offer.h"
#include "wire/query.h"

/* Any bytes from a receiver, after its HELLO, to a sender of a small memory
 * that holds a kept one: it ends, and well only if the receiver acknowledged
 * every page and said that it sealed them.
 */
#define KEPT  40
#define PAGES 24
/* Who has more to say does not wait for ever for the other to speak. */
#define PATIENCE_NS 20000000u

static struct event_base *loop;
static struct held held;
static struct fuzz_memory now;
static struct endpoint_addr addr;
static char path[64];
static int listener;

static void
tidy_up(void)
{
	unlink(path);
}

static void
set_up(void)
{
	static uint8_t kept_pages[KEPT * PAGE_BYTES], pages[PAGES * PAGE_BYTES];
	static struct fuzz_memory kept;
	struct endpoint ep = { .is_unix = true };
	struct err e;

	if (loop)
		return;
	fuzz_held(&held, &kept, kept_pages, KEPT);
	fuzz_pages(pages, PAGES);
	for (unsigned n = 0; n < PAGES; n++)
		memset(pages + n * PAGE_BYTES + 16, (int)n, n * 8);
	fuzz_memory(&now, pages, PAGES);
	loop = event_base_new();
	fuzz_check(loop);
	snprintf(path, sizeof(path), "/tmp/fuzz-send-%d", (int)getpid());
	memcpy(ep.host, path, sizeof(path));
	fuzz_ok(endpoint_listen(&ep, &listener, &addr, &e), &e);
	atexit(tidy_up);
}

static struct outgoing *
sender(void)
{
	struct outgoing_config c = { .loop = loop,
				     .addrs = &addr,
				     .naddrs = 1,
				     .memory = &now.memory,
				     .held = &held,
				     .nheld = 1,
				     .threads = 1 };
	struct outgoing *o;
	struct err e;

	c.effort = effort_by_name("fast", &e);
	o = outgoing_new(&c, &e);
	fuzz_check(o);
	return o;
}

/* A receiver that keeps the order answers what it was told or asked. */
static bool
may_say(const struct fuzz_peer *p, uint64_t since)
{
	if (p->say.left == 0)
		return false;
	if (p->chunk > 0 || clock_wall_ns() - since > PATIENCE_NS)
		return true;
	switch (fuzz_peer_next(p)) {
	case MESSAGE_REGIONS:
		return p->said[MESSAGE_REGIONS] < p->heard[MESSAGE_WANT];
	case MESSAGE_ACK:
	case MESSAGE_NAK:
		return p->said[MESSAGE_ACK] + p->said[MESSAGE_NAK] <
		       p->heard[MESSAGE_FRAME];
	case MESSAGE_ANSWER:
		return p->said[MESSAGE_ANSWER] < p->heard[MESSAGE_QUERY];
	case MESSAGE_SEALED:
		return p->heard[MESSAGE_SEAL] > 0;
	default:
		return true;
	}
}

static void
answer(struct outgoing *o, struct fuzz_peer *p, struct err *why)
{
	const struct timeval ms = { .tv_usec = 1000 };
	uint64_t since = clock_wall_ns();

	while (!outgoing_is_over(o, why)) {
		if (p->fd < 0)
			p->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (p->fd >= 0 && may_say(p, since) && fuzz_peer_say(p))
			since = clock_wall_ns();
		event_base_loopexit(loop, &ms);
		event_base_loop(loop, EVLOOP_ONCE);
		if (p->fd >= 0)
			fuzz_peer_hear(p);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_peer peer = { .fd = -1 };
	const struct outgoing_stats *s;
	struct outgoing *o;
	struct err why, e;
	struct buf b;

	set_up();
	buf_init(&b, size + 100);
	fuzz_put_hello(&b, HELLO_MEMORY_IMAGE);
	fuzz_ok(buf_put(&b, data, size, &e), &e);
	peer.say = span_of(b.data, b.len);
	o = sender();
	answer(o, &peer, &why);
	s = outgoing_stats(o);
	if (why.code == ERR_NONE) {
		fuzz_check(s->pages == PAGES);
		fuzz_check(peer.said[MESSAGE_SEALED] > 0);
		fuzz_check(peer.said[MESSAGE_ACK] >= s->frames);
	} else {
		fuzz_check(why.text[0] != '\0');
	}
	outgoing_free(o);
	if (peer.fd >= 0)
		close(peer.fd);
	buf_fini(&b);
	return 0;
}

static void
seed_offer(struct buf *out, bool same)
{
	struct offer o = { .nheld = 1 };
	struct err e;

	set_up();
	o.held[0] = (struct offer_held){ OFFER_MEMORY, KEPT, held.root, "k" };
	o.held[0].root.b[0] ^= !same;
	fuzz_ok(offer_put(out, &o, &e), &e);
	if (!same)
		fuzz_ok(regions_put(out, held.regions, 1, &e), &e);
}

static void
seed_end(struct buf *out, bool refuse)
{
	struct err e;
	size_t at;
	uint32_t frames = refuse ? 2 : 1;

	fuzz_ok(message_put_u64(out, MESSAGE_PONG, 1, &e), &e);
	if (refuse)
		fuzz_ok(message_put_u32(out, MESSAGE_NAK, 0, &e), &e);
	fuzz_ok(message_put_u32(out, MESSAGE_ACK, frames - 1, &e), &e);
	fuzz_ok(message_begin(out, MESSAGE_SEALED, &at, &e), &e);
	fuzz_ok(message_end(out, at, &e), &e);
}

static void
seed_answers(struct buf *out)
{
	struct plan_ref refs[PAGES] = { { 1, 3 } };
	size_t asked = 0;
	struct err e;

	for (uint64_t n = 0; n < PAGES; n++)
		asked += memcmp(memory_page(&now.memory, n),
				memory_page(held.base.memory, n),
				PAGE_BYTES) != 0;
	fuzz_ok(answer_put(out, refs, asked, &e), &e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	struct offer none = { .nheld = 0 };
	struct err why, e;

	switch (i) {
	case 0:
		fuzz_ok(offer_put(out, &none, &e), &e);
		seed_end(out, false);
		return "first";
	case 1:
		seed_offer(out, true);
		seed_end(out, false);
		return "return";
	case 2:
		seed_offer(out, false);
		seed_answers(out);
		seed_end(out, true);
		return "regions";
	case 3:
		seed_offer(out, true);
		seed_end(out, true);
		return "refused";
	case 4:
		(void)err_set(&why, ERR_LIMIT, "no room for 24 MiB");
		fuzz_ok(message_put_error(out, &why, &e), &e);
		return "error";
	default:
		return NULL;
	}
}
