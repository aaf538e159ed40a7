/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tests/test.h"
#include "wire/hello.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/talk.h"

struct end {
	struct talk *talk;
	bool opened, ended, refuse;
	int heard, code;
	enum message_type last;
	uint64_t bytes;
	struct err why;
};

struct world {
	struct event_base *base;
	struct end a, z; /* sender, receiver */
	int raw;         /* instead of a sender: what a stranger writes to */
};

static void
on_opened(void *arg)
{
	((struct end *)arg)->opened = true;
}

static int
on_heard(void *arg, enum message_type type, struct span body, struct err *e)
{
	struct end *end = arg;

	end->heard++;
	end->last = type;
	end->bytes += body.left;
	if (end->refuse)
		return err_set(e, ERR_LIMIT, "no room");
	return 0;
}

static void
on_drained(void *arg)
{
	(void)arg;
}

static void
on_ended(void *arg, const struct err *why)
{
	struct end *end = arg;

	assert_false(end->ended);
	end->ended = true;
	end->code = why ? (int)why->code : ERR_NONE;
	if (why)
		end->why = *why;
}

static struct talk *
start(struct world *w, enum session_role role, int fd, struct end *end)
{
	const struct talk_config config = { role,       on_opened, on_heard,
					    on_drained, on_ended,  end };
	const struct link_config link = { .base = w->base };
	struct err e;
	struct talk *t = talk_accept(&config, &link, fd, NULL, &e);

	assert_non_null(t);
	return t;
}

