/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tools/report.h"

static json_t *sessions;
static char *said;

static int
teardown(void **state)
{
	(void)state;
	json_decref(sessions);
	free(said);
	said = NULL;
	return 0;
}

static void
tell(const char *json)
{
	size_t len;
	FILE *out = open_memstream(&said, &len);

	sessions = json_loads(json, 0, NULL);
	assert_non_null(sessions);
	report_metrics(sessions, out);
	fclose(out);
}

/* That line is among what was said. */
static void
line_is(const char *line)
{
	const char *at = strstr(said, line);

	if (!at || (at > said && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line '%s' in: %s", line, said);
}

/* A series of a counter goes on through all states. */
static void
only_one_metric_has_the_state(void **state)
{
	(void)state;
	tell("[{\"id\": \"a1\", \"role\": \"send\", \"vm\": \"one\","
	     " \"state\": \"STREAM\", \"wire_bytes\": 77, \"pages\": 5}]");
	line_is("virt_mig_sessions 1");
	line_is("virt_mig_session_state{id=\"a1\",role=\"send\",vm=\"one\","
		"state=\"STREAM\"} 1");
	line_is("# TYPE virt_mig_wire_bytes_total counter");
	line_is("virt_mig_wire_bytes_total{id=\"a1\",role=\"send\","
		"vm=\"one\"} 77");
	line_is("virt_mig_pages_total{id=\"a1\",role=\"send\",vm=\"one\"} 5");
	assert_null(strstr(said, "virt_mig_guest_memory_bytes{"));
}

static void
how_sessions_ended_is_a_state(void **state)
{
	(void)state;
	tell("[{\"id\": \"a\", \"ended\": true, \"code\": 0,"
	     " \"state\": \"DONE\"},"
	     " {\"id\": \"b\", \"ended\": true, \"code\": 1},"
	     " {\"id\": \"c\"}]");
	line_is("virt_mig_sessions 3");
	line_is("virt_mig_session_state{id=\"a\",role=\"\",vm=\"\","
		"state=\"DONE\"} 1");
	line_is("virt_mig_session_state{id=\"b\",role=\"\",vm=\"\","
		"state=\"ABORT\"} 1");
	line_is("virt_mig_session_state{id=\"c\",role=\"\",vm=\"\","
		"state=\"\"} 1");
}

static void
names_cannot_end_their_label(void **state)
{
	(void)state;
	tell("[{\"id\": \"a\", \"vm\": \"q\\\"\\\\\\n} 1\"}]");
	line_is("virt_mig_session_state{id=\"a\",role=\"\","
		"vm=\"q\\\"\\\\ } 1\",state=\"\"} 1");
}

/* A session may be anybody's by now. */
static void
only_what_is_known_is_believed(void **state)
{
	json_t *said_all = json_loads(
		"{\"wire_bytes\": 5, \"pages\": -1, \"frames\": \"9\","
		" \"state\": 7, \"text\": \"why\", \"id\": \"other\","
		" \"lost\": true, \"kept\": 1,"
		" \"plans\": {\"zero\": 3, \"UP\": 4, \"x\": \"y\"}}",
		0, NULL);
	json_t *is = report_checked(said_all);
	json_t *want = json_loads("{\"wire_bytes\": 5, \"text\": \"why\","
				  " \"lost\": true, \"plans\": {\"zero\": 3}}",
				  0, NULL);

	(void)state;
	assert_true(json_equal(is, want));
	json_decref(said_all);
	json_decref(is);
	json_decref(want);
}

static void
no_text_has_two_lines(void **state)
{
	json_t *said_all = json_pack("{s:s, s:s}", "say", "end", "text",
				     "lost\nvirt-migd: all is well\033[A");
	json_t *is = report_checked(said_all);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(is, "text")),
			    "lost?virt-migd: all is well?[A");
	json_decref(said_all);
	json_decref(is);
}

static void
an_end_says_its_error(void **state)
{
	const struct err e = { .code = ERR_LIMIT, .text = "too slow" };
	json_t *end = report_end(&e);
	struct err why;

	(void)state;
	report_get_end(end, &why);
	assert_int_equal(why.code, ERR_LIMIT);
	assert_string_equal(why.text, "too slow");
	json_object_set_new(end, "code", json_integer(0));
	report_get_end(end, &why);
	assert_int_equal(why.code, ERR_NONE);
	json_object_set_new(end, "code", json_integer(99));
	report_get_end(end, &why);
	assert_int_equal(why.code, ERR_SYSTEM);
	json_decref(end);
}

#define sentence(test) cmocka_unit_test_teardown(test, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(only_one_metric_has_the_state),
		sentence(how_sessions_ended_is_a_state),
		sentence(names_cannot_end_their_label),
		cmocka_unit_test(only_what_is_known_is_believed),
		cmocka_unit_test(no_text_has_two_lines),
		cmocka_unit_test(an_end_says_its_error),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
