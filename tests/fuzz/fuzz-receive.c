/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/fuzz/peer.h"

#include "receiver/incoming.h"
#include "wire/layout.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"

/* Any bytes from a sender, after its HELLO, to a receiver that holds a kept
 * memory: it ends, with a file that is whole or with an error and none.
 */
#define KEPT         40
#define OUTPUT_BYTES (1 << 20)

static struct event_base *loop;
static struct held held;
static char output[64];

static void
set_up(void)
{
	static uint8_t pages[KEPT * PAGE_BYTES];
	static struct fuzz_memory memory;
	const struct rlimit most = { OUTPUT_BYTES, OUTPUT_BYTES };

	if (loop)
		return;
	fuzz_held(&held, &memory, pages, KEPT);
	loop = event_base_new();
	fuzz_check(loop);
	snprintf(output, sizeof(output), "%s/fuzz-receive-%d",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
		 (int)getpid());
	/* The layout of a large file takes a large file. */
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &most);
}

static struct incoming *
receiver_of(int fd)
{
	const struct incoming_config c = { .loop = loop,
					   .output = output,
					   .held = &held,
					   .nheld = 1,
					   .threads = 1 };
	struct err e;
	struct incoming *in = incoming_new(&c, fd, &e);

	fuzz_check(in);
	return in;
}

/* A sender that keeps the order says SEAL when all its frames are answered. */
static bool
may_say(const struct fuzz_peer *p)
{
	if (p->say.left == 0)
		return false;
	return p->chunk > 0 || fuzz_peer_next(p) != MESSAGE_SEAL ||
	       p->said[MESSAGE_FRAME] <=
		       p->heard[MESSAGE_ACK] + p->heard[MESSAGE_NAK];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct incoming_stats *s;
	struct fuzz_peer peer = { 0 };
	struct incoming *in;
	struct err why;
	struct stat st;
	struct buf b;
	struct err e;
	int fds[2];

	set_up();
	buf_init(&b, size + 100);
	fuzz_put_hello(&b, HELLO_MEMORY_IMAGE);
	fuzz_ok(buf_put(&b, data, size, &e), &e);
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		   0);
	in = receiver_of(fds[0]);
	peer.fd = fds[1];
	peer.say = span_of(b.data, b.len);
	while (!incoming_is_over(in, &why)) {
		bool said = may_say(&peer) && fuzz_peer_say(&peer);

		event_base_loop(loop, said ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
		fuzz_peer_hear(&peer);
	}
	s = incoming_stats(in);
	if (why.code == ERR_NONE) {
		fuzz_check(stat(output, &st) == 0);
		fuzz_check((uint64_t)st.st_size ==
			   s->npages * PAGE_BYTES + s->nbytes);
		unlink(output);
	} else {
		fuzz_check(why.text[0] != '\0');
		fuzz_check(access(output, F_OK) < 0);
	}
	incoming_free(in);
	close(fds[1]);
	buf_fini(&b);
	return 0;
}

/* The frame of all of a memory of n pages, sent with or without a base. */
static void
seed_frame(struct buf *out, struct digest *digest, uint64_t n, bool kept)
{
	static uint8_t pages[20 * PAGE_BYTES];
	const struct base bases[2] = { { BASE_HISTORY, .npages = n },
				       held.base };
	struct fuzz_memory now;
	struct planner_config c = { .memory = &now.memory,
				    .bases = bases,
				    .nbases = kept ? 2 : 1 };
	struct encoder *enc;
	struct encoding *x;
	struct err e;
	size_t at;

	fuzz_pages(pages, n);
	memset(pages + PAGE_BYTES + 16, 1, 8);
	fuzz_memory(&now, pages, n);
	enc = encoder_new(&c, 1, &e);
	fuzz_check(enc);
	x = encoding_new(enc, &e);
	fuzz_check(x);
	encoding_begin(x, effort_by_name("fast", &e));
	fuzz_run(&x->job);
	fuzz_check(!x->failed);
	fuzz_ok(message_begin(out, MESSAGE_FRAME, &at, &e), &e);
	fuzz_ok(buf_put_u32(out, 0, &e), &e);
	fuzz_ok(frame_put(out, &x->frame, &e), &e);
	fuzz_ok(message_end(out, at, &e), &e);
	*digest = x->frame.digest;
	encoding_free(x);
	encoder_free(enc);
}

static void
seed_session(struct buf *out, uint64_t n, bool kept)
{
	const struct fingerprint keyed[2] = { { { 1 } }, { { 2 } } };
	const uint8_t base = 0;
	struct digest digest;
	struct layout l;
	struct seal s;
	struct err e;

	set_up();
	layout_init(&l);
	fuzz_ok(layout_add(&l, true, n, &e), &e);
	fuzz_ok(layout_put(out, &l, &e), &e);
	layout_fini(&l);
	fuzz_ok(want_put(out, &(struct want){ 0, 0, 1 }, &e), &e);
	fuzz_ok(bases_put(out, &base, kept, &e), &e);
	if (kept)
		fuzz_ok(query_put(out, keyed, 2, &e), &e);
	seed_frame(out, &digest, n, kept);
	fuzz_ok(seal_init(&s, &e), &e);
	fuzz_ok(seal_add(&s, &digest, &e), &e);
	fuzz_ok(message_put_u64(out, MESSAGE_PING, 7, &e), &e);
	fuzz_ok(seal_put(out, &s, &e), &e);
	seal_fini(&s);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		seed_session(out, 20, false);
		return "first";
	case 1:
		seed_session(out, 20, true);
		return "return";
	case 2:
		seed_session(out, 1, true);
		return "one";
	default:
		return NULL;
	}
}
