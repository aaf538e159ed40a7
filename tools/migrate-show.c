/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tools/format.h"
#include "tools/migrate.h"

static uint64_t
number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : (uint64_t)n;
}

static double
ratio(uint64_t memory, uint64_t wire)
{
	return (double)memory / (double)MAX(wire, 1u);
}

static int
show_json(const struct migrate_wish *w, const struct migrate_result *r,
	  struct err *e)
{
	const json_t *s = r->session;
	uint64_t memory = number(s, "ram_bytes"),
		 wire = number(s, "wire_bytes");
	json_t *o = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:b, s:I, s:I, s:I, "
		"s:b, s:b}",
		"vm", w->vm, "destination", w->to, "memory_bytes",
		(json_int_t)memory, "stream_bytes",
		(json_int_t)number(s, "qemu_bytes"), "wire_bytes",
		(json_int_t)wire, "ratio", ratio(memory, wire), "elapsed_ms",
		(json_int_t)r->elapsed_ms, "downtime_ms",
		(json_int_t)r->downtime_ms, "downtime_measured",
		r->downtime_known, "passes", (json_int_t)r->passes,
		"frames_refused", (json_int_t)number(s, "refused"),
		"reconnects", (json_int_t)number(s, "reconnects"),
		"memory_kept", json_is_true(json_object_get(s, "kept")),
		"postcopy", json_is_true(json_object_get(s, "postcopy")));
	json_t *plans = json_object_get(s, "plans");
	const char *opaque = json_string_value(json_object_get(s, "opaque"));
	const char *guest = json_string_value(json_object_get(s, "guest"));

	if (o && plans)
		json_object_set(o, "pages", plans);
	if (o && guest) {
		json_object_set_new(o, "guest", json_string(guest));
		json_object_set(o, "drops_free_pages",
				json_object_get(s, "drops"));
	}
	if (o && opaque)
		json_object_set_new(o, "opaque", json_string(opaque));
	if (!o || json_dumpf(o, stdout, JSON_INDENT(1)) < 0) {
		json_decref(o);
		return err_set(e, ERR_SYSTEM, "the result cannot be written");
	}
	putchar('\n');
	json_decref(o);
	return fflush(stdout) == 0 ? 0 : err_sys(e, "standard output");
}

/* "zero 41%, ref 38%, ..." of the pages that were sent. */
static void
show_classes(json_t *plans)
{
	const char *key, *before = "  pages         ";
	uint64_t all = 0;
	json_t *v;

	json_object_foreach(plans, key, v) all +=
		(uint64_t)json_integer_value(v);
	json_object_foreach(plans, key, v)
	{
		double part = 100.0 * (double)json_integer_value(v) /
			      (double)MAX(all, 1u);

		if (json_integer_value(v) == 0)
			continue;
		printf("%s%s %.*f%%", before, key, part < 1, part);
		before = ", ";
	}
	if (all)
		putchar('\n');
}

static void
show_text(const struct migrate_wish *w, const struct migrate_result *r)
{
	const json_t *s = r->session;
	const char *opaque = json_string_value(json_object_get(s, "opaque"));
	const char *guest = json_string_value(json_object_get(s, "guest"));
	uint64_t memory = number(s, "ram_bytes"),
		 wire = number(s, "wire_bytes");
	char a[FORMAT_LEN], b[FORMAT_LEN], c[FORMAT_LEN];

	printf("%s is at %s\n", w->vm, w->to);
	if (!s)
		return;
	printf("  guest memory  %s\n  sent          %s (%s)\n",
	       format_bytes(a, memory), format_bytes(b, wire),
	       format_ratio(c, ratio(memory, wire)));
	printf("  time          %s, ",
	       format_time(a, (double)r->elapsed_ms / 1000));
	if (json_is_true(json_object_get(s, "postcopy")))
		printf("postcopy after ");
	else
		printf("of that paused %s%s, ",
		       r->downtime_known ? "" : "at least ",
		       format_time(b, (double)r->downtime_ms / 1000));
	printf("%llu passes\n", (unsigned long long)r->passes);
	show_classes(json_object_get(s, "plans"));
	if (guest)
		printf("  free pages    %s (%s)\n",
		       json_is_true(json_object_get(s, "drops")) ? "left out"
								 : "all sent",
		       guest);
	if (number(s, "reconnects") > 0)
		printf("  the connection was lost and made again %llu times\n",
		       (unsigned long long)number(s, "reconnects"));
	if (opaque)
		printf("  saved little  %s\n", opaque);
}

int
migrate_show(const struct migrate_wish *w, const struct migrate_result *r,
	     struct err *e)
{
	if (w->json)
		return show_json(w, r, e);
	show_text(w, r);
	return fflush(stdout) == 0 ? 0 : err_sys(e, "standard output");
}
