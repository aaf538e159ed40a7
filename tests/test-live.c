/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "tests/live-steps.h"

/* A guest of some pages, moved in many passes. */
#define PASSES 40

static struct buf stream, more;
static struct world w;

static int
setup(void **state)
{
	(void)state;
	buf_init(&stream, 64 << 20);
	buf_init(&more, 64 << 20);
	world_init(&w);
	return 0;
}

static int
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
static void
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

static void
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

/* How many bytes come before QEMU_VM_EOF. */
static size_t
before_eof(void)
{
	static const char end[] = "serial";
	size_t at = stream.len - sizeof(end);

	while (memcmp(stream.data + at, end, sizeof(end) - 1) != 0)
		at--;
	return at + sizeof(end) - 1 + 8 + 5;
}

static void
assert_arrived(const struct world_channel *c)
{
	assert_int_equal(c->out.len, c->in->len);
	assert_memory_equal(c->out.data, c->in->data, c->in->len);
}

static void
assert_all_is_well(void)
{
	if (w.sender_why.code != ERR_NONE || w.receiver_why.code != ERR_NONE)
		fail_msg("sender: %d %s; receiver: %d %s", w.sender_why.code,
			 w.sender_why.text, w.receiver_why.code,
			 w.receiver_why.text);
	for (unsigned i = 0; i < w.nchannels; i++)
		assert_arrived(&w.channels[i]);
}

static void
what_qemu_says_comes_out_there(void **state)
{
	const struct live_sender_stats *s;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	/* And what QEMU there says back came here, in order. */
	assert_int_equal(w.channels[0].back.len, 16);
	assert_true(world_is(&w.channels[0].back, world_pong, 0));
	assert_true(world_is(&w.channels[0].back, world_shut, 8));
	s = live_sender_stats(w.s);
	assert_int_equal(s->pages, (PASSES + 1) * (MAKE_PAGES + 1));
	assert_true(s->plans[PLAN_DELTA] > PASSES * 2);
	assert_true(s->plans[PLAN_REF] > 0);
	assert_true(s->plans[PLAN_ZERO] > PASSES * 2);
	assert_true(s->wire_bytes < stream.len / 2);
	assert_int_equal(s->taken, stream.len);
	assert_int_equal(s->ram_bytes, (MAKE_PAGES + 1) * 4096);
	assert_true(s->paused);
	assert_string_equal(w.notice, "");
}

static void
every_length_of_what_is_read_is_the_same(void **state)
{
	(void)state;
	make_precopy(&stream);
	world_channel(&w, &stream);
	w.channels[0].stop = 0;
	world_begin(&w);
	while (w.channels[0].stop < stream.len) {
		w.channels[0].stop++;
		world_step(&w);
	}
	world_run(&w, NULL);
	assert_all_is_well();
}

static bool
all_but_the_tail_is_there(const struct world *x)
{
	return x->channels[0].out.len == before_eof();
}

static bool
no_commit(struct world *x, bool up, enum message_type type)
{
	(void)x;
	return !up || type != MESSAGE_COMMIT;
}

static void
the_tail_waits_for_commit(void **state)
{
	struct err why;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.pass = no_commit;
	world_begin(&w);
	world_run(&w, all_but_the_tail_is_there);
	for (unsigned i = 0; i < 200; i++)
		world_step(&w);
	assert_int_equal(w.channels[0].out.len, before_eof());
	assert_false(w.channels[0].source_closed);
	(void)err_set(&why, ERR_CANCELLED, "enough");
	live_sender_cancel(w.s, &why);
	world_run(&w, NULL);
	/* Both were closed, and the byte never came. */
	assert_true(w.channels[0].source_closed);
	assert_true(w.channels[0].dest_closed);
	assert_int_equal(w.channels[0].out.len, before_eof());
	assert_int_equal(w.sender_why.code, ERR_CANCELLED);
	assert_int_equal(w.receiver_why.code, ERR_CANCELLED);
}

static bool
some_is_there(const struct world *x)
{
	return x->channels[0].out.len > 100000;
}

