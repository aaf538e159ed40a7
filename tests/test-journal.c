/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "tests/test.h"
#include "wire/journal.h"

static void
say(struct journal *j, size_t n)
{
	uint8_t *bytes = calloc(1, n);
	struct err e;

	assert_non_null(bytes);
	assert_int_equal(journal_say(j, NULL, bytes, n, &e), 0);
}

static void
what_was_heard_is_forgotten(void **state)
{
	struct journal j;
	struct err e;

	(void)state;
	journal_init(&j);
	for (size_t i = 1; i <= 3; i++)
		say(&j, 10 * i);
	assert_int_equal(j.next, 3);
	assert_int_equal(j.bytes, 60);
	assert_int_equal(journal_heard(&j, 2, &e), 0);
	assert_int_equal(j.first, 2);
	assert_int_equal(j.bytes, 30);
	assert_int_equal(journal_heard(&j, 3, &e), 0);
	assert_int_equal(j.bytes, 0);
	say(&j, 5);
	assert_int_equal(j.bytes, 5);
	journal_fini(&j);
	assert_int_equal(j.bytes, 0);
}

static void
nobody_hears_what_was_not_said(void **state)
{
	struct journal j;
	struct err e;

	(void)state;
	journal_init(&j);
	say(&j, 1);
	say(&j, 1);
	assert_int_equal(journal_heard(&j, 3, &e), -1);
	assert_int_equal(e.code, ERR_PROTOCOL);
	assert_int_equal(journal_heard_once(&j, 3, &e), -1);
	assert_int_equal(journal_heard(&j, 2, &e), 0);
	assert_int_equal(journal_heard(&j, 1, &e), -1);
	assert_int_equal(e.code, ERR_PROTOCOL);
	journal_fini(&j);
}

/* The receiver had heard messages 0 and 1 when the connection broke, and says
 * so over the next; then comes its ACK of message 0.
 */
static void
an_answer_may_come_late(void **state)
{
	struct journal j;
	struct err e;

	(void)state;
	journal_init(&j);
	for (size_t i = 0; i < 3; i++)
		say(&j, 1);
	assert_int_equal(journal_heard(&j, 2, &e), 0);
	assert_int_equal(journal_heard_once(&j, 1, &e), 0);
	assert_int_equal(j.first, 2);
	assert_int_equal(journal_heard_once(&j, 3, &e), 0);
	assert_int_equal(j.first, 3);
	journal_fini(&j);
}

static void
what_is_never_heard_has_an_end(void **state)
{
	struct journal j;
	uint8_t *bytes = malloc(1);
	struct err e;

	(void)state;
	journal_init(&j);
	for (size_t i = 0; i < JOURNAL_MAX; i++)
		say(&j, 1);
	assert_int_equal(journal_say(&j, NULL, bytes, 1, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(j.bytes, JOURNAL_MAX);
	assert_int_equal(journal_heard(&j, 1, &e), 0);
	say(&j, 1);
	journal_fini(&j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_heard_is_forgotten),
		cmocka_unit_test(nobody_hears_what_was_not_said),
		cmocka_unit_test(an_answer_may_come_late),
		cmocka_unit_test(what_is_never_heard_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
