/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/endpoint.h"
#include "common/mem.h"
#include "tests/test.h"

static void
hosts_ports_and_paths_are_told_apart(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool is_unix;
	} cases[] = {
		{ "db1", "db1", 7, false },
		{ "db1:80", "db1", 80, false },
		{ "10.0.0.1:0", "10.0.0.1", 0, false },
		{ ":49216", "", 49216, false },
		{ "", "", 7, false },
		{ "::1", "::1", 7, false },
		{ "2001:db8::1:2", "2001:db8::1:2", 7, false },
		{ "[::1]", "::1", 7, false },
		{ "[::1]:65535", "::1", 65535, false },
		{ "unix:/run/x:1", "/run/x:1", 7, true },
	};
	struct endpoint ep;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(endpoint_parse(cases[i].text, 7, &ep, &e), &e);
		assert_string_equal(ep.host, cases[i].host);
		assert_int_equal(ep.port, cases[i].port);
		assert_int_equal(ep.is_unix, cases[i].is_unix);
	}
}

static void
nonsense_is_a_usage_error(void **state)
{
	static const char *const cases[] = { "db1:",     "db1:65536", "db1:x",
					     "db1:-1",   "db1: 1",    "[::1",
					     "[::1]x:1", "[::1]:",    "unix:" };
	char longer[400];
	struct endpoint ep;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_err(endpoint_parse(cases[i], 7, &ep, &e), &e, ERR_USAGE);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_err(endpoint_parse(longer, 7, &ep, &e), &e, ERR_USAGE);
	memcpy(longer, "unix:", 5);
	assert_err(endpoint_parse(longer, 7, &ep, &e), &e, ERR_USAGE);
}

static bool
is_local(const char *ip)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	struct endpoint ep;
	struct err e;
	size_t n;

	assert_ok(endpoint_parse(ip, 1, &ep, &e), &e);
	assert_ok(endpoint_resolve(&ep, addrs, &n, &e), &e);
	return endpoint_addr_is_local(&addrs[0]);
}

static void
only_this_host_is_local(void **state)
{
	(void)state;
	assert_true(is_local("127.0.0.1"));
	assert_true(is_local("127.255.255.254"));
	assert_true(is_local("::1"));
	assert_true(is_local("::ffff:127.0.0.1"));
	assert_true(is_local("unix:/nowhere"));
	assert_false(is_local("128.0.0.1"));
	assert_false(is_local("10.127.0.1"));
	assert_false(is_local("0.0.0.0"));
	assert_false(is_local("::"));
	assert_false(is_local("::2"));
	assert_false(is_local("::ffff:10.0.0.1"));
	assert_false(is_local("2001:db8::1"));
}

/* But for IPv4 that an IPv6 socket sees. */
static void
addresses_are_written_as_they_are_read(void **state)
{
	static const struct {
		const char *read, *text, *host;
	} cases[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1" },
		{ "[::1]:80", "[::1]:80", "::1" },
		{ "[::ffff:192.0.2.7]:80", "192.0.2.7:80", "192.0.2.7" },
		{ "unix:/run/x", "unix:/run/x", "" },
	};
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	char text[ENDPOINT_TEXT_MAX], host[ENDPOINT_IP_MAX];
	struct endpoint ep;
	struct err e;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(endpoint_parse(cases[i].read, 1, &ep, &e), &e);
		assert_ok(endpoint_resolve(&ep, addrs, &n, &e), &e);
		assert_int_equal(n, 1);
		endpoint_addr_text(&addrs[0], text);
		assert_string_equal(text, cases[i].text);
		endpoint_addr_host(&addrs[0], host);
		assert_string_equal(host, cases[i].host);
	}
}

static void
a_stale_unix_socket_is_replaced_a_live_one_is_not(void **state)
{
	char dir[] = "/tmp/test-endpoint.XXXXXX", text[64];
	struct endpoint_addr bound;
	struct endpoint ep;
	struct stat st;
	struct err e;
	int first, second;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	assert_ok(endpoint_parse(text, 0, &ep, &e), &e);
	assert_ok(endpoint_listen(&ep, &first, &bound, &e), &e);
	assert_int_equal(lstat(ep.host, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_err(endpoint_listen(&ep, &second, &bound, &e), &e, ERR_SYSTEM);
	close(first);
	assert_ok(endpoint_listen(&ep, &second, &bound, &e), &e);
	close(second);
	unlink(ep.host);
	rmdir(dir);
}

static void
port_zero_becomes_the_port_that_was_given(void **state)
{
	struct endpoint_addr bound;
	struct sockaddr_in in;
	struct endpoint ep;
	struct err e;
	int fd;

	(void)state;
	assert_ok(endpoint_parse("127.0.0.1:0", 1, &ep, &e), &e);
	assert_ok(endpoint_listen(&ep, &fd, &bound, &e), &e);
	memcpy(&in, &bound.sa, sizeof(in));
	assert_int_not_equal(in.sin_port, 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_ports_and_paths_are_told_apart),
		cmocka_unit_test(nonsense_is_a_usage_error),
		cmocka_unit_test(only_this_host_is_local),
		cmocka_unit_test(addresses_are_written_as_they_are_read),
		cmocka_unit_test(
			a_stale_unix_socket_is_replaced_a_live_one_is_not),
		cmocka_unit_test(port_zero_becomes_the_port_that_was_given),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
