/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/mem.h"
#include "tests/certs.h"
#include "tests/test.h"

/* What one end has seen. */
struct end {
	struct link *link;
	int connected, readable, lowat, closed, failed;
	struct err why;
	bool take; /* take what comes, checking that it counts up */
	uint64_t taken;
	bool free_on_read;
	struct event_base *base;
};

struct world {
	struct event_base *base;
	struct tls *client, *server;
	struct end a, b;
};

static void
end_take(struct end *end)
{
	uint8_t bytes[4096];
	size_t n;

	while ((n = MIN(link_has(end->link), sizeof(bytes))) > 0) {
		link_take(end->link, bytes, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(bytes[i],
					 (uint8_t)((end->taken + i) % 251));
		end->taken += n;
	}
}

static void
on_link(struct link *l, enum link_event ev, const struct err *why, void *arg)
{
	struct end *end = arg;

	switch (ev) {
	case LINK_CONNECTED:
		end->connected++;
		break;
	case LINK_READABLE:
		end->readable++;
		if (end->take)
			end_take(end);
		if (end->free_on_read) {
			link_free(l);
			end->link = NULL;
		}
		break;
	case LINK_LOWAT:
		end->lowat++;
		break;
	case LINK_CLOSED:
		end->closed++;
		break;
	case LINK_FAILED:
		end->failed++;
		end->why = *why;
		break;
	}
}

/* Runs the loop until *flag is at least n, or the test has failed. */
static void
run_until_u64(struct world *w, const uint64_t *flag, uint64_t n)
{
	uint64_t until = clock_wall_ns() + 20000000000u;

	while (*flag < n) {
		if (clock_wall_ns() > until)
			fail_msg("nothing happens");
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

static void
run_until(struct world *w, const int *flag)
{
	uint64_t until = clock_wall_ns() + 20000000000u;

	while (!*flag) {
		if (clock_wall_ns() > until)
			fail_msg("nothing happens");
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

static void
run_for_ms(struct world *w, uint64_t ms)
{
	const struct timeval tick = { .tv_usec = 1000 };
	uint64_t until = clock_wall_ns() + ms * 1000000u;

	while (clock_wall_ns() < until) {
		event_base_loopexit(w->base, &tick);
		event_base_loop(w->base, EVLOOP_ONCE);
	}
}

static void
world_init(struct world *w)
{
	struct event_config *config = event_config_new();

	*w = (struct world){ .base = NULL };
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	assert_non_null(w->base);
}

static void
world_fini(struct world *w)
{
	link_free(w->a.link);
	link_free(w->b.link);
	event_base_free(w->base);
	tls_close(w->client);
	tls_close(w->server);
}

static struct link_config
config_of(struct world *w, struct end *end)
{
	return (struct link_config){
		.base = w->base, .fn = on_link, .arg = end, .peer = "the peer"
	};
}

/* Two connected ends: a socketpair, or TLS over TCP. */
static void
world_connect(struct world *w, bool tls)
{
	struct link_config a = config_of(w, &w->a), b = config_of(w, &w->b);
	struct endpoint_addr addr;
	struct endpoint ep;
	char dir[64];
	struct err e;
	int fds[2], fd;

	if (!tls) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		w->a.link = link_accept(&a, fds[0], NULL, &e);
		w->b.link = link_accept(&b, fds[1], NULL, &e);
	} else {
		snprintf(dir, sizeof(dir), "%s/good", certs);
		w->client = tls_open(TLS_CLIENT, dir, &e);
		w->server = tls_open(TLS_SERVER, dir, &e);
		assert_ok(endpoint_parse("127.0.0.1:0", 0, &ep, &e), &e);
		assert_ok(endpoint_listen(&ep, &fd, &addr, &e), &e);
		w->a.link =
			link_connect(&a, &addr, 1, w->client, "127.0.0.1", &e);
		event_base_loop(w->base, EVLOOP_ONCE);
		w->b.link =
			link_accept(&b, accept(fd, NULL, NULL), w->server, &e);
		close(fd);
	}
	assert_non_null(w->a.link);
	assert_non_null(w->b.link);
	run_until(w, &w->a.connected);
	run_until(w, &w->b.connected);
}

/* Queues n bytes that count up from where the last ones stopped, in pieces
 * of all sizes, some copied and some given.
 */
static void
send_counting(struct link *l, uint64_t *sent, size_t n)
{
	uint64_t seed = *sent + 1;
	struct err e;

	while (n > 0) {
		uint64_t r = test_random(&seed);
		size_t len = MIN(n, 1 + (size_t)(r >> 8) % 70000);
		uint8_t *bytes = malloc(len);

		assert_non_null(bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)((*sent + i) % 251);
		*sent += len;
		n -= len;
		if (r & 1) {
			assert_ok(link_give(l, bytes, len, &e), &e);
			continue;
		}
		assert_ok(link_send(l, bytes, len, &e), &e);
		free(bytes);
	}
}

static void
check_bytes_arrive(bool tls)
{
	struct world w;
	uint64_t a = 0, b = 0;

	world_init(&w);
	world_connect(&w, tls);
	w.a.take = w.b.take = true;
	for (int i = 0; i < 8; i++) {
		send_counting(w.a.link, &a, 1 << 20);
		send_counting(w.b.link, &b, 3 << 19);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	run_until_u64(&w, &w.b.taken, a);
	run_until_u64(&w, &w.a.taken, b);
	assert_int_equal(link_sent(w.a.link), a);
	assert_int_equal(link_received(w.b.link), a);
	assert_int_equal(link_queued(w.a.link), 0);
	world_fini(&w);
}

static void
bytes_arrive_in_order_both_ways(void **state)
{
	(void)state;
	check_bytes_arrive(false);
}

static void
bytes_arrive_in_order_both_ways_over_tls(void **state)
{
	(void)state;
	check_bytes_arrive(true);
}

static void
check_bounded(bool tls)
{
	struct world w;
	uint64_t sent = 0;

	world_init(&w);
	world_connect(&w, tls);
	while (!link_is_full(w.a.link))
		send_counting(w.a.link, &sent, 1 << 20);
	send_counting(w.a.link, &sent, 8 << 20);
	run_for_ms(&w, 50);
	assert_in_range(link_has(w.b.link), 1, LINK_AHEAD);
	assert_int_equal(w.a.lowat, 0);
	link_want(w.b.link, LINK_AHEAD + 12345);
	run_for_ms(&w, 50);
	assert_int_equal(link_has(w.b.link), LINK_AHEAD + 12345);
	link_pause(w.b.link);
	w.b.take = true;
	end_take(&w.b);
	run_for_ms(&w, 20);
	assert_int_equal(link_has(w.b.link), 0);
	link_resume(w.b.link);
	run_until_u64(&w, &w.b.taken, sent);
	assert_int_equal(w.a.lowat, 1);
	assert_false(link_is_full(w.a.link));
	world_fini(&w);
}

static void
input_and_output_are_bounded(void **state)
{
	(void)state;
	check_bounded(false);
}

static void
input_and_output_are_bounded_over_tls(void **state)
{
	(void)state;
	check_bounded(true);
}

/* The peer says something and is gone while we still write to it. */
static void
check_last_words(bool tls)
{
	struct world w;
	uint64_t sent = 0, said = 0;

	world_init(&w);
	world_connect(&w, tls);
	w.a.take = true;
	send_counting(w.a.link, &sent, 16 << 20);
	run_for_ms(&w, 20);
	send_counting(w.b.link, &said, 500);
	link_finish(w.b.link);
	run_until_u64(&w, &w.a.taken, said);
	run_until(&w, &w.a.closed);
	assert_int_equal(w.a.failed, 0);
	link_free(w.a.link);
	w.a.link = NULL;
	while (!w.b.closed && !w.b.failed)
		event_base_loop(w.base, EVLOOP_ONCE);
	world_fini(&w);
}

static void
last_words_are_heard(void **state)
{
	(void)state;
	check_last_words(false);
}

static void
last_words_are_heard_over_tls(void **state)
{
	(void)state;
	check_last_words(true);
}

static void
a_killed_peer_is_noticed_at_once(void **state)
{
	struct world w;
	uint64_t start;

	(void)state;
	world_init(&w);
	world_connect(&w, true);
	start = clock_wall_ns();
	link_free(w.b.link);
	w.b.link = NULL;
	run_until(&w, &w.a.failed);
	assert_int_equal(w.a.why.code, ERR_SYSTEM);
	assert_in_range(clock_wall_ns() - start, 0, 1000000000);
	world_fini(&w);
}

static void
a_silent_peer_is_dead(void **state)
{
	struct world w;
	struct link_config a;
	struct err e;
	int fds[2];

	(void)state;
	world_init(&w);
	a = config_of(&w, &w.a);
	a.dead_ms = 300;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w.a.link = link_accept(&a, fds[0], NULL, &e);
	run_until(&w, &w.a.connected);
	link_pause(w.a.link);
	run_for_ms(&w, 700);
	assert_int_equal(w.a.failed, 0);
	link_resume(w.a.link);
	run_until(&w, &w.a.failed);
	assert_int_equal(w.a.why.code, ERR_LIMIT);
	close(fds[1]);
	world_fini(&w);
}

static void
the_next_address_is_tried(void **state)
{
	struct endpoint_addr addrs[2], all[ENDPOINT_ADDRS_MAX];
	struct link_config a;
	struct endpoint ep;
	struct world w;
	struct err e;
	size_t n;
	int fd;

	(void)state;
	world_init(&w);
	a = config_of(&w, &w.a);
	assert_ok(endpoint_parse("unix:/nonexistent/x", 1, &ep, &e), &e);
	assert_ok(endpoint_resolve(&ep, all, &n, &e), &e);
	addrs[0] = all[0];
	assert_ok(endpoint_parse("127.0.0.1:0", 1, &ep, &e), &e);
	assert_ok(endpoint_listen(&ep, &fd, &addrs[1], &e), &e);
	w.a.link = link_connect(&a, addrs, 2, NULL, NULL, &e);
	run_until(&w, &w.a.connected);
	link_free(w.a.link);
	close(fd);
	w.a.link = link_connect(&a, addrs, 2, NULL, NULL, &e);
	run_until(&w, &w.a.failed);
	assert_int_equal(w.a.why.code, ERR_SYSTEM);
	assert_non_null(strstr(w.a.why.text, "refused"));
	world_fini(&w);
}

static void
without_tls_it_stays_on_this_host(void **state)
{
	struct endpoint_addr all[ENDPOINT_ADDRS_MAX];
	struct link_config a;
	struct endpoint ep;
	struct world w;
	struct err e;
	size_t n;

	(void)state;
	world_init(&w);
	a = config_of(&w, &w.a);
	assert_ok(endpoint_parse("192.0.2.1:1", 1, &ep, &e), &e);
	assert_ok(endpoint_resolve(&ep, all, &n, &e), &e);
	w.a.link = link_connect(&a, all, n, NULL, NULL, &e);
	run_until(&w, &w.a.failed);
	assert_int_equal(w.a.why.code, ERR_AUTH);
	world_fini(&w);
}

static void
the_rate_is_kept(void **state)
{
	struct link_config a, b;
	uint64_t sent = 0, start;
	struct world w;
	struct err e;
	int fds[2];

	(void)state;
	world_init(&w);
	a = config_of(&w, &w.a);
	b = config_of(&w, &w.b);
	a.rate = 4000000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w.a.link = link_accept(&a, fds[0], NULL, &e);
	w.b.link = link_accept(&b, fds[1], NULL, &e);
	w.b.take = true;
	run_until(&w, &w.a.connected);
	start = clock_wall_ns();
	send_counting(w.a.link, &sent, 2000000);
	run_until_u64(&w, &w.b.taken, sent);
	assert_in_range(clock_wall_ns() - start, 400000000, 1500000000);
	world_fini(&w);
}

static void
a_link_may_be_freed_in_its_callback(void **state)
{
	struct world w;
	uint64_t sent = 0;

	(void)state;
	world_init(&w);
	world_connect(&w, false);
	w.b.free_on_read = true;
	send_counting(w.a.link, &sent, 4 << 20);
	while (!w.a.closed && !w.a.failed)
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_null(w.b.link);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_in_order_both_ways),
		cmocka_unit_test(bytes_arrive_in_order_both_ways_over_tls),
		cmocka_unit_test(input_and_output_are_bounded),
		cmocka_unit_test(input_and_output_are_bounded_over_tls),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(last_words_are_heard_over_tls),
		cmocka_unit_test(a_killed_peer_is_noticed_at_once),
		cmocka_unit_test(a_silent_peer_is_dead),
		cmocka_unit_test(the_next_address_is_tried),
		cmocka_unit_test(without_tls_it_stays_on_this_host),
		cmocka_unit_test(the_rate_is_kept),
		cmocka_unit_test(a_link_may_be_freed_in_its_callback),
	};

	return cmocka_run_group_tests_name("link", tests, make_certs,
					   remove_certs);
}
