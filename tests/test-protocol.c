/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds virt-mig-protocol(7) to the code: every row of its tables is one that
 * this test makes from the headers, and the other way round.
 */
#include "config.h"

#include "codec/codec.h"
#include "common/link.h"
#include "common/mem.h"
#include "dedup/base.h"
#include "receiver/coverage.h"
#include "sender/window.h"
#include "tests/manual.h"
#include "tools/transfer.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/layout.h"
#include "wire/live.h"
#include "wire/message.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/session.h"
#include "wire/talk.h"

static int
load(void **state)
{
	(void)state;
	return manual_load("virt-mig-protocol.7");
}

/* The states in which somebody may hear message t, and who. */
static bool
heard_in(unsigned t, bool live, bool to[2], char states[100])
{
	unsigned n = 0;

	to[0] = to[1] = false;
	states[0] = '\0';
	for (unsigned s = 0; s < SESSION__MAX; s++) {
		const struct session x = { SESSION_SENDER, s, live };
		const struct session y = { SESSION_RECEIVER, s, live };
		struct err e;
		bool a = session_hear(&x, t, &e) == 0;
		bool b = session_hear(&y, t, &e) == 0;

		to[0] |= a;
		to[1] |= b;
		if (a || b)
			snprintf(states + strlen(states), 100 - strlen(states),
				 "%s%s", n++ ? " " : "", session_state_name(s));
	}
	if (n == SESSION_DONE - SESSION_HELLO + 1)
		strcpy(states, "HELLO to DONE");
	if (n == 0)
		strcpy(states, "-");
	return n > 0;
}

static void
messages_have_these_numbers_bounds_and_directions(void **state)
{
	size_t i = table_under(".It Sy Type");

	(void)state;
	for (unsigned t = 1; t < MESSAGE__MAX; t++) {
		const struct message_kind *k = message_kind(t);
		char bytes[100], file[100], live[100];
		bool to[2], too[2];

		if (!k)
			continue;
		(void)heard_in(t, false, to, file);
		(void)heard_in(t, true, too, live);
		if (k->min == k->max)
			snprintf(bytes, sizeof(bytes), "%u", k->min);
		else
			snprintf(bytes, sizeof(bytes), "%u to %u", k->min,
				 k->max);
		row_is(i, ".It %u Ta %s Ta %s Ta %s Ta %s Ta %s", t, k->name,
		       bytes,
		       (to[0] || too[0]) && (to[1] || too[1]) ? "both"
		       : to[0] || too[0]                      ? "S"
							      : "R",
		       file, live);
		assert_string_equal(lines[i] + strlen(lines[i]) - strlen(live),
				    live);
		i++;
	}
	assert_string_equal(lines[i], ".El");
}

static void
the_way_of_a_session_is_drawn(void **state)
{
	char want[200] = "";
	size_t i = table_under("NEW ->");

	(void)state;
	for (unsigned s = SESSION_NEW; s <= SESSION_DONE; s++)
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
			 "%s%s", s ? " -> " : "", session_state_name(s));
	assert_string_equal(lines[i - 1], want);
}

static void
codes_streams_and_codecs_have_these_numbers(void **state)
{
	size_t i = table_under(".It Sy Code Ta Sy Name Ta Sy What becomes");

	(void)state;
	for (unsigned c = 0; c < PLAN__MAX; c++)
		row_is(i++, ".It %u Ta %s Ta ", c, plan_code_name(c));
	assert_string_equal(lines[i], ".El");
	i = table_under(".It Sy Stream Ta Sy Name");
	for (unsigned s = 0; s < STREAM__MAX; s++)
		row_is(i++, ".It %u Ta %s Ta ", s, plan_stream_name(s));
	assert_string_equal(lines[i], ".El");
	i = table_under(".It Sy Codec");
	for (unsigned c = 0; c < CODEC__MAX; c++)
		row_is(i++, ".It %u Ta %s Ta ", c, codec_name(c));
	assert_string_equal(lines[i], ".El");
}

static void
streams_are_bounded_so(void **state)
{
	size_t i = table_under(".It Sy Stream Ta Sy for each page");

	(void)state;
	for (unsigned s = 0; s < STREAM__MAX; s++) {
		size_t more = frame_stream_max(s, 0, 0);
		size_t each = frame_stream_max(s, 1, 0) - more;

		if (s == STREAM_GAP) {
			assert_int_equal(frame_stream_max(s, 1, 77), 77);
			row_is(i++, ".It bytes Ta 0 Ta opaque bytes");
			continue;
		}
		assert_int_equal(frame_stream_max(s, 9, 5), 9 * each + more);
		row_is(i++, ".It %s Ta %zu Ta %zu", plan_stream_name(s), each,
		       more);
	}
	assert_string_equal(lines[i], ".El");
}

static void
bases_and_errors_have_these_numbers(void **state)
{
	static const char *const errors[] = {
		[ERR_SYSTEM] = "SYSTEM",   [ERR_USAGE] = "USAGE",
		[ERR_AUTH] = "AUTH",       [ERR_PROTOCOL] = "PROTOCOL",
		[ERR_CORRUPT] = "CORRUPT", [ERR_LIMIT] = "LIMIT",
		[ERR_VERSION] = "VERSION", [ERR_CANCELLED] = "CANCELLED",
	};
	size_t i = table_under(".It Sy Kind");

	(void)state;
	row_is(i++, ".It %u Ta image Ta ", OFFER_IMAGE);
	row_is(i++, ".It %u Ta memory Ta ", OFFER_MEMORY);
	row_is(i++, ".It %u Ta kernel Ta ", OFFER_KERNEL);
	row_is(i++, ".It %u Ta programs Ta ", OFFER_PROGRAMS);
	assert_string_equal(lines[i], ".El");
	i = table_under(".It Sy Code Ta Sy Name Ta Sy What it means");
	for (unsigned c = 1; c < ARRAY_LEN(errors); c++)
		row_is(i++, ".It %u Ta %s Ta ", c, errors[c]);
	assert_string_equal(lines[i], ".El");
}

