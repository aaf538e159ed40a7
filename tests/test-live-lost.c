/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a migration whose connection is lost, and is not made again
 * at once.
 */
#include "config.h"

#include <signal.h>
#include <string.h>

#include "tests/live-guest.h"

/* How many others the sender asks for meanwhile. */
static unsigned
asks_within(unsigned ms)
{
	uint64_t until = clock_wall_ns() + ms * 1000000ull;
	unsigned before = w.asked;

	while (clock_wall_ns() < until)
		world_step(&w);
	return w.asked - before;
}

/* Somebody there who accepts, and hangs up. */
static void
who_hangs_up_at_once_is_not_called_at_once(void **state)
{
	int a, b;

	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = stream.len / 2;
	w.reconnect_ms = 10000;
	world_begin(&w);
	world_run(&w, all_said_is_there);
	world_cut(&w);
	world_run(&w, is_lost_at_both);
	(void)asks_within(200);
	assert_int_equal(w.asked, 1);
	for (unsigned i = 0; i < 2; i++) {
		world_connect(&w, &a, &b);
		close(b);
		world_cut(&w);
		live_sender_reconnect(w.s, a);
		assert_int_equal(asks_within(700), 0);
		assert_int_equal(asks_within(600), 1);
	}
	world_connect(&w, &a, &b);
	live_receiver_reconnect(w.r, b);
	live_sender_reconnect(w.s, a);
	w.channels[0].stop = stream.len;
	all_arrives();
	assert_int_equal(live_sender_stats(w.s)->reconnects, 1);
}

/* Long before it has waited as long as it may. */
static void
a_guest_that_stops_meanwhile_is_why_it_ends(void **state)
{
	(void)state;
	make_guest_stream(&stream, false);
	make_guest_stream(&more, true);
	world_channel(&w, &more);
	w.channels[0].stop = stream.len;
	w.reconnect_ms = 1000 * 1000;
	world_begin(&w);
	world_run(&w, all_said_is_there);
	world_cut(&w);
	world_run(&w, is_lost_at_both);
	w.channels[0].stop = more.len;
	world_run(&w, sender_is_over);
	if (!strstr(w.sender_why.text, "the guest stopped while") ||
	    strstr(w.sender_why.text, "seconds"))
		fail_msg("%s", w.sender_why.text);
	live_receiver_cancel(w.r, &w.sender_why);
	world_run(&w, receiver_is_over);
}

static void
who_waits_too_long_says_how_long(void **state)
{
	(void)state;
	make_guest_stream(&stream, true);
	world_channel(&w, &stream);
	w.channels[0].stop = stream.len / 2;
	w.reconnect_ms = 1000;
	world_begin(&w);
	world_run(&w, all_said_is_there);
	world_cut(&w);
	world_run(&w, NULL);
	if (!strstr(w.sender_why.text, "no new connection for 1 seconds"))
		fail_msg("%s", w.sender_why.text);
	assert_true(w.channels[0].source_closed);
	assert_true(w.channels[0].dest_closed);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(who_hangs_up_at_once_is_not_called_at_once),
		sentence(a_guest_that_stops_meanwhile_is_why_it_ends),
		sentence(who_waits_too_long_says_how_long),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("live-lost", tests, NULL, NULL);
}
