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
	bool opened, ended, refuse, keep, close;
	int heard, drained, code;
	enum message_type last;
	uint64_t bytes;
	struct err why;
};

struct world {
	struct event_base *base;
	struct end a, z; /* sender, receiver */
	int raw;         /* a stranger's, instead of one of them */
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
	if (end->keep)
		free(talk_keep(end->talk));
	if (end->close)
		talk_close(end->talk);
	if (end->refuse)
		return err_set(e, ERR_LIMIT, "no room");
	return 0;
}

static void
on_drained(void *arg)
{
	((struct end *)arg)->drained++;
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
	const struct talk_config config = { .role = role,
					    .opened = on_opened,
					    .heard = on_heard,
					    .drained = on_drained,
					    .ended = on_ended,
					    .arg = end };
	/* A second, but for who tries our patience. */
	const struct link_config link = { .base = w->base,
					  .dead_ms = w->raw >= 0 ? 1000 : 0 };
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

static struct want one_region = { 0, 0, 1 };
static const struct hello hello = { HELLO_VERSION, HELLO_OLDEST_VERSION, 0,
				    HELLO_MEMORY_IMAGE };

static void
say_want(struct talk *t)
{
	struct err e;

	assert_ok(want_put(talk_out(t), &one_region, &e), &e);
	say(t);
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

	(void)state;
	open_both(&w);
	w.z.refuse = true;
	say_want(w.a.talk);
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

/* Hears are cut off by a close, whatever came with them. */
static void
nothing_is_heard_after_a_close(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	open_both(&w);
	w.z.close = true;
	for (int i = 0; i < 3; i++)
		assert_ok(want_put(talk_out(w.a.talk), &one_region, &e), &e);
	say(w.a.talk);
	run_until(&w, &w.a.ended);
	assert_int_equal(w.z.heard, 1);
	talk_abort(w.z.talk, &w.a.why); /* too late */
	talk_free(w.a.talk);
	w.a.talk = NULL;
	run_until(&w, &w.z.ended);
	assert_int_equal(w.z.code, ERR_NONE);
	world_fini(&w);
}

static void
bodies_can_be_kept_and_given(void **state)
{
	const struct digest digest = { { 1 } };
	struct world w;
	struct buf b;
	struct err e;

	(void)state;
	open_both(&w);
	w.a.keep = true;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 3; i++)
		assert_ok(regions_put(&b, &digest, 1, &e), &e);
	assert_ok(talk_give(w.z.talk, b.data, b.len, &e), &e);
	while (w.a.heard < 3 && !w.a.ended)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_int_equal(w.a.bytes, 3 * DIGEST_BYTES);
	world_fini(&w);
}

static void
a_full_end_is_told_when_it_drains(void **state)
{
	static const struct digest digests[1000];
	struct world w;
	struct err e;

	(void)state;
	for (int closing = 0; closing < 2; closing++) {
		open_both(&w);
		while (!talk_is_full(w.z.talk)) {
			assert_ok(regions_put(talk_out(w.z.talk), digests, 1000,
					      &e),
				  &e);
			say(w.z.talk);
		}
		talk_resume(w.a.talk); /* it was not paused */
		if (closing)
			talk_close(w.z.talk);
		/* Reading stopped meanwhile: what came is heard afterwards. */
		say_want(w.a.talk);
		while (!w.a.ended && (closing || !w.z.heard || !w.z.drained))
			event_base_loop(w.base, EVLOOP_ONCE);
		assert_int_equal(w.z.drained, !closing);
		assert_int_equal(w.z.heard, !closing);
		world_fini(&w);
	}
}

static void
a_talk_may_end_before_it_begins(void **state)
{
	struct world w;
	struct err why;

	(void)state;
	world_init(&w, false);
	(void)err_set(&why, ERR_CANCELLED, "stopped");
	talk_abort(w.a.talk, &why);
	talk_abort(w.a.talk, &why);
	assert_true(w.a.ended);
	assert_int_equal(w.a.code, ERR_CANCELLED);
	world_fini(&w);
}

static void
a_connection_that_breaks_is_an_error(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, true);
	while (!link_sent(talk_link(w.z.talk)))
		event_base_loop(w.base, EVLOOP_ONCE);
	close(w.raw); /* with our HELLO unread: a reset */
	w.raw = -1;
	run_until(&w, &w.z.ended);
	assert_int_equal(w.z.code, ERR_SYSTEM);
	assert_non_null(strstr(w.z.why.text, "reset"));
	world_fini(&w);
}

