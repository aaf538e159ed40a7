/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "tests/live-guest.h"

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
what_qemu_says_comes_out_there(void **state)
{
	const struct live_sender_stats *s;
	uint64_t paused_ns;

	(void)state;
	guest_begin(true);
	all_arrives();
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
	paused_ns = s->paused_ns;
	usleep(1000);
	assert_true(paused_ns > 0);
	assert_int_equal(live_sender_stats(w.s)->paused_ns, paused_ns);
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
	all_arrives();
}

static void
what_is_only_passed_on_is_no_history(void **state)
{
	const struct live_sender_stats *s;

	(void)state;
	w.sc.effort = effort_by_name("lz4", &w.sender_why);
	guest_begin(true);
	all_arrives();
	s = live_sender_stats(w.s);
	assert_int_equal(s->plans[PLAN_DELTA] + s->plans[PLAN_REF], 0);
	assert_int_equal(s->refused, 0);
}

static bool
all_but_a_record_is_there(const struct world *x)
{
	return x->channels[0].out.len + 8192 > x->channels[0].stop;
}

/* What is kept is referred to, however much was passed on since: both ends
 * hold the same.
 */
static void
now_and_then_something_is_kept(void **state)
{
	struct effort effort = *w.sc.effort;
	const struct live_sender_stats *s;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = 0;
	w.sc.effort = &effort;
	world_begin(&w);
	while (w.channels[0].stop + 50000 < before_eof()) {
		w.channels[0].stop += 50000;
		world_run(&w, all_but_a_record_is_there);
		effort.keeps = !effort.keeps;
	}
	w.channels[0].stop = stream.len;
	all_arrives();
	s = live_sender_stats(w.s);
	assert_true(s->plans[PLAN_DELTA] > 50);
	assert_int_equal(s->refused, 0);
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
	w.pass = no_commit;
	guest_begin(true);
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

static void
qemu_here_may_end_it(void **state)
{
	(void)state;
	guest_begin(false);
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
	guest_begin(false);
	world_run(&w, some_is_there);
	world_close_dest(&w.channels[0]);
	world_run(&w, NULL);
	assert_true(w.channels[0].source_closed);
	assert_int_equal(w.sender_why.code, ERR_CANCELLED);
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
	all_arrives();
	assert_int_equal(live_sender_stats(w.s)->reconnects, 9);
}

static bool
no_channel(struct world *x, bool up, enum message_type type)
{
	(void)x;
	return up || type != MESSAGE_CHANNEL;
}

/* The sender does not hear that it is over. */
static void
nobody_waits_for_another_when_qemu_there_is_gone(void **state)
{
	(void)state;
	w.reconnect_ms = 1000 * 1000;
	w.pass = no_channel;
	guest_begin(false);
	world_run(&w, some_is_there);
	world_close_dest(&w.channels[0]);
	for (unsigned i = 0; i < 50; i++)
		world_step(&w);
	assert_false(w.receiver_over);
	world_cut(&w);
	world_run(&w, receiver_is_over);
	assert_int_not_equal(w.receiver_why.code, ERR_NONE);
	live_sender_cancel(w.s, &w.receiver_why);
}

/* Not even where so much is under way that QEMU is not listened to. */
static void
nobody_waits_for_another_when_qemu_here_is_gone(void **state)
{
	(void)state;
	make_guest_stream(&stream, false);
	make_part(&stream, 0x02, MAKE_RAM_ID);
	for (unsigned i = 0; i < 2000; i++)
		make_page(&stream, i % MAKE_PAGES, "pc.ram", (uint8_t)i);
	world_channel(&w, &stream);
	w.reconnect_ms = 1000 * 1000;
	world_begin(&w);
	world_run(&w, some_is_there);
	world_cut(&w);
	world_run(&w, is_lost_at_both);
	for (unsigned i = 0; i < 300; i++) {
		world_step(&w);
		usleep(500);
	}
	assert_false(w.sender_over);
	assert_true(w.channels[0].said < stream.len);
	world_close_source(&w.channels[0]);
	world_run(&w, sender_is_over);
	assert_int_equal(w.sender_why.code, ERR_CANCELLED);
	world_close_dest(&w.channels[0]);
	world_run(&w, receiver_is_over);
	assert_int_equal(w.receiver_why.code, ERR_CANCELLED);
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
	w.pass = no_sealed;
	w.reconnect_ms = 10000;
	guest_begin(true);
	world_run(&w, NULL);
	assert_int_equal(w.asked, 0);
	assert_true(w.channels[0].source_closed);
	assert_true(w.channels[0].dest_closed);
	assert_true(w.channels[0].out.len <= before_eof());
	assert_int_not_equal(w.sender_why.code, ERR_NONE);
	assert_int_not_equal(w.receiver_why.code, ERR_NONE);
}

static bool silent;

static bool
nothing_once_it_is_silent(struct world *x, bool up, enum message_type type)
{
	(void)x, (void)up, (void)type;
	return !silent;
}

static bool
the_guest_is_stopped(const struct world *x)
{
	return live_sender_stats(x->s)->paused;
}

/* A cable that carries nothing any more, and does not say so. */
static void
once_the_guest_is_stopped_silence_is_short(void **state)
{
	uint64_t since;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = before_eof();
	w.pass = nothing_once_it_is_silent;
	w.reconnect_ms = 10000;
	silent = false;
	world_begin(&w);
	world_run(&w, the_guest_is_stopped);
	silent = true;
	since = clock_wall_ns();
	world_run(&w, sender_is_over);
	assert_in_range(clock_wall_ns() - since, 2000000000, 6000000000);
	assert_int_equal(w.asked, 0);
	assert_true(w.channels[0].source_closed);
	live_receiver_cancel(w.r, &w.sender_why);
	world_run(&w, receiver_is_over);
	assert_true(w.channels[0].dest_closed);
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
	all_arrives();
	live_receiver_cancel(other.r, &other.sender_why);
	world_fini(&other);
}

/* QEMU falls silent inside of a page: what there is arrives, and what comes
 * later is understood again.
 */
static void
a_pause_inside_of_a_page_is_not_the_end_of_it(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = stream.len / 2;
	world_begin(&w);
	world_run(&w, all_said_is_there);
	w.channels[0].stop = stream.len;
	all_arrives();
	assert_null(live_sender_stats(w.s)->opaque);
	assert_int_equal(live_sender_stats(w.s)->pages,
			 PASSES * (MAKE_PAGES + 1) + MAKE_PAGES);
}

/* Where the head of a page begins, after that many bytes. */
static size_t
head_behind(size_t at)
{
	struct buf head;
	const uint8_t *found;

	buf_init(&head, 16);
	make_head(&head, 0x08, 5, NULL);
	found = memmem(stream.data + at, stream.len - at, head.data, head.len);
	buf_fini(&head);
	assert_non_null(found);
	return (size_t)(found - stream.data);
}

/* And inside of what stands before a page: that page is copied, no more. */
static void
a_pause_inside_of_a_head_is_not_the_end_of_it(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = head_behind(stream.len / 2) + 3;
	world_begin(&w);
	world_run(&w, all_said_is_there);
	w.channels[0].stop = stream.len;
	world_run(&w, NULL);
	assert_all_is_well();
	assert_null(live_sender_stats(w.s)->opaque);
	assert_int_equal(live_sender_stats(w.s)->pages,
			 PASSES * (MAKE_PAGES + 1) + MAKE_PAGES);
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
	all_arrives();
	assert_non_null(strstr(w.notice, "migrate without"));
	assert_string_equal(live_sender_stats(w.s)->opaque,
			    "encrypted by QEMU (TLS)");
}

/* That QEMU does not encode what it sends would not help. */
static void
advice_is_given_only_where_it_helps(void **state)
{
	(void)state;
	make_bytes(&stream, "GET / HTTP/1.1\r\n\r\n", 18);
	world_channel(&w, &stream);
	world_begin(&w);
	all_arrives();
	assert_non_null(strstr(w.notice, "not the beginning of a migration"));
	assert_null(strstr(w.notice, "TLS"));
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
	all_arrives();
	assert_int_equal(live_sender_stats(w.s)->channels, 3);
	assert_int_equal(live_sender_stats(w.s)->pages,
			 (PASSES + 1) * (MAKE_PAGES + 1) + 50 * 8);
	buf_fini(&third);
}

/* All of its list: where that comes in two pieces, too. */
static void
other_channels_wait_for_the_ram(void **state)
{
	static const char second[] = "vga.vram";
	const uint8_t *in_list;

	(void)state;
	make_guest_stream(&stream, true);
	in_list = memmem(stream.data, stream.len, second, strlen(second));
	make_multifd_init(&more);
	for (unsigned i = 0; i < 50; i++)
		make_packet(&more, 0, "pc.ram", 128, i % 8, 8, 0);
	world_channel(&w, &stream);
	world_channel(&w, &more);
	w.channels[0].stop = 0;
	world_begin(&w);
	for (unsigned i = 0; i < 300; i++)
		world_step(&w);
	w.channels[0].stop = (size_t)(in_list - stream.data) + 3;
	for (unsigned i = 0; i < 300; i++)
		world_step(&w);
	w.channels[0].stop = stream.len;
	all_arrives();
	assert_true(live_sender_stats(w.s)->pages >=
		    (PASSES + 1) * (MAKE_PAGES + 1) + 50 * 8);
}

static void
postcopy_is_carried(void **state)
{
	(void)state;
	make_postcopy(&stream);
	world_channel(&w, &stream);
	world_begin(&w);
	all_arrives();
	assert_true(live_sender_stats(w.s)->postcopy);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(what_qemu_says_comes_out_there),
		sentence(every_length_of_what_is_read_is_the_same),
		sentence(what_is_only_passed_on_is_no_history),
		sentence(now_and_then_something_is_kept),
		sentence(the_tail_waits_for_commit),
		sentence(qemu_here_may_end_it),
		sentence(qemu_there_may_end_it),
		sentence(a_lost_connection_is_made_again),
		sentence(nobody_waits_for_another_when_qemu_there_is_gone),
		sentence(nobody_waits_for_another_when_qemu_here_is_gone),
		sentence(once_the_guest_is_stopped_there_is_no_other),
		sentence(once_the_guest_is_stopped_silence_is_short),
		sentence(a_stranger_does_not_take_a_session_over),
		sentence(a_pause_inside_of_a_page_is_not_the_end_of_it),
		sentence(a_pause_inside_of_a_head_is_not_the_end_of_it),
		sentence(what_is_not_understood_is_copied),
		sentence(advice_is_given_only_where_it_helps),
		sentence(channels_open_in_order),
		sentence(other_channels_wait_for_the_ram),
		sentence(postcopy_is_carried),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