static void
qemu_here_may_end_it(void **state)
{
	(void)state;
	make_guest_stream(&stream, false);
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, some_is_there);
	world_close_source(&w.channels[0]);
	world_run(&w, NULL);
	assert_true(w.channels[0].dest_closed);
	assert_int_equal(w.sender_why.code, ERR_CANCELLED);
	assert_int_not_equal(w.receiver_why.code, ERR_NONE);
}

static void
qemu_there_may_end_it(void **state)
{
	(void)state;
	make_guest_stream(&stream, false);
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, some_is_there);
	world_close_dest(&w.channels[0]);
	world_run(&w, NULL);
	assert_true(w.channels[0].source_closed);
	assert_int_equal(w.sender_why.code, ERR_CANCELLED);
}

static bool
is_lost_at_both(const struct world *x)
{
	return live_sender_stats(x->s)->lost && live_receiver_stats(x->r)->lost;
}

/* The wire breaks after every so many messages, each time somewhere else. */
static unsigned until_cut, cuts;

static bool
cut_now_and_then(struct world *x, bool up, enum message_type type)
{
	(void)up;
	if (type == MESSAGE_HELLO || type == MESSAGE_OFFER ||
	    type == MESSAGE_BASES || type == MESSAGE_AGAIN || cuts == 9)
		return true;
	if (until_cut-- > 0)
		return true;
	world_cut(x);
	return false;
}

static void
a_lost_connection_is_made_again(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = stream.len / 2;
	w.pass = cut_now_and_then;
	w.reconnect_ms = 10000;
	until_cut = 5;
	world_begin(&w);
	for (cuts = 0; cuts < 9;) {
		int a, b;

		world_run(&w, is_lost_at_both);
		if (w.sender_over || w.receiver_over)
			fail_msg("%u: %s; %s", cuts, w.sender_why.text,
				 w.receiver_why.text);
		while (w.asked <= cuts)
			world_step(&w);
		until_cut = ++cuts % 4;
		w.asked = cuts;
		world_connect(&w, &a, &b);
		live_receiver_reconnect(w.r, b);
		live_sender_reconnect(w.s, a);
		w.channels[0].stop =
			cuts == 9 ? stream.len : stream.len / 2 + cuts * 9999;
	}
	world_run(&w, NULL);
	assert_all_is_well();
	assert_int_equal(live_sender_stats(w.s)->reconnects, 9);
}

static bool
no_sealed(struct world *x, bool up, enum message_type type)
{
	if (up || type != MESSAGE_SEALED)
		return true;
	world_cut(x);
	return false;
}

static void
once_the_guest_is_stopped_there_is_no_other(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.pass = no_sealed;
	w.reconnect_ms = 10000;
	world_begin(&w);
	world_run(&w, NULL);
	assert_int_equal(w.asked, 0);
	assert_true(w.channels[0].source_closed);
	assert_true(w.channels[0].dest_closed);
	assert_true(w.channels[0].out.len <= before_eof());
	assert_int_not_equal(w.sender_why.code, ERR_NONE);
	assert_int_not_equal(w.receiver_why.code, ERR_NONE);
}

static void
a_stranger_does_not_take_a_session_over(void **state)
{
	struct world other;
	int a, b;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.reconnect_ms = 10000;
	w.channels[0].stop = stream.len / 2;
	world_begin(&w);
	world_run(&w, some_is_there);
	/* Another sender, lost, with the secret of another session. */
	world_init(&other);
	other.reconnect_ms = 10000;
	world_channel(&other, &stream);
	other.channels[0].stop = stream.len / 2;
	world_begin(&other);
	world_run(&other, some_is_there);
	world_cut(&other);
	world_run(&other, is_lost_at_both);
	world_connect(&other, &a, &b);
	live_receiver_reconnect(w.r, b);
	while (!other.asked)
		world_step(&other);
	live_sender_reconnect(other.s, a);
	for (unsigned i = 0; i < 2000 && !other.sender_over; i++) {
		world_step(&other);
		world_step(&w);
		usleep(500);
	}
	assert_true(other.sender_over);
	if (other.sender_why.code != ERR_AUTH)
		fail_msg("%s", other.sender_why.text);
	w.channels[0].stop = stream.len;
	world_run(&w, NULL);
	assert_all_is_well();
	live_receiver_cancel(other.r, &other.sender_why);
	world_fini(&other);
}

