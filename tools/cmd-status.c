/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tools/control.h"
#include "tools/format.h"
#include "tools/report.h"
#include "tools/verb.h"

static const char usage[] =
	"Usage: virt-mig status [--format text|json|prometheus]\n\n"
	"Shows the migrations of this host's virt-migd, and how the last ones "
	"ended.\n";

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static uint64_t
number_of(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : (uint64_t)n;
}

/* What it does, or how it ended. */
static const char *
stands(const json_t *s)
{
	if (!json_is_true(json_object_get(s, "ended")))
		return text_of(s, "state");
	return number_of(s, "code") == ERR_NONE ? "done" : text_of(s, "text");
}

static void
show_one(const json_t *s)
{
	auto_free char *vm = format_printable(text_of(s, "vm"));
	auto_free char *state = format_printable(stands(s));
	char ram[FORMAT_LEN], wire[FORMAT_LEN], age[FORMAT_LEN];

	printf("%.8s  %-7s  %-16s  %-22s  %10s  %10s  %8s  %s\n",
	       text_of(s, "id"), text_of(s, "role"),
	       vm && *vm ? vm : text_of(s, "uuid"), text_of(s, "peer"),
	       format_bytes(ram, number_of(s, "ram_bytes")),
	       format_bytes(wire, number_of(s, "wire_bytes")),
	       format_age(age, number_of(s, "age_s")), state ? state : "");
}

static void
show_text(const json_t *sessions)
{
	json_t *s;
	size_t i;

	if (json_array_size(sessions) == 0) {
		printf("no migrations\n");
		return;
	}
	printf("%-8s  %-7s  %-16s  %-22s  %10s  %10s  %8s  %s\n", "ID", "ROLE",
	       "VM", "PEER", "MEMORY", "WIRE", "AGE", "STATE");
	json_array_foreach(sessions, i, s) show_one(s);
}

static int
show(const char *format, struct err *e)
{
	auto_fd int fd = -1;
	json_t *sessions;

	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0 &&
	    strcmp(format, "prometheus") != 0)
		return err_set(e, ERR_USAGE,
			       "the format is text, json or prometheus");
	if (control_open(&fd, e) < 0)
		return -1;
	sessions = control_status(fd, e);
	if (!sessions)
		return -1;
	if (*format == 't') {
		show_text(sessions);
	} else if (*format == 'p') {
		report_metrics(sessions, stdout);
	} else {
		json_dumpf(sessions, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(sessions);
	return fflush(stdout) == 0 ? 0 : err_sys(e, "standard output");
}

int
cmd_status(int argc, char **argv, struct err *e)
{
	const char *format = "text";
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'f':
			format = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return err_set(e, ERR_USAGE,
				       "see 'virt-mig status --help'");
		}
	if (argc != optind)
		return err_set(e, ERR_USAGE, "see 'virt-mig status --help'");
	return show(format, e);
}
