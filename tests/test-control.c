/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/test.h"

#include "common/mem.h"
#include "sender/control.h"

/* A sender whose efforts behave as these, on a link of that many bytes a
 * second, for a while.  Returns what it settled on.
 */
static const struct nature {
	const char *name;
	double ratio, speed, plan;
} nature[] = {
	{ "raw", 1.0, 4e9, 0.4 },      { "lz4", 0.3, 900e6, 0.4 },
	{ "fast", 0.2, 700e6, 1 },     { "middle", 0.15, 170e6, 1.5 },
	{ "strong", 0.14, 95e6, 1.5 }, { "max", 0.12, 3e6, 1.5 },
};

/* Seconds in which "fast" plans a byte. */
static double planning;

static const char *
settle(struct control *c, double link, unsigned frames)
{
	const struct effort *e = NULL;

	for (unsigned i = 0; i < frames; i++) {
		const struct nature *n = nature;
		double in = 1 << 20, cpu, wire, out, plan, pace;

		e = control_choose(c);
		while (strcmp(n->name, e->name) != 0)
			n++;
		out = in * n->ratio;
		cpu = in / n->speed;
		wire = out / link;
		plan = in * planning * n->plan;
		control_encoded(c, e, (uint64_t)in, (uint64_t)out,
				(uint64_t)(plan * 1e9), (uint64_t)(cpu * 1e9));
		/* The same workers plan, one at a time, and encode. */
		pace = MAX((plan + cpu) / c->workers, plan);
		if (pace > wire)
			control_delivered(c, (uint64_t)out,
					  (uint64_t)(pace * 1e9), true);
		else
			control_delivered(c, (uint64_t)out,
					  (uint64_t)(wire * 1e9), false);
	}
	return c->efforts[c->current].name;
}

static void
slow_links_get_strong_codecs_and_fast_links_fast_ones(void **state)
{
	struct control c;

	(void)state;
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 0.3e6, 300), "max");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 5e6, 300), "strong");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 40e6, 300), "middle");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 170e6, 300), "fast");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 600e6, 300), "lz4");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 6e9, 300), "raw");
}

static void
where_planning_is_slow_it_is_made_short(void **state)
{
	struct control c;

	(void)state;
	planning = 5e-9;
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 5e6, 300), "strong");
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 170e6, 300), "lz4");
	planning = 1.4e-9;
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 6e9, 300), "raw");
	planning = 0;
}

static void
a_link_that_changes_is_followed(void **state)
{
	struct control c;

	(void)state;
	control_init(&c, 2, NULL);
	assert_string_equal(settle(&c, 5e6, 200), "strong");
	assert_string_equal(settle(&c, 170e6, 400), "fast");
	assert_string_equal(settle(&c, 5e6, 400), "strong");
}

static void
a_pinned_effort_stays(void **state)
{
	struct control c;
	struct err e;

	(void)state;
	control_init(&c, 2, effort_by_name("max", &e));
	assert_string_equal(settle(&c, 6e9, 100), "max");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			slow_links_get_strong_codecs_and_fast_links_fast_ones),
		cmocka_unit_test(where_planning_is_slow_it_is_made_short),
		cmocka_unit_test(a_link_that_changes_is_followed),
		cmocka_unit_test(a_pinned_effort_stays),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
