/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/mem.h"
#include "common/tls.h"
#include "tests/certs.h"
#include "tests/test.h"

static struct tls_names allowed; /* who may come as a client, if anything */

struct outcome {
	bool connected, ended;
	struct err why;
};

static void
on_link(struct link *l, enum link_event ev, const struct err *why, void *arg)
{
	struct outcome *out = arg;
	struct err e;

	if (ev == LINK_CONNECTED) {
		out->connected = true;
		/* A server refuses a client after the client has connected. */
		assert_ok(link_send(l, "hi", 2, &e), &e);
	} else if (ev == LINK_READABLE || ev == LINK_CLOSED) {
		out->ended = true;
	} else if (ev == LINK_FAILED) {
		out->ended = true;
		out->why = *why;
	}
}

static const char *
certs_of(const char *kind)
{
	static char dir[64];

	snprintf(dir, sizeof(dir), "%s/%s", certs, kind);
	return dir;
}

static void
run_until_ended(struct event_base *base, const struct outcome *a,
		const struct outcome *b)
{
	uint64_t until = clock_wall_ns() + 20000000000u;

	while (!a->ended || (b && !b->ended)) {
		if (clock_wall_ns() > until)
			fail_msg("nothing happens");
		event_base_loop(base, EVLOOP_ONCE);
	}
}

static int
listen_here(struct endpoint_addr *addr)
{
	struct endpoint ep;
	struct err e;
	int fd;

	assert_ok(endpoint_parse("127.0.0.1:0", 0, &ep, &e), &e);
	assert_ok(endpoint_listen(&ep, &fd, addr, &e), &e);
	return fd;
}

/* Connects a client to a server; says how each of them ended. */
static void
meet(const char *client, const char *server, const char *host,
     struct outcome *a, struct outcome *b)
{
	struct event_base *base = event_base_new();
	struct link_config config = {
		.base = base, .fn = on_link, .arg = a, .peer = "the peer"
	};
	struct tls *ct, *st;
	struct link *cl, *sl;
	struct endpoint_addr addr;
	struct err e;
	int fd = listen_here(&addr);

	*a = *b = (struct outcome){ .connected = false };
	ct = tls_open(TLS_CLIENT, certs_of(client), &e);
	st = tls_open(TLS_SERVER, certs_of(server), &e);
	assert_non_null(ct);
	assert_non_null(st);
	if (allowed.n > 0)
		tls_allow(st, &allowed);
	cl = link_connect(&config, &addr, 1, ct, host, &e);
	assert_non_null(cl);
	event_base_loop(base, EVLOOP_ONCE);
	config.arg = b;
	sl = link_accept(&config, accept(fd, NULL, NULL), st, &e);
	assert_non_null(sl);
	run_until_ended(base, a, b);
	link_free(cl);
	link_free(sl);
	tls_close(ct);
	tls_close(st);
	close(fd);
	event_base_free(base);
}

static void
two_ends_of_one_ca_meet(void **state)
{
	struct outcome a, b;

	(void)state;
	meet("good", "good", "127.0.0.1", &a, &b);
	assert_int_equal(a.why.code, ERR_NONE);
	assert_int_equal(b.why.code, ERR_NONE);
	assert_true(a.connected && b.connected);
	meet("good", "good", "localhost", &a, &b);
	assert_int_equal(a.why.code, ERR_NONE);
	assert_true(a.connected && b.connected);
}

static void
check_refused(const struct outcome *out, const char *why)
{
	assert_int_equal(out->why.code, ERR_AUTH);
	if (!strstr(out->why.text, why))
		fail_msg("'%s' does not say '%s'", out->why.text, why);
}

static void
a_server_of_another_name_is_refused(void **state)
{
	struct outcome a, b;

	(void)state;
	meet("good", "foreign", "localhost", &a, &b);
	assert_false(a.connected);
	check_refused(&a, "not for localhost");
	check_refused(&b, "our certificate was refused");
	meet("good", "foreign", "127.0.0.1", &a, &b);
	assert_false(a.connected);
	check_refused(&a, "IP address mismatch");
}

static void
ends_of_two_cas_refuse_each_other(void **state)
{
	struct outcome a, b;

	(void)state;
	meet("good", "other", "127.0.0.1", &a, &b);
	assert_false(a.connected);
	check_refused(&a, "the other end's certificate");
	check_refused(&b, "a CA the other end does not trust");
}

static void
only_clients_with_an_allowed_name_get_in(void **state)
{
	static const char *const none[] = { "server", "*.example.org" };
	static const char *const some[] = { "nobody", "CLI*" };
	struct outcome a, b;

	(void)state;
	allowed = (struct tls_names){ none, ARRAY_LEN(none) };
	meet("good", "good", "127.0.0.1", &a, &b);
	check_refused(&b, "no name that is allowed");
	check_refused(&a, "our certificate was refused");
	allowed = (struct tls_names){ some, ARRAY_LEN(some) };
	meet("good", "good", "127.0.0.1", &a, &b);
	assert_int_equal(a.why.code, ERR_NONE);
	assert_int_equal(b.why.code, ERR_NONE);
	/* A name helps nobody whose certificate is of another CA. */
	meet("other", "good", "127.0.0.1", &a, &b);
	assert_int_equal(b.why.code, ERR_AUTH);
	allowed.n = 0;
}

static void
check_own(enum tls_role role, const char *kind, const char *why)
{
	struct err e;

	assert_null(tls_open(role, certs_of(kind), &e));
	assert_int_equal(e.code, ERR_AUTH);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
}

