/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/test.h"

#include "sender/control.h"

/* A sender whose efforts behave as these, on a link of that many bytes a
 * second, for a while.  Returns what it settled on.
 */
static const struct nature {
	const char *name;
	double ratio, speed;
} nature[] = {
	{ "raw", 1.0, 4e9 },      { "lz4", 0.3, 900e6 },
	{ "fast", 0.2, 700e6 },   { "middle", 0.15, 170e6 },
	{ "strong", 0.14, 95e6 }, { "max", 0.12, 3e6 },
};

static const char *
settle(struct control *c, double link, unsigned frames)
{
	const struct effort *e = NULL;

	for (unsigned i = 0; i < frames; i++) {
		const struct nature *n = nature;
		double in = 1 << 20, cpu, wire, out;

		e = control_choose(c);
		while (strcmp(n->name, e->name) != 0)
			n++;
		out = in * n->ratio;
		cpu = in / n->speed;
		wire = out / link;
		control_encoded(c, e, (uint64_t)in, (uint64_t)out,
				(uint64_t)(cpu * 1e9));
		/* Encoding in parallel; the slower of both sets the pace. */
		if (cpu / c->workers > wire)
			control_delivered(c, (uint64_t)out,
					  (uint64_t)(cpu / c->workers * 1e9),
					  true);
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
		cmocka_unit_test(a_link_that_changes_is_followed),
		cmocka_unit_test(a_pinned_effort_stays),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
