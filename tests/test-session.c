/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/mem.h"
#include "tests/test.h"
#include "wire/session.h"

static const enum session_state way[] = {
	SESSION_NEW,    SESSION_TLS,  SESSION_HELLO,  SESSION_BASES,
	SESSION_STREAM, SESSION_SEAL, SESSION_COMMIT, SESSION_DONE,
};

static void
the_way_leads_forward_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(way); i++)
		for (size_t k = 0; k < ARRAY_LEN(way); k++) {
			struct session s = { SESSION_SENDER, way[i], false };
			bool arrow = k == i + 1 || (way[i] == SESSION_NEW &&
						    way[k] == SESSION_HELLO);
			struct err e;

			if (arrow) {
				assert_ok(session_enter(&s, way[k], &e), &e);
				assert_int_equal(s.state, way[k]);
			} else {
				assert_err(session_enter(&s, way[k], &e), &e,
					   ERR_PROTOCOL);
				assert_int_equal(s.state, way[i]);
			}
		}
}

static void
abort_is_reached_from_everywhere_but_done(void **state)
{
	struct session s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(way); i++) {
		s.state = way[i];
		session_abort(&s);
		assert_int_equal(s.state, way[i] == SESSION_DONE
						  ? SESSION_DONE
						  : SESSION_ABORT);
	}
	s.state = SESSION_ABORT;
	for (size_t i = 0; i < ARRAY_LEN(way); i++)
		assert_err(session_enter(&s, way[i], &e), &e, ERR_PROTOCOL);
}

/* Which end may hear a message, and in which states: bit s of each. */
static void
every_message_has_its_time_and_its_direction(void **state)
{
#define IN(s)     (1u << SESSION_##s)
#define STREAMING (IN(STREAM) | IN(SEAL) | IN(COMMIT))
#define ALWAYS                                                                 \
	(IN(HELLO) | IN(BASES) | IN(STREAM) | IN(SEAL) | IN(COMMIT) | IN(DONE))
	static const struct {
		unsigned sender, receiver;
		unsigned live_sender, live_receiver;
	} when[MESSAGE__MAX] = {
		[MESSAGE_HELLO] = { IN(HELLO), IN(HELLO), IN(HELLO),
				    IN(HELLO) },
		[MESSAGE_OFFER] = { IN(BASES), 0, IN(BASES), 0 },
		[MESSAGE_LAYOUT] = { 0, IN(BASES), 0, 0 },
		[MESSAGE_WANT] = { 0, IN(BASES), 0, IN(BASES) },
		[MESSAGE_REGIONS] = { IN(BASES), 0, IN(BASES), 0 },
		[MESSAGE_BASES] = { 0, IN(BASES), 0, IN(BASES) },
		[MESSAGE_FRAME] = { 0, IN(STREAM), 0, STREAMING },
		[MESSAGE_ACK] = { IN(STREAM), 0, STREAMING, 0 },
		[MESSAGE_NAK] = { IN(STREAM), 0, STREAMING, 0 },
		[MESSAGE_QUERY] = { 0, IN(STREAM), 0, 0 },
		[MESSAGE_ANSWER] = { IN(STREAM) | IN(SEAL), 0, 0, 0 },
		[MESSAGE_SEAL] = { 0, IN(STREAM), 0, IN(STREAM) },
		[MESSAGE_SEALED] = { IN(SEAL), 0, IN(SEAL), 0 },
		[MESSAGE_ERROR] = { ALWAYS, ALWAYS, ALWAYS, ALWAYS },
		[MESSAGE_PING] = { ALWAYS, ALWAYS, ALWAYS, ALWAYS },
		[MESSAGE_PONG] = { ALWAYS, ALWAYS, ALWAYS, ALWAYS },
		[MESSAGE_BLOCKS] = { 0, 0, 0, STREAMING },
		[MESSAGE_CHANNEL] = { 0, 0, STREAMING, STREAMING },
		[MESSAGE_TAKEN] = { 0, 0, STREAMING, 0 },
		[MESSAGE_RETURN] = { 0, 0, STREAMING, 0 },
		[MESSAGE_COMMIT] = { 0, 0, 0, IN(SEAL) },
		[MESSAGE_END] = { 0, 0, IN(COMMIT), IN(COMMIT) },
		[MESSAGE_AGAIN] = { 0, 0, IN(BASES), IN(BASES) },
	};

	(void)state;
	for (unsigned st = 0; st < SESSION__MAX; st++)
		for (unsigned m = 1; m < MESSAGE__MAX; m++) {
			const struct session all[] = {
				{ SESSION_SENDER, st, false },
				{ SESSION_RECEIVER, st, false },
				{ SESSION_SENDER, st, true },
				{ SESSION_RECEIVER, st, true },
			};
			const unsigned may[] = { when[m].sender,
						 when[m].receiver,
						 when[m].live_sender,
						 when[m].live_receiver };
			struct err e;

			for (size_t i = 0; i < ARRAY_LEN(all); i++)
				assert_int_equal(session_hear(&all[i], m, &e) ==
							 0,
						 may[i] >> st & 1);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_leads_forward_only),
		cmocka_unit_test(abort_is_reached_from_everywhere_but_done),
		cmocka_unit_test(every_message_has_its_time_and_its_direction),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
