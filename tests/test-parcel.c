/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/parcel.h"
#include "tests/test.h"
#include "wire/call.h"

static struct err e;
static int pair[2];

static int
setup(void **state)
{
	(void)state;
	return parcel_pair(pair, &e);
}

static int
teardown(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static unsigned
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void
what_is_sent_arrives_with_its_files(void **state)
{
	struct parcel p;
	int fds[2], got;
	char c = 'x';

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_ok(parcel_send(pair[0],
			      json_pack("{s:s, s:I}", "do", "it", "n",
					(json_int_t)7),
			      fds, 2, &e),
		  &e);
	assert_int_equal(parcel_receive(pair[1], &p, &e), 1);
	assert_string_equal(parcel_text(&p, "do"), "it");
	assert_string_equal(parcel_text(&p, "n"), "");
	assert_string_equal(parcel_text(&p, "none"), "");
	assert_int_equal(parcel_number(&p, "n"), 7);
	assert_int_equal(p.nfds, 2);
	got = parcel_take_fd(&p, 1);
	assert_int_equal(parcel_take_fd(&p, 1), -1);
	assert_int_equal(parcel_take_fd(&p, 2), -1);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got, &c, 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	parcel_free(&p);
	close(got);
	close(fds[0]);
	close(fds[1]);
}

static void
nonsense_is_refused_and_its_files_closed(void **state)
{
	static const char *const bad[] = {
		"",  "[1]",   "{\"a\":1,\"a\":2}",
		"{", "\"x\"", "{\"a\":\"\\ud800\"}"
	};
	unsigned before = open_files();
	struct parcel p;

	(void)state;
	for (size_t i = 1; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(send(pair[0], bad[i], strlen(bad[i]), 0),
				 strlen(bad[i]));
		assert_err(parcel_receive(pair[1], &p, &e), &e, ERR_PROTOCOL);
	}
	assert_int_equal(open_files(), before);
}

static void
a_parcel_has_a_bound(void **state)
{
	static char text[PARCEL_BYTES + 64];
	struct parcel p;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_err(parcel_send(pair[0], json_pack("{s:s}", "t", text), NULL, 0,
			       &e),
		   &e, ERR_LIMIT);
	/* Somebody else may send it all the same. */
	memset(text, ' ', sizeof(text));
	memcpy(text + sizeof(text) - 2, "{}", 2);
	assert_int_equal(send(pair[0], text, sizeof(text), 0), sizeof(text));
	assert_err(parcel_receive(pair[1], &p, &e), &e, ERR_PROTOCOL);
}

/* Of someone who does not listen nobody learns more than that. */
static void
who_does_not_listen_is_not_waited_for(void **state)
{
	int sent = 0;

	(void)state;
	alarm(10);
	while (parcel_send_now(pair[0], json_pack("{s:s}", "do", "x"), &pair[1],
			       1, &e) == 0)
		sent++;
	alarm(0);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_true(sent > 8);
}

static void
the_end_is_noticed(void **state)
{
	struct parcel p;

	(void)state;
	assert_ok(parcel_send(pair[0], json_object(), NULL, 0, &e), &e);
	shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(parcel_receive(pair[1], &p, &e), 1);
	parcel_free(&p);
	assert_int_equal(parcel_receive(pair[1], &p, &e), 0);
	assert_err(parcel_send(pair[1], json_object(), NULL, 0, &e), &e,
		   ERR_PROTOCOL);
}

static void
a_call_says_which_migration_it_is_for(void **state)
{
	struct call c, back;
	uint8_t bytes[CALL_BYTES];
	char text[CALL_TEXT_MAX];

	(void)state;
	assert_true(
		call_parse_id("01234567-89ab-cdef-0123-456789abcdef", c.uuid));
	assert_true(call_parse_id("00112233445566778899AABBCCDDEEFF", c.id));
	call_put(&c, bytes);
	assert_ok(call_get(bytes, &back, &e), &e);
	assert_memory_equal(&c, &back, sizeof(c));
	call_uuid_text(back.uuid, text);
	assert_string_equal(text, "01234567-89ab-cdef-0123-456789abcdef");
	call_id_text(back.id, text);
	assert_string_equal(text, "00112233445566778899aabbccddeeff");
	for (unsigned i = 0; i < 8; i++) {
		bytes[i] ^= 1;
		assert_err(call_get(bytes, &back, &e), &e, ERR_PROTOCOL);
		bytes[i] ^= 1;
	}
	assert_false(call_parse_id("", c.id));
	assert_false(call_parse_id("00112233445566778899aabbccddeef", c.id));
	assert_false(call_parse_id("00112233445566778899aabbccddeeff0", c.id));
	assert_false(call_parse_id("../112233445566778899aabbccddeeff", c.id));
}

int
main(void)
{
#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		EACH(what_is_sent_arrives_with_its_files),
		EACH(nonsense_is_refused_and_its_files_closed),
		EACH(a_parcel_has_a_bound),
		EACH(who_does_not_listen_is_not_waited_for),
		EACH(the_end_is_noticed),
		cmocka_unit_test(a_call_says_which_migration_it_is_for),
	};

	return cmocka_run_group_tests_name("parcel", tests, NULL, NULL);
}
