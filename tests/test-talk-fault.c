/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tests/fault.h"
#include "tests/test.h"
#include "wire/offer.h"
#include "wire/talk.h"

/* A whole conversation, in which memory runs out at every place once: ours and
 * libevent's.  Either both ends hear all of it, or they end, with an error.
 */
#define DEAD_MS 200

struct end {
	struct talk *talk;
	bool ended;
	int heard;
	struct err why;
};

struct world {
	struct event_base *base;
	struct end a, z;
};

static void
on_opened(void *arg)
{
	(void)arg;
}

static int
on_heard(void *arg, enum message_type type, struct span body, struct err *e)
{
	struct end *end = arg;

	(void)type, (void)body, (void)e;
	end->heard++;
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
	end->why.code = ERR_NONE;
	if (why)
		end->why = *why;
}

static int
begin(struct world *w, enum session_role role, int fd, struct end *end,
      struct err *e)
{
	const struct talk_config config = { .role = role,
					    .opened = on_opened,
					    .heard = on_heard,
					    .drained = on_drained,
					    .ended = on_ended,
					    .arg = end };
	const struct link_config link = { .base = w->base, .dead_ms = DEAD_MS };

	end->talk = talk_accept(&config, &link, fd, NULL, e);
	return end->talk ? 0 : -1;
}

static bool
is_open(const struct end *end)
{
	return talk_session(end->talk)->state == SESSION_BASES;
}

/* Lets things happen until that is so, or an end has ended. */
static bool
wait_for(struct world *w, bool (*fn)(const struct world *w))
{
	uint64_t until = clock_wall_ns() + 10000000000u;

	while (!fn(w)) {
		if (w->a.ended || w->z.ended)
			return false;
		if (clock_wall_ns() > until)
			fail_msg("nothing happens");
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
	return true;
}

static bool
both_are_open(const struct world *w)
{
	return is_open(&w->a) && is_open(&w->z);
}

static bool
both_have_heard(const struct world *w)
{
	return w->z.heard == 2 && w->a.heard == 20;
}

static bool
both_have_ended(const struct world *w)
{
	return w->a.ended && w->z.ended;
}

static int
converse(struct world *w, struct err *e)
{
	static const struct digest digests[1000];
	const struct want want = { 0, 0, 1 };
	struct buf b;

	if (!wait_for(w, both_are_open))
		return 0;
	for (int i = 0; i < 2; i++)
		if (want_put(talk_out(w->a.talk), &want, e) < 0 ||
		    talk_say(w->a.talk, e) < 0)
			return -1;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 20; i++)
		if (regions_put(&b, digests, 1000, e) < 0) {
			buf_fini(&b);
			return -1;
		}
	if (talk_give(w->z.talk, b.data, b.len, e) < 0)
		return -1;
	wait_for(w, both_have_heard);
	return 0;
}

static int
talk_it_over(struct world *w, struct err *e)
{
	int fds[2], ret;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	if (begin(w, SESSION_SENDER, fds[0], &w->a, e) < 0) {
		close(fds[1]);
		return -1;
	}
	if (begin(w, SESSION_RECEIVER, fds[1], &w->z, e) < 0)
		return -1;
	ret = converse(w, e);
	if (ret < 0)
		talk_abort(w->a.talk, e);
	else if (!w->a.ended && !w->z.ended) {
		assert_true(both_have_heard(w));
		talk_close(w->a.talk);
		talk_close(w->z.talk);
	}
	return ret;
}

/* 0 if all was said and heard. */
static int
conversation(uint64_t n, bool all, bool *failed)
{
	struct world w = { .base = event_base_new() };
	struct err e;
	int ret;

	fault_begin(n, all);
	ret = talk_it_over(&w, &e);
	if (ret == 0) {
		uint64_t until = clock_wall_ns() + 10000000000u;

		while (!both_have_ended(&w) && clock_wall_ns() < until)
			event_base_loop(w.base, EVLOOP_NONBLOCK);
		assert_true(both_have_ended(&w));
		ret = w.a.why.code || w.z.why.code ? -1 : 0;
	}
	*failed = fault_end();
	talk_free(w.a.talk);
	talk_free(w.z.talk);
	event_base_free(w.base);
	return ret;
}

static void
it_goes_well_or_ends(void **state)
{
	unsigned well = 0, ended = 0;

	(void)state;
	for (unsigned all = 0; all < 2; all++) {
		bool failed = true;

		for (uint64_t n = 1; failed; n++) {
			int64_t held = fault_held();
			int ret = conversation(n, all, &failed);

			assert_int_equal(fault_held(), held);
			if (!failed)
				assert_int_equal(ret, 0);
			else if (ret < 0)
				ended++;
			else
				well++;
		}
	}
	print_message("# %u ended, %u went well all the same\n", ended, well);
	assert_true(ended > 50);
}

static int
setup(void **state)
{
	(void)state;
	fault_libevent();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_well_or_ends),
	};

	return cmocka_run_group_tests_name("talk-fault", tests, setup, NULL);
}
