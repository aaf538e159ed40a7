/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "tools/report.h"
#include "wire/message.h"

#define TEXT_MAX  239
#define PLANS_MAX 16

static const char *const number_keys[] = {
	"channels",   "frames",    "kept_bytes", "link_rate", "nbases",
	"nwhole",     "pages",     "qemu_bytes", "ram_bytes", "reconnects",
	"refused",    "taken",     "wire_bytes", "code",      "paused_ms",
	"elapsed_ms", "take_rate", "passes",
};
static const char *const text_keys[] = { "effort", "guest", "notice", "opaque",
					 "say",    "state", "text" };
static const char *const flag_keys[] = { "drops", "kept", "lost", "paused",
					 "postcopy" };

static void
copy_numbers(json_t *to, const json_t *from)
{
	for (size_t i = 0; i < ARRAY_LEN(number_keys); i++) {
		json_t *v = json_object_get(from, number_keys[i]);

		if (json_is_number(v) && json_number_value(v) >= 0)
			json_object_set(to, number_keys[i], v);
	}
	for (size_t i = 0; i < ARRAY_LEN(flag_keys); i++) {
		json_t *v = json_object_get(from, flag_keys[i]);

		if (json_is_boolean(v))
			json_object_set(to, flag_keys[i], v);
	}
}

/* They end in logs, where a line must not look like two. */
static void
copy_texts(json_t *to, const json_t *from)
{
	for (size_t i = 0; i < ARRAY_LEN(text_keys); i++) {
		const char *text =
			json_string_value(json_object_get(from, text_keys[i]));
		char copy[TEXT_MAX + 1];

		if (!text || strlen(text) > TEXT_MAX)
			continue;
		strcpy(copy, text);
		message_make_printable(copy);
		json_object_set_new(to, text_keys[i], json_string(copy));
	}
}

static void
copy_plans(json_t *to, json_t *plans)
{
	json_t *copy = json_object(), *v;
	const char *key;

	json_object_foreach(plans, key, v)
	{
		if (json_is_integer(v) && strlen(key) < 16 &&
		    strspn(key, "abcdefghijklmnopqrstuvwxyz") == strlen(key) &&
		    json_object_size(copy) < PLANS_MAX)
			json_object_set(copy, key, v);
	}
	json_object_set_new(to, "plans", copy);
}

json_t *
report_checked(const json_t *said)
{
	json_t *copy = json_object(), *plans = json_object_get(said, "plans");

	copy_numbers(copy, said);
	copy_texts(copy, said);
	if (json_is_object(plans))
		copy_plans(copy, plans);
	return copy;
}

json_t *
report_end(const struct err *why)
{
	return json_pack("{s:s, s:i, s:s}", "say", "end", "code",
			 (int)why->code, "text",
			 why->code == ERR_NONE ? "" : why->text);
}

void
report_get_end(const json_t *end, struct err *why)
{
	const json_t *code = json_object_get(end, "code");
	const char *text = json_string_value(json_object_get(end, "text"));

	*why = (struct err){ .code = ERR_NONE };
	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > ERR_UNKNOWN)
		err_fill(why, ERR_SYSTEM, "it did not say how it ended");
	else if (json_integer_value(code) != ERR_NONE)
		err_fill(why, (enum err_code)json_integer_value(code), "%s",
			 text ? text : "");
}

struct metric {
	const char *key, *name, *kind, *help;
};

static const struct metric metrics[] = {
	{ "ram_bytes", "virt_mig_guest_memory_bytes", "gauge",
	  "Memory of the guest" },
	{ "qemu_bytes", "virt_mig_stream_bytes_total", "counter",
	  "Bytes of QEMU's migration stream" },
	{ "wire_bytes", "virt_mig_wire_bytes_total", "counter",
	  "Bytes on the network" },
	{ "pages", "virt_mig_pages_total", "counter", "Pages that arrived" },
	{ "refused", "virt_mig_frames_refused_total", "counter",
	  "Frames that did not match their digest and were sent again" },
	{ "reconnects", "virt_mig_reconnects_total", "counter",
	  "Times that the connection was lost and made again" },
};

/* A label's value: backslash, quote and newline are escaped. */
static void
put_label(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%s=\"", name);
	for (; text && *text; text++) {
		if (*text == '\\' || *text == '"')
			putc('\\', out);
		putc(*text == '\n' ? ' ' : *text, out);
	}
	putc('"', out);
}

/* The name of a metric and whose it is; a state, if not NULL. */
static void
put_name(FILE *out, const char *name, const json_t *session, const char *state)
{
	static const char *const labels[] = { "id", "role", "vm" };

	fputs(name, out);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		putc(i ? ',' : '{', out);
		put_label(
			out, labels[i],
			json_string_value(json_object_get(session, labels[i])));
	}
	if (state) {
		putc(',', out);
		put_label(out, "state", state);
	}
	putc('}', out);
}

static void
put_head(FILE *out, const struct metric *m)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		m->kind);
}

/* One that ended before there was a state has one all the same. */
static const char *
state_of(const json_t *session)
{
	if (!json_is_true(json_object_get(session, "ended")))
		return json_string_value(json_object_get(session, "state"));
	return json_integer_value(json_object_get(session, "code")) == ERR_NONE
		       ? "DONE"
		       : "ABORT";
}

void
report_metrics(const json_t *sessions, FILE *out)
{
	json_t *session;
	size_t i;

	static const struct metric
		count = { NULL, "virt_mig_sessions", "gauge",
			  "Migrations, and some that ended" },
		state = { NULL, "virt_mig_session_state", "gauge",
			  "1 for the state that the session is in" };

	put_head(out, &count);
	fprintf(out, "%s %zu\n", count.name, json_array_size(sessions));
	put_head(out, &state);
	json_array_foreach(sessions, i, session)
	{
		const char *text = state_of(session);

		put_name(out, state.name, session, text ? text : "");
		fputs(" 1\n", out);
	}
	for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
		put_head(out, &metrics[m]);
		json_array_foreach(sessions, i, session)
		{
			json_t *v = json_object_get(session, metrics[m].key);

			if (!json_is_number(v))
				continue;
			put_name(out, metrics[m].name, session, NULL);
			fprintf(out, " %.0f\n", json_number_value(v));
		}
	}
}