static void
run(const char *script)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && %s", certs, script);
	assert_int_equal(system(command), 0);
}

static void
a_bad_certificate_of_ours_is_named(void **state)
{
	(void)state;
	check_own(TLS_CLIENT, "expired",
		  "client-cert.pem: certificate has exp");
	check_own(TLS_SERVER, "expired",
		  "server-cert.pem: certificate has exp");
	check_own(TLS_SERVER, "swapped", "server-cert.pem: unsuitable");
	check_own(TLS_CLIENT, "nowhere", "ca-cert.pem: No such file");
	run("cp -r good mixed && cp other/client-key.pem mixed");
	check_own(TLS_CLIENT, "mixed", "client-key.pem: not the key");
	run("cp other/server-*.pem mixed");
	check_own(TLS_SERVER, "mixed", "server-cert.pem: unable to get local");
	run("echo x > mixed/ca-cert.pem");
	check_own(TLS_CLIENT, "mixed", "ca-cert.pem: not a CA certificate");
	run("rm mixed/server-key.pem");
	check_own(TLS_SERVER, "mixed", "server-key.pem: No such file");
}

/* What a hostile or mistaken peer does, in a process of its own. */
struct stranger {
	const char *kind; /* its certificates; NULL: shows none */
	bool server, tls12, plain;
};

static void
stranger_speak(const struct stranger *who, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(who->server ? TLS_server_method()
					       : TLS_client_method());
	char bytes[200] = "SSH-2.0-not_tls\r\n", path[128];
	const char *role = who->server ? "server" : "client";
	SSL *ssl;

	if (who->plain) {
		if (write(fd, bytes, sizeof(bytes)) < 0)
			return;
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
		return;
	}
	if (who->tls12)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (who->kind) {
		snprintf(path, sizeof(path), "%s/%s/%s-cert.pem", certs,
			 who->kind, role);
		SSL_CTX_use_certificate_file(ctx, path, SSL_FILETYPE_PEM);
		snprintf(path, sizeof(path), "%s/%s/%s-key.pem", certs,
			 who->kind, role);
		SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM);
	}
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if ((who->server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1)
		SSL_read(ssl, bytes, sizeof(bytes));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void
stranger_run(const struct stranger *who, int listener,
	     const struct endpoint_addr *addr)
{
	int fd;

	signal(SIGPIPE, SIG_IGN);
	alarm(20);
	if (who->server)
		fd = accept(listener, NULL, NULL);
	else
		fd = socket(addr->sa.ss_family, SOCK_STREAM, 0);
	if (!who->server)
		assert_int_equal(connect(fd, (const struct sockaddr *)&addr->sa,
					 addr->len),
				 0);
	stranger_speak(who, fd);
	close(fd);
	_exit(0);
}

static void
meet_stranger(const struct stranger *who, struct outcome *out)
{
	struct event_base *base = event_base_new();
	struct link_config config = {
		.base = base, .fn = on_link, .arg = out, .peer = "the peer"
	};
	enum tls_role role = who->server ? TLS_CLIENT : TLS_SERVER;
	struct endpoint_addr addr;
	struct err e;
	int fd = listen_here(&addr);
	struct tls *tls = tls_open(role, certs_of("good"), &e);
	struct link *l;
	pid_t pid;

	*out = (struct outcome){ .connected = false };
	assert_non_null(tls);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	pid = fork();
	if (pid == 0)
		stranger_run(who, fd, &addr);
	if (who->server)
		l = link_connect(&config, &addr, 1, tls, "127.0.0.1", &e);
	else
		l = link_accept(&config, accept(fd, NULL, NULL), tls, &e);
	assert_non_null(l);
	run_until_ended(base, out, NULL);
	link_free(l);
	tls_close(tls);
	close(fd);
	event_base_free(base);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
strangers_are_refused(void **state)
{
	static const struct {
		struct stranger who;
		const char *why;
	} cases[] = {
		{ { .kind = NULL }, "showed no certificate" },
		{ { .kind = "expired" }, "certificate has expired" },
		{ { .kind = "other" }, "the other end's certificate" },
		{ { .kind = "swapped" }, NULL },
		{ { .kind = "good", .tls12 = true }, "TLS 1.3" },
		{ { .plain = true }, "does not speak TLS" },
		{ { .kind = "expired", .server = true }, "has expired" },
		{ { .kind = "other", .server = true }, "end's certificate" },
		{ { .kind = "swapped", .server = true }, "unsuitable" },
		{ { .kind = "good", .server = true, .tls12 = true },
		  "TLS 1.3" },
		{ { .server = true, .plain = true }, "does not speak TLS" },
	};
	struct outcome out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		meet_stranger(&cases[i].who, &out);
		if (!cases[i].why) {
			assert_true(out.connected);
			continue;
		}
		if (out.connected)
			fail_msg("stranger %zu got in", i);
		check_refused(&out, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ends_of_one_ca_meet),
		cmocka_unit_test(a_server_of_another_name_is_refused),
		cmocka_unit_test(ends_of_two_cas_refuse_each_other),
		cmocka_unit_test(only_clients_with_an_allowed_name_get_in),
		cmocka_unit_test(a_bad_certificate_of_ours_is_named),
		cmocka_unit_test(strangers_are_refused),
	};

	return cmocka_run_group_tests_name("tls", tests, make_certs,
					   remove_certs);
}