static void
constants_have_these_values(void **state)
{
	static const struct manual_constant constants[] = {
		CONSTANT(HELLO_VERSION),       CONSTANT(HELLO_OLDEST_VERSION),
		CONSTANT(HELLO_MEMORY_IMAGE),  CONSTANT(HELLO_LIVE),
		CONSTANT(MESSAGE_HEAD_BYTES),  CONSTANT(MESSAGE_TEXT_MAX),
		CONSTANT(LAYOUT_RUNS_MAX),     CONSTANT(LAYOUT_FILE_MAX),
		CONSTANT(OFFER_KEY_BYTES),     CONSTANT(OFFER_NAME_MAX),
		CONSTANT(REGIONS_MAX),         CONSTANT(QUERY_MAX),
		CONSTANT(QUERY_WINDOW),        CONSTANT(WINDOW_FRAMES),
		CONSTANT(COVERAGE_RANGES_MAX), CONSTANT(BASE_REGION_PAGES),
		CONSTANT(PLAN_BASES_MAX),      CONSTANT(PLAN_MOVES_MAX),
		CONSTANT(PLAN_MOVES_KNOWN),    CONSTANT(PLAN_COPY_MIN),
		CONSTANT(PLAN_COPIES_MAX),     CONSTANT(PLAN_DELTA_MAX),
		CONSTANT(PLAN_STREAM_MAX),     CONSTANT(FRAME_PAGES_MAX),
		CONSTANT(FRAME_BYTES_MAX),     CONSTANT(FRAME_HEAD_BYTES_MAX),
		CONSTANT(LIVE_CHANNELS_MAX),   CONSTANT(LIVE_WINDOW),
		CONSTANT(LIVE_AHEAD_MAX),      CONSTANT(LIVE_RETURN_MAX),
		CONSTANT(LIVE_SECRET_BYTES),   CONSTANT(LIVE_TAIL),
		CONSTANT(LIVE_AGAIN),          CONSTANT(LIVE_LAST),
		CONSTANT(LIVE_PASSING),        CONSTANT(FRAME_RAW_MAX),
		CONSTANT(CODEC_BLOCK_MAX),     CONSTANT(LINK_DEAD_MS),
		CONSTANT(TALK_PING_MS),        CONSTANT(TALK_SLOW_BYTES),
		CONSTANT(TRANSFER_PORT),
	};

	(void)state;
	constants_are(constants, ARRAY_LEN(constants));
}

/* Numbers that stand in sentences. */
static void
sentences_say_the_same(void **state)
{
	static const struct {
		const char *fmt;
		uint64_t value;
	} said[] = {
		{ "at most %llu of them:", PLAN_BASES_MAX - 1 },
		{ "number of its pages, 1 to %llu", UINT32_MAX },
		{ "length of its name, 0 to %llu", OFFER_NAME_MAX },
		{ "into regions of %llu pages", BASE_REGION_PAGES },
		{ "4 bytes, 1 to %llu.", REGIONS_MAX },
		{ "at most %llu QUERYs wait", QUERY_WINDOW },
		{ "At most %llu frames wait", WINDOW_FRAMES },
		{ "number of pages, at most %llu", FRAME_PAGES_MAX },
		{ "number of opaque bytes, at most %llu", FRAME_BYTES_MAX },
		{ "At most %llu are.", PLAN_DELTA_MAX },
		{ "nothing at all came for %llu seconds", LINK_DEAD_MS / 1000 },
		{ "when, for %llu seconds", LINK_DEAD_MS / 500 },
		{ "%llu; and for each copy", PLAN_COPIES_MAX },
		{ "how many more than %llu words", PLAN_COPY_MIN },
		{ "moved, 1 byte, 1 to %llu;", PLAN_MOVES_MAX },
		{ "of the list, which keeps %llu.", PLAN_MOVES_KNOWN },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(said); k++) {
		const char *at = strstr(said[k].fmt, "%llu");
		char want[200];
		size_t i = 0;

		snprintf(want, sizeof(want), "%.*s%llu%s",
			 (int)(at - said[k].fmt), said[k].fmt,
			 (unsigned long long)said[k].value, at + 4);
		while (i < nlines && !strstr(lines[i], want))
			i++;
		if (i == nlines)
			fail_msg("the page does not say '%s'", want);
	}
}

/* After all of the above: no row of these tables was left out. */
static void
the_page_names_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < nlines; i++)
		if (strncmp(lines[i], ".It Dv ", 7) == 0 && !known[i])
			fail_msg("'%s' is not in the code", lines[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			messages_have_these_numbers_bounds_and_directions),
		cmocka_unit_test(the_way_of_a_session_is_drawn),
		cmocka_unit_test(codes_streams_and_codecs_have_these_numbers),
		cmocka_unit_test(streams_are_bounded_so),
		cmocka_unit_test(bases_and_errors_have_these_numbers),
		cmocka_unit_test(constants_have_these_values),
		cmocka_unit_test(sentences_say_the_same),
		cmocka_unit_test(the_page_names_nothing_else),
	};

	return cmocka_run_group_tests_name("protocol", tests, load,
					   manual_unload);
}