/* What is no migration that we know is moved all the same, and said to be. */
static void
what_is_not_understood_is_copied(void **state)
{
	uint64_t seed = 3;

	(void)state;
	make_bytes(&stream, "\x16\x03\x01", 3);
	for (unsigned i = 0; i < 200000; i++)
		make_be64(&stream, test_random(&seed));
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_non_null(strstr(w.notice, "TLS"));
	assert_non_null(live_sender_stats(w.s)->opaque);
}

static void
channels_open_in_order(void **state)
{
	struct buf third;

	(void)state;
	make_guest_stream(&stream, true);
	make_multifd_init(&more);
	for (unsigned i = 0; i < 50; i++)
		make_packet(&more, 0, "pc.ram", 128, i % 8, 8, 0);
	buf_init(&third, 1 << 20);
	make_multifd_init(&third);
	world_channel(&w, &stream);
	world_channel(&w, &more);
	world_channel(&w, &third);
	w.channels[0].stop = stream.len / 2;
	world_begin(&w);
	for (unsigned i = 0; i < 300; i++)
		world_step(&w);
	w.channels[0].stop = stream.len;
	world_run(&w, NULL);
	assert_all_is_well();
	assert_int_equal(live_sender_stats(w.s)->channels, 3);
	assert_int_equal(live_sender_stats(w.s)->pages,
			 (PASSES + 1) * (MAKE_PAGES + 1) + 50 * 8);
	buf_fini(&third);
}

static void
postcopy_is_carried(void **state)
{
	(void)state;
	make_postcopy(&stream);
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_true(live_sender_stats(w.s)->postcopy);
}

/* A base that is not what both believed: a NAK, and the words. */
static void
a_base_that_lies_costs_a_second_sending(void **state)
{
	static uint8_t ours[64 * 4096], theirs[64 * 4096];
	static struct digest region;
	static struct fuzz_memory a, b;
	struct held held[2];
	uint64_t seed = 7;

	(void)state;
	make_guest_stream(&stream, true);
	for (unsigned n = 0; n < MAKE_PAGES; n++)
		for (unsigned i = 0; i < 512; i++) {
			uint64_t v = test_random(&seed);

			if (n % 5 != 0) /* as put_pages() makes the first */
				memcpy(ours + n * 4096 + i * 8, &v, 8);
		}
	make_bytes(&more, ours, 1);
	/* The words of the first pass, found in the stream itself. */
	for (size_t at = 0, n = 0; n < MAKE_PAGES && at + 4096 < stream.len;
	     at++)
		if (memcmp(stream.data + at, "\x06pc.ram", 7) == 0 &&
		    at > 200) {
			memcpy(ours + 3 * 4096, stream.data + at + 7, 4096);
			n = MAKE_PAGES;
		}
	memcpy(theirs, ours, sizeof(ours));
	memset(theirs + 3 * 4096 + 100, 0x55, 8);
	fuzz_memory(&a, ours, 17);
	fuzz_memory(&b, theirs, 17);
	held[0] = (struct held){ .base = { BASE_MEMORY, .npages = 17,
					   .memory = &a.memory },
				 .regions = &region,
				 .nregions = 1,
				 .name = "kept" };
	held[1] = held[0];
	held[1].base.memory = &b.memory;
	w.sc.held = &held[0];
	w.rc.held = &held[1];
	w.sc.nheld = w.rc.nheld = 1;
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_int_equal(live_sender_stats(w.s)->nwhole, 1);
	assert_true(live_sender_stats(w.s)->refused > 0);
	assert_int_equal(live_sender_stats(w.s)->refused,
			 live_receiver_stats(w.r)->refused);
}