static void
world_init(struct world *w, bool stranger)
{
	int fds[2];

	*w = (struct world){ .base = event_base_new(), .raw = -1 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	if (stranger)
		w->raw = fds[0];
	else
		w->a.talk = start(w, SESSION_SENDER, fds[0], &w->a);
	w->z.talk = start(w, SESSION_RECEIVER, fds[1], &w->z);
}

static void
world_fini(struct world *w)
{
	talk_free(w->a.talk);
	talk_free(w->z.talk);
	if (w->raw >= 0)
		close(w->raw);
	event_base_free(w->base);
}

static void
run_until(struct world *w, const bool *flag)
{
	uint64_t until = clock_wall_ns() + 20000000000u;

	while (!*flag) {
		if (clock_wall_ns() > until)
			fail_msg("nothing happens");
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

static void
open_both(struct world *w)
{
	world_init(w, false);
	run_until(w, &w->a.opened);
	run_until(w, &w->z.opened);
}

static void
say(struct talk *t)
{
	struct err e;

	assert_ok(talk_say(t, &e), &e);
}

static void
hellos_open_and_a_close_ends_both(void **state)
{
	struct world w;

	(void)state;
	open_both(&w);
	assert_int_equal(talk_session(w.a.talk)->state, SESSION_BASES);
	assert_int_equal(talk_session(w.z.talk)->state, SESSION_BASES);
	talk_close(w.a.talk);
	talk_close(w.z.talk);
	run_until(&w, &w.a.ended);
	run_until(&w, &w.z.ended);
	assert_int_equal(w.a.code, ERR_NONE);
	assert_int_equal(w.z.code, ERR_NONE);
	world_fini(&w);
}

static void
an_error_reaches_the_other_end(void **state)
{
	struct world w;
	struct err why;

	(void)state;
	open_both(&w);
	(void)err_set(&why, ERR_CANCELLED, "stopped by the user");
	talk_abort(w.a.talk, &why);
	run_until(&w, &w.z.ended);
	assert_int_equal(w.z.code, ERR_CANCELLED);
	assert_string_equal(w.z.why.text,
			    "the sender says: stopped by the user");
	talk_free(w.z.talk);
	w.z.talk = NULL;
	run_until(&w, &w.a.ended);
	assert_int_equal(w.a.code, ERR_CANCELLED);
	assert_int_equal(talk_session(w.a.talk)->state, SESSION_ABORT);
	world_fini(&w);
}

static void
what_the_owner_refuses_ends_the_talk(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	open_both(&w);
	w.z.refuse = true;
	assert_ok(want_put(talk_out(w.a.talk), &(struct want){ 0, 0, 1 }, &e),
		  &e);
	say(w.a.talk);
	run_until(&w, &w.a.ended);
	assert_int_equal(w.a.code, ERR_LIMIT);
	assert_string_equal(w.a.why.text, "the receiver says: no room");
	world_fini(&w);
}

static void
a_message_out_of_its_time_ends_the_talk(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	open_both(&w);
	assert_ok(message_put_u32(talk_out(w.a.talk), MESSAGE_ACK, 1, &e), &e);
	say(w.a.talk);
	run_until(&w, &w.a.ended);
	assert_int_equal(w.a.code, ERR_PROTOCOL);
	assert_int_equal(w.z.heard, 0);
	world_fini(&w);
}

static void
a_peer_that_goes_without_a_word_is_an_error(void **state)
{
	struct world w;

	(void)state;
	open_both(&w);
	talk_free(w.a.talk);
	w.a.talk = NULL;
	run_until(&w, &w.z.ended);
	assert_int_equal(w.z.code, ERR_SYSTEM);
	world_fini(&w);
}

static void
pings_are_answered(void **state)
{
	struct world w;
	uint64_t until = clock_wall_ns() + 5000000000u;

	(void)state;
	open_both(&w);
	while (!talk_rtt_ns(w.a.talk) || !talk_rtt_ns(w.z.talk)) {
		if (clock_wall_ns() > until)
			fail_msg("no answer");
		event_base_loop(w.base, EVLOOP_ONCE);
	}
	assert_in_range(talk_rtt_ns(w.a.talk), 1, 4000000000u);
	assert_false(w.a.ended || w.z.ended);
	world_fini(&w);
}

static void
a_paused_end_hears_later(void **state)
{
	const struct timeval ms = { .tv_usec = 30000 };
	const struct digest digests[100] = { { { 0 } } };
	struct world w;
	struct err e;

	(void)state;
	open_both(&w);
	talk_pause(w.a.talk);
	for (int i = 0; i < 500; i++) {
		assert_ok(regions_put(talk_out(w.z.talk), digests, 100, &e),
			  &e);
		say(w.z.talk);
	}
	event_base_loopexit(w.base, &ms);
	event_base_dispatch(w.base);
	assert_int_equal(w.a.heard, 0);
	talk_resume(w.a.talk);
	while (w.a.heard < 500 && !w.a.ended)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_int_equal(w.a.heard, 500);
	assert_int_equal(w.a.bytes, 500 * 3200);
	world_fini(&w);
}

/* A sender that asks and asks but does not read the answers must not fill the
 * receiver's memory.
 */
static void
a_receiver_stops_hearing_whom_it_cannot_answer(void **state)
{
	const struct timeval ms = { .tv_usec = 50000 };
	const struct digest digests[1000] = { { { 0 } } };
	struct world w;
	struct err e;
	int before;

	(void)state;
	open_both(&w);
	talk_pause(w.a.talk);
	while (!talk_is_full(w.z.talk)) {
		assert_ok(regions_put(talk_out(w.z.talk), digests, 1000, &e),
			  &e);
		say(w.z.talk);
	}
	for (int i = 0; i < 100; i++)
		assert_ok(want_put(talk_out(w.a.talk),
				   &(struct want){ 0, 0, 1 }, &e),
			  &e);
	say(w.a.talk);
	event_base_loopexit(w.base, &ms);
	event_base_dispatch(w.base);
	before = w.z.heard;
	assert_int_not_equal(before, 100);
	talk_resume(w.a.talk);
	while (w.z.heard < 100 && !w.z.ended)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_int_equal(w.z.heard, 100);
	world_fini(&w);
}

static void
check_stranger(const void *bytes, size_t n, enum err_code code)
{
	struct world w;

	world_init(&w, true);
	assert_int_equal(write(w.raw, bytes, n), n);
	shutdown(w.raw, SHUT_WR);
	run_until(&w, &w.z.ended);
	assert_int_equal(w.z.code, code);
	assert_false(w.z.opened);
	world_fini(&w);
}

static void
strangers_do_not_get_in(void **state)
{
	const struct hello other = { 9, 8, 0, HELLO_MEMORY_IMAGE };
	const struct hello purpose = { 1, 1, 0, 77 };
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1000);
	check_stranger("GET / HTTP/1.1\r\n\r\n", 18, ERR_PROTOCOL);
	check_stranger("\x16\x03\x01\x02\x00\x01", 6, ERR_AUTH);
	check_stranger("", 0, ERR_SYSTEM);
	check_stranger("\x01\x11\x00\x00\x00virt-mog\x01\x00\x01\x00....\x01",
		       22, ERR_PROTOCOL);
	check_stranger("\x01\x11\x00\x00\x00virt", 9, ERR_SYSTEM);
	check_stranger("\x0f\x08\x00\x00\x00zzzzzzzz\x01\x00", 15, ERR_SYSTEM);
	assert_ok(hello_put(&b, &other, &e), &e);
	check_stranger(b.data, b.len, ERR_VERSION);
	buf_reset(&b);
	assert_ok(hello_put(&b, &purpose, &e), &e);
	check_stranger(b.data, b.len, ERR_PROTOCOL);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_open_and_a_close_ends_both),
		cmocka_unit_test(an_error_reaches_the_other_end),
		cmocka_unit_test(what_the_owner_refuses_ends_the_talk),
		cmocka_unit_test(a_message_out_of_its_time_ends_the_talk),
		cmocka_unit_test(a_peer_that_goes_without_a_word_is_an_error),
		cmocka_unit_test(pings_are_answered),
		cmocka_unit_test(a_paused_end_hears_later),
		cmocka_unit_test(
			a_receiver_stops_hearing_whom_it_cannot_answer),
		cmocka_unit_test(strangers_do_not_get_in),
	};

	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
