/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/test.h"
#include "wire/hello.h"
#include "wire/talk.h"

/* A receiver, and a stranger who says who he is and then the same message over
 * and over.
 */
#define IDLE_S 2

static void
on_opened(void *arg)
{
	(void)arg;
}

static int
on_heard(void *arg, enum message_type type, struct span body, struct err *e)
{
	(void)arg, (void)type, (void)body, (void)e;
	return 0;
}

static void
on_drained(void *arg)
{
	(void)arg;
}

static void
on_ended(void *arg, const struct err *e)
{
	(void)arg;
	if (e)
		assert_int_equal(e->code, ERR_LIMIT);
}

/* What the stranger heard. */
static unsigned pings, pongs;

static void
hear(int stranger)
{
	static const uint8_t ping[] = { MESSAGE_PING, 8, 0, 0, 0 },
			     pong[] = { MESSAGE_PONG, 8, 0, 0, 0, 1 };
	char heard[4096];
	ssize_t n = recv(stranger, heard, sizeof(heard), MSG_DONTWAIT);

	if (n <= 0)
		return;
	pings += memmem(heard, (size_t)n, ping, sizeof(ping)) != NULL;
	pongs += memmem(heard, (size_t)n, pong, sizeof(pong)) != NULL;
}

/* Says it every 100 ms for that long, and whether he is still listened to. */
static bool
goes_on(struct talk *t, struct event_base *base, int stranger,
	const struct buf *message, unsigned ms)
{
	const struct timeval step = { .tv_usec = 100000 };

	for (unsigned i = 0; i < ms / 100; i++) {
		if (send(stranger, message->data, message->len, MSG_NOSIGNAL) <
		    0)
			break;
		event_base_loopexit(base, &step);
		event_base_dispatch(base);
		hear(stranger);
		if (talk_session(t)->state == SESSION_ABORT)
			return false;
	}
	return true;
}

static void
check(enum message_type type, bool listened_to)
{
	const struct talk_config config = { .role = SESSION_RECEIVER,
					    .idle_s = IDLE_S,
					    .opened = on_opened,
					    .heard = on_heard,
					    .drained = on_drained,
					    .ended = on_ended };
	const struct hello hello = { .version = HELLO_VERSION,
				     .oldest = HELLO_OLDEST_VERSION,
				     .purpose = HELLO_MEMORY_IMAGE };
	struct link_config link = { .base = event_base_new() };
	struct buf b;
	struct talk *t;
	struct err e;
	int fds[2];

	pings = pongs = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	t = talk_accept(&config, &link, fds[1], NULL, &e);
	assert_non_null(t);
	buf_init(&b, 1000);
	assert_ok(hello_put(&b, &hello, &e), &e);
	assert_true(goes_on(t, link.base, fds[0], &b, 100));
	buf_reset(&b);
	assert_ok(message_put_u64(&b, type, 1, &e), &e);
	assert_int_equal(goes_on(t, link.base, fds[0], &b, 4000), listened_to);
	talk_free(t);
	close(fds[0]);
	buf_fini(&b);
	event_base_free(link.base);
}

static void
who_only_says_that_he_is_there_is_not_waited_for(void **state)
{
	(void)state;
	check(MESSAGE_PING, false);
	check(MESSAGE_PONG, false);
}

static void
who_says_something_is(void **state)
{
	(void)state;
	check(MESSAGE_BASES, true);
	assert_true(pings > 1);
	assert_int_equal(pongs, 0);
}

static void
pings_are_answered(void **state)
{
	(void)state;
	check(MESSAGE_PING, false);
	assert_true(pongs > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_only_says_that_he_is_there_is_not_waited_for),
		cmocka_unit_test(who_says_something_is),
		cmocka_unit_test(pings_are_answered),
	};

	return cmocka_run_group_tests_name("talk-idle", tests, NULL, NULL);
}