/* Programs are found by what is in them, wherever they stand. */
static void
programs_are_a_base(void **state)
{
	static struct fuzz_memory m;
	static struct digest region;
	struct held held = { .base = { BASE_PROGRAMS, .npages = 16,
				       .memory = &m.memory },
			     .regions = &region,
			     .nregions = 1,
			     .name = "programs" };
	static uint8_t bytes[16 * 4096];
	uint64_t seed = 99;

	(void)state;
	for (size_t at = 0; at < sizeof(bytes); at += 8) {
		uint64_t v = test_random(&seed);

		memcpy(bytes + at, &v, 8);
	}
	make_header(&stream);
	make_start(&stream);
	make_part(&stream, 0x02, MAKE_RAM_ID);
	for (unsigned n = 0; n < MAKE_PAGES; n++) {
		make_head(&stream, 0x08, n, n ? NULL : "pc.ram");
		make_bytes(&stream, bytes + (MAKE_PAGES - n) % 16 * 4096, 4096);
	}
	make_eos(&stream);
	make_part(&stream, 0x03, MAKE_RAM_ID);
	make_eos(&stream);
	make_devices(&stream);
	make_u8(&stream, 0);
	make_description(&stream);
	fuzz_memory(&m, bytes, 16);
	w.sc.held = w.rc.held = &held;
	w.sc.nheld = w.rc.nheld = 1;
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_int_equal(live_sender_stats(w.s)->nwhole, 1);
	assert_int_equal(live_sender_stats(w.s)->plans[PLAN_REF], MAKE_PAGES);
	assert_int_equal(live_sender_stats(w.s)->refused, 0);
}

/* Whether or not it was in memory until then. */
static void
both_keep_the_same_memory(uint64_t sender_room, uint64_t receiver_room)
{
	uint8_t a[4096], b[4096];

	make_guest_stream(&stream, true);
	w.sc.keep = w.rc.keep = true;
	w.sc.room = sender_room;
	w.rc.room = receiver_room;
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_true(live_sender_stats(w.s)->kept);
	assert_true(live_receiver_stats(w.r)->kept);
	for (unsigned n = 0; n <= MAKE_PAGES; n++) {
		assert_int_equal(pread(w.sender_fd, a, 4096, n * 4096), 4096);
		assert_int_equal(pread(w.receiver_fd, b, 4096, n * 4096), 4096);
		assert_memory_equal(a, b, 4096);
	}
	assert_int_equal(pread(w.sender_fd, a, 1, 17 * 4096), 0);
}

static void
what_is_kept_was_in_files(void **state)
{
	(void)state;
	both_keep_the_same_memory(0, 0);
}

static void
what_is_kept_was_in_memory(void **state)
{
	(void)state;
	both_keep_the_same_memory(1 << 30, 1 << 30);
}

static void
what_is_kept_was_in_memory_here_and_in_a_file_there(void **state)
{
	(void)state;
	both_keep_the_same_memory(1 << 30, 0);
}

/* The guest runs there: that there is no room for a file changes nothing. */
static void
what_cannot_be_kept_is_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int fd = i ? w.receiver_fd : w.sender_fd;

		make_guest_stream(&stream, true);
		w.sc.keep = w.rc.keep = true;
		w.sc.room = w.rc.room = 1 << 30;
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
		world_channel(&w, &stream);
		world_begin(&w);
		world_run(&w, NULL);
		assert_all_is_well();
		assert_false(live_sender_stats(w.s)->kept);
		assert_false(live_receiver_stats(w.r)->kept);
		if (i == 0) {
			teardown(state);
			setup(state);
		}
	}
}

static void
one_that_keeps_nothing_is_enough(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	w.sc.keep = true;
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_false(live_sender_stats(w.s)->kept);
	assert_false(live_receiver_stats(w.r)->kept);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(what_qemu_says_comes_out_there),
		sentence(every_length_of_what_is_read_is_the_same),
		sentence(the_tail_waits_for_commit),
		sentence(qemu_here_may_end_it),
		sentence(qemu_there_may_end_it),
		sentence(a_lost_connection_is_made_again),
		sentence(once_the_guest_is_stopped_there_is_no_other),
		sentence(a_stranger_does_not_take_a_session_over),
		sentence(what_is_not_understood_is_copied),
		sentence(channels_open_in_order),
		sentence(postcopy_is_carried),
		sentence(a_base_that_lies_costs_a_second_sending),
		sentence(programs_are_a_base),
		sentence(what_is_kept_was_in_files),
		sentence(what_is_kept_was_in_memory),
		sentence(what_is_kept_was_in_memory_here_and_in_a_file_there),
		sentence(what_cannot_be_kept_is_not),
		sentence(one_that_keeps_nothing_is_enough),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
