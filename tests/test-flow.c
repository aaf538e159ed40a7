/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "sender/flow.h"
#include "tests/test.h"

#define MS 1000000ull

static struct flow f;
static uint64_t now, taken;

static int
setup(void **state)
{
	(void)state;
	f = (struct flow){ .rate = 0 };
	now = 1000 * MS;
	taken = 0;
	return 0;
}

/* So many bytes a second are taken for so long, in steps of 10 ms. */
static void
take(uint64_t rate, unsigned ms, bool blocked)
{
	for (unsigned i = 0; i < ms; i += 10) {
		if (blocked)
			flow_blocked(&f);
		now += 10 * MS;
		taken += rate / 100;
		flow_taken(&f, taken, now);
	}
}

static void
assert_near(uint64_t got, double want)
{
	assert_in_range(got, (uint64_t)(want * 0.9), (uint64_t)(want * 1.1));
}

static void
nothing_is_known_at_first(void **state)
{
	(void)state;
	assert_int_equal(flow_limit(&f), FLOW_MIN);
	flow_taken(&f, 5, now);
	assert_int_equal(flow_limit(&f), FLOW_MIN);
}

static void
as_much_is_under_way_as_is_taken_in_its_time(void **state)
{
	(void)state;
	take(200 << 20, 1000, true);
	assert_near((uint64_t)f.rate, 200 << 20);
	/* A quarter more than that, to find out whether it goes faster. */
	assert_near(flow_limit(&f), (200 << 20) * 1.25 * FLOW_MS / 1000);
}

static void
it_is_never_less_or_more_than_that(void **state)
{
	(void)state;
	take(1 << 20, 1000, true);
	assert_int_equal(flow_limit(&f), FLOW_MIN);
	take(4000ull << 20, 3000, true);
	assert_int_equal(flow_limit(&f), FLOW_MAX);
}

/* A QEMU that had nothing to say tells nothing of how fast it could be. */
static void
who_was_not_held_back_is_not_slow(void **state)
{
	uint64_t limit;

	(void)state;
	take(200 << 20, 1000, true);
	limit = flow_limit(&f);
	take(1 << 20, 3000, false);
	assert_near(flow_limit(&f), (double)limit);
	take(300 << 20, 500, false);
	assert_true(flow_limit(&f) > limit);
}

static void
who_was_held_back_and_is_slow_is_believed(void **state)
{
	(void)state;
	take(400 << 20, 1000, true);
	take(100 << 20, 1000, true);
	assert_near((uint64_t)f.rate, 100 << 20);
}

static void
a_long_way_takes_its_time(void **state)
{
	(void)state;
	take(100 << 20, 1000, true);
	flow_passed(&f, 80 * MS, now);
	flow_passed(&f, 30 * MS, now);
	flow_passed(&f, 500 * MS, now); /* it waited somewhere */
	assert_near(flow_limit(&f), (100 << 20) * 1.25 * (FLOW_MS + 30) / 1000);
}

/* The way has become longer: the least of some seconds, not of ever. */
static void
the_least_time_is_that_of_late(void **state)
{
	(void)state;
	take(100 << 20, 1000, true);
	flow_passed(&f, 10 * MS, now);
	for (unsigned s = 0; s < 10; s++) {
		now += 1000 * MS;
		flow_passed(&f, 100 * MS, now);
	}
	assert_int_equal(f.base_ns, 100 * MS);
	/* But no way is taken for longer than 200 ms. */
	for (unsigned s = 0; s < 10; s++) {
		now += 1000 * MS;
		flow_passed(&f, 900 * MS, now);
	}
	assert_near(flow_limit(&f),
		    (100 << 20) * 1.25 * (FLOW_MS + 200) / 1000);
}

#define sentence(test) cmocka_unit_test_setup(test, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(nothing_is_known_at_first),
		sentence(as_much_is_under_way_as_is_taken_in_its_time),
		sentence(it_is_never_less_or_more_than_that),
		sentence(who_was_not_held_back_is_not_slow),
		sentence(who_was_held_back_and_is_slow_is_believed),
		sentence(a_long_way_takes_its_time),
		sentence(the_least_time_is_that_of_late),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