/* The stranger's bytes until all are out or the talk has ended. */
static void
write_all(struct world *w, const struct end *end, const uint8_t *at, size_t n)
{
	while (n > 0 && !end->ended) {
		ssize_t done = send(w->raw, at, n, MSG_DONTWAIT);

		if (done > 0) {
			at += done;
			n -= (size_t)done;
		}
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
}

static void
who_does_not_say_who_it_is_is_not_waited_for(void **state)
{
	struct world w;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 100);
	assert_ok(message_put_u64(&b, MESSAGE_PING, 1, &e), &e);
	for (int talks = 0; talks < 2; talks++) {
		world_init(&w, true);
		while (talk_session(w.z.talk)->state != SESSION_ABORT) {
			if (talks)
				write_all(&w, &w.z, b.data, b.len);
			event_base_loop(w.base, EVLOOP_ONCE);
		}
		shutdown(w.raw, SHUT_RDWR);
		run_until(&w, &w.z.ended);
		assert_int_equal(w.z.code, ERR_LIMIT);
		world_fini(&w);
	}
	buf_fini(&b);
}

/* One byte now and then says nothing; but a large message may take its time. */
static void
who_drips_is_not_waited_for(void **state)
{
	const uint8_t head[] = { MESSAGE_LAYOUT, 0, 0, 1, 0 }; /* 64 KiB */
	static const uint8_t some[TALK_SLOW_BYTES];
	const struct timeval step = { .tv_usec = 400000 };
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1000);
	assert_ok(hello_put(&b, &hello, &e), &e);
	assert_ok(buf_put(&b, head, sizeof(head), &e), &e);
	for (int slow = 0; slow < 2; slow++) {
		struct world w;

		world_init(&w, true);
		write_all(&w, &w.z, b.data, b.len);
		for (int i = 0; i < 10; i++) {
			write_all(&w, &w.z, some, slow ? sizeof(some) : 1);
			event_base_loopexit(w.base, &step);
			event_base_dispatch(w.base);
		}
		assert_true(w.z.opened);
		assert_int_equal(talk_session(w.z.talk)->state,
				 slow ? SESSION_BASES : SESSION_ABORT);
		shutdown(w.raw, SHUT_RDWR);
		run_until(&w, &w.z.ended);
		assert_int_equal(w.z.code, slow ? ERR_SYSTEM : ERR_LIMIT);
		world_fini(&w);
	}
	buf_fini(&b);
}

/* A million bytes of questions, from one who reads no answer. */
static void
answers_do_not_pile_up(void **state)
{
	struct world w;
	struct buf b;
	struct err e;
	int fds[2];

	(void)state;
	buf_init(&b, 8 << 20);
	assert_ok(hello_put(&b, &hello, &e), &e);
	assert_ok(message_put_u64(&b, MESSAGE_PONG, UINT64_MAX, &e), &e);
	for (unsigned i = 0; i < 300000; i++)
		assert_ok(message_put_u64(&b, MESSAGE_PING, i, &e), &e);
	w = (struct world){ .base = event_base_new() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w.raw = fds[0];
	w.a.talk = start(&w, SESSION_SENDER, fds[1], &w.a);
	write_all(&w, &w.a, b.data, b.len);
	while (link_received(talk_link(w.a.talk)) < b.len && !w.a.ended)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_false(w.a.ended);
	assert_in_range(link_queued(talk_link(w.a.talk)), LINK_HIGH,
			LINK_HIGH + 4096);
	buf_fini(&b);
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
	const struct hello purpose = { HELLO_VERSION, HELLO_OLDEST_VERSION, 0,
				       77 };
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
		cmocka_unit_test(a_paused_end_hears_later),
		cmocka_unit_test(
			a_receiver_stops_hearing_whom_it_cannot_answer),
		cmocka_unit_test(strangers_do_not_get_in),
		cmocka_unit_test(nothing_is_heard_after_a_close),
		cmocka_unit_test(bodies_can_be_kept_and_given),
		cmocka_unit_test(a_full_end_is_told_when_it_drains),
		cmocka_unit_test(a_talk_may_end_before_it_begins),
		cmocka_unit_test(a_connection_that_breaks_is_an_error),
		cmocka_unit_test(who_does_not_say_who_it_is_is_not_waited_for),
		cmocka_unit_test(who_drips_is_not_waited_for),
		cmocka_unit_test(answers_do_not_pile_up),
	};

	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
