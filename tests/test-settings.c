/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/mem.h"
#include "tests/test.h"
#include "tools/settings.h"

static char said[1024];
static struct err e;

static int
note(void *arg, const char *section, const char *key, const char *value,
     struct err *why)
{
	size_t n = strlen(said);

	(void)arg;
	snprintf(said + n, sizeof(said) - n, "%s.%s=%s;", section, key, value);
	if (strcmp(value, "bad") == 0)
		return err_set(why, ERR_USAGE, "no good");
	return 0;
}

static int
parse(const char *text)
{
	*said = '\0';
	return conf_parse(text, strlen(text), "file", note, NULL, &e);
}

static void
settings_are_read_line_by_line(void **state)
{
	(void)state;
	assert_ok(parse(""), &e);
	assert_ok(parse("# nothing\n\n  \t\n[empty]\n"), &e);
	assert_string_equal(said, "");
	assert_ok(parse("[a]\nb=c\n d e =  f = g \t\r\n[h]\nb=\nb=2"), &e);
	assert_string_equal(said, "a.b=c;a.d e=f = g;h.b=;h.b=2;");
}

static void
what_is_wrong_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "b = c\n", "file:1: a key before any [section]" },
		{ "[a]\n\nb\n", "file:3: not 'key = value'" },
		{ "[a\n", "file:1: not a [section]" },
		{ "[]\n", "file:1: not a [section]" },
		{ "[a]\n= c\n", "file:2: a value without a key" },
		{ "[a]\nb = bad\n", "file:2: no good" },
	};
	char line[CONF_LINE_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_err(parse(cases[i].text), &e, ERR_USAGE);
		assert_string_equal(e.text, cases[i].why);
	}
	memset(line, 'x', sizeof(line));
	line[CONF_LINE_MAX] = '\0';
	assert_err(parse(line), &e, ERR_USAGE);
	assert_err(conf_parse("[a]\nb = \0c", 10, "file", note, NULL, &e), &e,
		   ERR_USAGE);
}

static const char *
write_file(const char *text)
{
	static char path[] = "/tmp/test-settings.XXXXXX";
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static int
open_text(struct settings *s, const char *text)
{
	const char *path = write_file(text);
	int ret = settings_open(s, path, true, &e);

	unlink(path);
	return ret;
}

static void
all_settings_have_defaults(void **state)
{
	struct settings s;

	(void)state;
	assert_ok(settings_open(&s, "/nowhere/virt-mig.conf", false, &e), &e);
	assert_int_equal(s.listen.port, 49216);
	assert_null(s.tls_dir);
	assert_int_equal(s.allow.n, 0);
	assert_string_equal(s.user, "virt-mig");
	assert_string_equal(s.memory_dir, "/var/lib/virt-mig/memory");
	assert_int_equal(s.reconnect_timeout, 60);
	settings_close(&s);
	assert_err(settings_open(&s, "/nowhere/virt-mig.conf", true, &e), &e,
		   ERR_SYSTEM);
}

static void
every_setting_is_taken(void **state)
{
	struct settings s;

	(void)state;
	assert_ok(open_text(&s, "[control]\ngroup = ops\n"
				"[images]\npublic = /a\npublic = /b\n"
				"[libvirt]\nuri = qemu:///session\n"
				"[listen]\naddress = 192.0.2.1:5\n"
				"[memory]\ndir = /m\nkeep = yes\n"
				"[peers]\nallow = *.example.org\nallow = b\n"
				"sessions = 3\nsessions-per-peer = 2\n"
				"[qemu]\ngroup = kvm\n"
				"[session]\nreconnect-timeout = 0\n"
				"threads = 4\nuser = nobody\n"
				"[tls]\ndir = /t\n"),
		  &e);
	assert_string_equal(s.control_group, "ops");
	assert_int_equal(s.public_images.n, 2);
	assert_string_equal(s.public_images.at[1], "/b");
	assert_string_equal(s.libvirt_uri, "qemu:///session");
	assert_string_equal(s.listen.host, "192.0.2.1");
	assert_int_equal(s.listen.port, 5);
	assert_string_equal(s.memory_dir, "/m");
	assert_true(s.keep_memory);
	assert_int_equal(s.allow.n, 2);
	assert_int_equal(s.sessions, 3);
	assert_int_equal(s.sessions_per_peer, 2);
	assert_string_equal(s.qemu_group, "kvm");
	assert_int_equal(s.reconnect_timeout, 0);
	assert_int_equal(s.threads, 4);
	assert_string_equal(s.user, "nobody");
	assert_string_equal(s.tls_dir, "/t");
	settings_close(&s);
}

static void
values_that_make_no_sense_are_refused(void **state)
{
	static const char *const cases[] = {
		"[tls]\ndir = relative\n",     "[tls]\ndir =\n",
		"[memory]\nkeep = maybe\n",    "[memory]\ndir = x\n",
		"[peers]\nsessions = 0\n",     "[peers]\nsessions = 33\n",
		"[peers]\nsessions = 3x\n",    "[peers]\nsessions = -1\n",
		"[listen]\naddress = a:b:c\n", "[listen]\naddress = a:99999\n",
		"[images]\npublic = x\n",      "[session]\nuser =\n",
		"[listen]\naddress =\n",       "[peers]\nallowed = x\n",
		"[nothing]\nallow = x\n",      "[session]\nthreads = 257\n",
	};
	struct settings s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (open_text(&s, cases[i]) == 0) {
			if (i != 8)
				fail_msg("taken: %s", cases[i]);
			settings_close(&s);
			continue;
		}
		assert_int_equal(e.code, ERR_USAGE);
	}
}

static void
sessions_never_run_as_root(void **state)
{
	struct settings_ids ids;
	struct settings s;

	(void)state;
	assert_ok(open_text(&s, "[session]\nuser = root\n"), &e);
	assert_err(settings_ids(&s, &ids, &e), &e, ERR_USAGE);
	settings_close(&s);
	assert_ok(open_text(&s, "[session]\nuser = no such user\n"), &e);
	assert_err(settings_ids(&s, &ids, &e), &e, ERR_USAGE);
	settings_close(&s);
	assert_ok(open_text(&s, "[session]\nuser = nobody\n"
				"[listen]\nuser = no such user\n"),
		  &e);
	assert_err(settings_ids(&s, &ids, &e), &e, ERR_USAGE);
	settings_close(&s);
	assert_ok(open_text(&s, "[session]\nuser = nobody\n"
				"[listen]\nuser = nobody\n"),
		  &e);
	assert_err(settings_ids(&s, &ids, &e), &e, ERR_USAGE);
	settings_close(&s);
	assert_ok(open_text(&s, "[session]\nuser = nobody\n"
				"[listen]\nuser = daemon\n"
				"[qemu]\ngroup = no such group\n"),
		  &e);
	assert_err(settings_ids(&s, &ids, &e), &e, ERR_USAGE);
	settings_close(&s);
	assert_ok(open_text(&s, "[session]\nuser = nobody\n"
				"[listen]\nuser = daemon\n"),
		  &e);
	assert_ok(settings_ids(&s, &ids, &e), &e);
	assert_int_not_equal(ids.user, 0);
	assert_int_not_equal(ids.listen_user, 0);
	settings_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_read_line_by_line),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(all_settings_have_defaults),
		cmocka_unit_test(every_setting_is_taken),
		cmocka_unit_test(values_that_make_no_sense_are_refused),
		cmocka_unit_test(sessions_never_run_as_root),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
