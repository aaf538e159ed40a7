/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_GUEST_H
#define MIG_LIVE_GUEST_H

#include "tests/live-steps.h"

/* A guest of some pages, moved in many passes. */
#define PASSES 40

static struct buf stream, more;
static struct world w;

static inline int
setup(void **state)
{
	(void)state;
	buf_init(&stream, 64 << 20);
	buf_init(&more, 64 << 20);
	world_init(&w);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	world_fini(&w);
	buf_fini(&stream);
	buf_fini(&more);
	return 0;
}

/* A page that changes a little each time, one that is what another was, one
 * that is new, one of words, one of zeros that QEMU sent as a page.
 */
static inline void
put_pages(struct buf *b, unsigned pass, uint64_t *seed)
{
	static uint64_t words[MAKE_PAGES][512];

	for (unsigned n = 0; n < MAKE_PAGES; n++) {
		if ((n + pass) % 5 == 0) {
			make_zero(b, n, n % 2 ? NULL : "pc.ram");
			memset(words[n], 0, 4096);
			continue;
		}
		if (n % 4 == 0 || pass == 0)
			for (unsigned i = 0; i < 512; i++)
				words[n][i] = test_random(seed);
		else if (n % 4 == 1)
			memset(words[n], (int)pass, 4096);
		else if (n % 4 == 2)
			memcpy(words[n], words[(n + pass) % MAKE_PAGES], 4096);
		else
			words[n][pass] = test_random(seed);
		if (n == 7)
			memset(words[n], 0, 4096);
		make_head(b, 0x08, n, n == 3 || n == 0 ? "pc.ram" : NULL);
		make_bytes(b, words[n], 4096);
	}
	make_head(b, 0x08, 0, "vga.vram");
	make_bytes(b, words[1], 4096);
}

static inline void
make_guest_stream(struct buf *b, bool whole)
{
	static const uint8_t ping[] = { 0, 0, 0, 1 };
	uint64_t seed = 7;

	make_header(b);
	make_command(b, 1, "", 0);
	make_command(b, 2, ping, sizeof(ping));
	make_start(b);
	for (unsigned pass = 0; pass < PASSES; pass++) {
		make_part(b, 0x02, MAKE_RAM_ID);
		put_pages(b, pass, &seed);
		make_eos(b);
	}
	if (!whole)
		return;
	make_part(b, 0x03, MAKE_RAM_ID);
	put_pages(b, PASSES, &seed);
	make_eos(b);
	make_devices(b);
	make_u8(b, 0);
	make_description(b);
}

/* The guest begins to move; all of it, or so far that QEMU would go on. */
static inline void
guest_begin(bool whole)
{
	make_guest_stream(&stream, whole);
	world_channel(&w, &stream);
	world_begin(&w);
}

static inline void
assert_arrived(const struct world_channel *c)
{
	assert_int_equal(c->out.len, c->in->len);
	assert_memory_equal(c->out.data, c->in->data, c->in->len);
}

static inline void
assert_all_is_well(void)
{
	if (w.sender_why.code != ERR_NONE || w.receiver_why.code != ERR_NONE)
		fail_msg("sender: %d %s; receiver: %d %s", w.sender_why.code,
			 w.sender_why.text, w.receiver_why.code,
			 w.receiver_why.text);
	for (unsigned i = 0; i < w.nchannels; i++)
		assert_arrived(&w.channels[i]);
}

/* All that is said from now on arrives. */
static inline void
all_arrives(void)
{
	world_run(&w, NULL);
	assert_all_is_well();
}

static inline bool
some_is_there(const struct world *x)
{
	return x->channels[0].out.len > 100000;
}

static inline bool
all_said_is_there(const struct world *x)
{
	return x->channels[0].out.len == x->channels[0].stop;
}

static inline bool
is_lost_at_both(const struct world *x)
{
	return live_sender_stats(x->s)->lost && live_receiver_stats(x->r)->lost;
}

static inline bool
sender_is_over(const struct world *x)
{
	return x->sender_over;
}

static inline bool
receiver_is_over(const struct world *x)
{
	return x->receiver_over;
}

#endif
