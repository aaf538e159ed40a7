/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-report.h"
#include "tools/bench-summary.h"
#include "tools/format.h"

/* jansson tells of a lack of memory only by NULL, and a set takes NULL for an
 * answer: so each put reports into one flag, looked at once at the end.
 */
struct writer {
	bool failed;
};

static void
put(struct writer *w, json_t *to, const char *key, json_t *value)
{
	if (json_object_set_new(to, key, value) != 0)
		w->failed = true;
}

static void
put_int(struct writer *w, json_t *to, const char *key, uint64_t v)
{
	put(w, to, key, json_integer((json_int_t)v));
}

static void
put_real(struct writer *w, json_t *to, const char *key, double v)
{
	put(w, to, key, json_real(v));
}

static void
put_text(struct writer *w, json_t *to, const char *key, const char *text)
{
	auto_free char *safe = format_printable(text);

	put(w, to, key, safe ? json_string(safe) : NULL);
}

static void
put_bool(struct writer *w, json_t *to, const char *key, bool v)
{
	put(w, to, key, json_boolean(v));
}

static void
put_digest(struct writer *w, json_t *to, const char *key,
	   const struct digest *d)
{
	char hex[2 * DIGEST_BYTES + 1];

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", d->b[i]);
	put(w, to, key, json_string(hex));
}

static void
append(struct writer *w, json_t *to, json_t *value)
{
	if (json_array_append_new(to, value) != 0)
		w->failed = true;
}

/* A new array or object that is already in its parent. */
static json_t *
put_array(struct writer *w, json_t *to, const char *key)
{
	json_t *array = json_array();

	put(w, to, key, array);
	return array;
}

static json_t *
put_object(struct writer *w, json_t *to, const char *key)
{
	json_t *object = json_object();

	put(w, to, key, object);
	return object;
}

static json_t *
append_object(struct writer *w, json_t *to)
{
	json_t *object = json_object();

	append(w, to, object);
	return object;
}

static void
put_move_times(struct writer *w, json_t *to, const struct bench_report *r,
	       const struct bench_result *x)
{
	json_t *times = put_object(w, to, "move_s");

	for (size_t i = 0; i < r->nlinks; i++)
		put_real(w, times, r->links[i].name,
			 bench_move_s(x, &r->links[i], r->threads));
}

static void
put_samples(struct writer *w, json_t *to, const struct bench_result *x)
{
	json_t *samples = put_array(w, to, "samples");

	for (size_t i = 0; i < x->nsamples; i++) {
		json_t *s = append_object(w, samples);

		put_real(w, s, "encode_cpu_s", x->samples[i].encode_cpu_s);
		put_real(w, s, "decode_cpu_s", x->samples[i].decode_cpu_s);
		put_real(w, s, "wall_s", x->samples[i].wall_s);
	}
}

/* One element of a list "results". */
static json_t *
append_result(struct writer *w, json_t *to, const struct bench_report *r,
	      const struct bench_result *x, double fewer)
{
	json_t *o = append_object(w, to);

	put_text(w, o, "name", x->name);
	put_int(w, o, "wire_bytes", x->wire_bytes);
	put_real(w, o, "encode_cpu_s", x->encode_cpu_s);
	put_real(w, o, "decode_cpu_s", x->decode_cpu_s);
	put_real(w, o, "wall_s", x->wall_s);
	put_bool(w, o, "verified", x->verified);
	if (fewer > 0)
		put_real(w, o, "fewer_than_gzip", fewer);
	put_move_times(w, o, r, x);
	return o;
}

static void
put_plans(struct writer *w, json_t *to, const struct bench_tier *t)
{
	json_t *plans = put_object(w, to, "plans");

	for (unsigned p = 0; p < PLAN__MAX; p++) {
		json_t *o;

		if (p == PLAN_BYTES)
			continue;
		o = put_object(w, plans, plan_code_name(p));
		put_int(w, o, "pages", t->pages[p]);
		put_int(w, o, "bytes", t->pages[p] * PAGE_BYTES);
	}
}

static void
put_classes(struct writer *w, json_t *to, const struct bench_tier *t)
{
	json_t *classes = put_object(w, to, "classes");

	for (size_t i = 0; i < t->nclasses; i++) {
		const struct bench_class *c = &t->classes[i];
		json_t *o = put_object(w, classes, c->name);

		put_int(w, o, "pages", c->pages);
		put_int(w, o, "bytes", c->pages * PAGE_BYTES);
		put_int(w, o, "sent_pages", c->sent);
	}
}

static void
put_streams(struct writer *w, json_t *to, const struct bench_tier *t)
{
	json_t *streams = put_object(w, to, "streams");

	for (unsigned s = 0; s < STREAM__MAX; s++) {
		json_t *o = put_object(w, streams, plan_stream_name(s));

		put_int(w, o, "raw_bytes", t->raw[s]);
		put_int(w, o, "wire_bytes", t->wire[s]);
	}
	put_int(w, to, "frame_bytes", t->frame_bytes);
	put_int(w, to, "session_bytes", t->session_bytes);
}

static void
put_stages(struct writer *w, json_t *to, const struct bench_tier *t)
{
	json_t *stages = put_array(w, to, "stages");

	for (size_t i = 0; i < t->nstages; i++) {
		const struct bench_stage *s = &t->stages[i];
		json_t *o = append_object(w, stages);

		put_text(w, o, "name", s->name);
		put_text(w, o, "side", s->decoding ? "receiver" : "sender");
		put_int(w, o, "bytes", s->bytes);
		put_real(w, o, "cpu_s", s->cpu_s);
		if (s->cpu_s > 0)
			put_real(w, o, "mb_per_s",
				 (double)s->bytes / s->cpu_s / 1e6);
	}
}

static void
put_guest(struct writer *w, json_t *to, const struct bench_guest *g)
{
	json_t *o = put_object(w, to, "guest"), *checks;

	put_text(w, o, "system", guest_os_name(g->os));
	if (g->os == GUEST_NONE)
		return;
	put_text(w, o, "release", g->release);
	put_bool(w, o, "sound", g->sound);
	put_bool(w, o, "drops_free_pages", g->drops);
	checks = put_array(w, o, "checks");
	for (size_t i = 0; i < g->nchecks; i++) {
		json_t *check = append_object(w, checks);

		put_text(w, check, "check", g->checks[i].what);
		put_bool(w, check, "passed", g->checks[i].passed);
	}
}

static void
append_capture(struct writer *w, json_t *to, const struct bench_report *r,
	       const struct bench_capture *c)
{
	json_t *o = append_object(w, to), *results, *tiers;
	struct bench_rows rows;

	put_text(w, o, "memory", c->path);
	put_text(w, o, "format", c->format);
	put_int(w, o, "file_bytes", c->file_bytes);
	put_int(w, o, "pages", c->npages);
	put_digest(w, o, "sha256", &c->digest);
	put_guest(w, o, &c->guest);
	results = put_array(w, o, "results");
	bench_rows_of(c, &rows);
	for (size_t i = 0; i < rows.n; i++)
		put_samples(w,
			    append_result(w, results, r, rows.row[i],
					  bench_fewer(c, rows.row[i])),
			    rows.row[i]);
	tiers = put_array(w, o, "tiers");
	for (size_t i = 0; i < c->ntiers; i++) {
		const struct bench_tier *t = &c->tiers[i];
		json_t *tier = append_object(w, tiers);

		put_text(w, tier, "name", t->result.name);
		put_plans(w, tier, t);
		put_classes(w, tier, t);
		put_streams(w, tier, t);
		put_stages(w, tier, t);
	}
}

static void
put_machine(struct writer *w, json_t *to, const struct bench_report *r)
{
	put_text(w, to, "version", r->version);
	put_text(w, to, "compiler", r->compiler);
	put_text(w, to, "cpu", r->cpu);
	put_text(w, to, "kernel", r->kernel);
	put_int(w, to, "cores", r->cores);
	put_int(w, to, "threads", r->threads);
	put_text(w, to, "started", r->started);
}

static void
put_inputs(struct writer *w, json_t *to, const struct bench_report *r)
{
	json_t *images = put_array(w, to, "images");

	for (size_t i = 0; i < r->nimages; i++) {
		const struct bench_image *img = &r->images[i];
		json_t *o = append_object(w, images);

		put_text(w, o, "image", img->path);
		put_text(w, o, "format", img->format);
		put_int(w, o, "bytes", img->bytes);
		put_int(w, o, "unique_blocks", img->unique_blocks);
		put_digest(w, o, "root", &img->root);
	}
	if (r->previous) {
		json_t *o = put_object(w, to, "previous");

		put_text(w, o, "memory", r->previous);
		put_digest(w, o, "sha256", &r->previous_digest);
	}
}

/* What one tool took on average; for a single memory simply its figures. */
static void
put_averages(struct writer *w, json_t *to, const struct bench_report *r)
{
	struct bench_average averages[BENCH_ROWS_MAX];
	size_t n = bench_averages(r, averages);
	json_t *results = put_array(w, to, "results");

	for (size_t i = 0; i < n; i++) {
		json_t *o = append_result(w, results, r, &averages[i].mean,
					  averages[i].fewer);

		if (averages[i].fewer > 0)
			put_real(w, o, "least_fewer_than_gzip",
				 averages[i].least_fewer);
	}
}

json_t *
bench_report_json(const struct bench_report *r, struct err *e)
{
	struct writer w = { .failed = false };
	json_t *root = json_object(), *links, *captures;

	if (!root) {
		(void)err_set(e, ERR_SYSTEM, "no memory for the report");
		return NULL;
	}
	put_machine(&w, root, r);
	put_inputs(&w, root, r);
	links = put_array(&w, root, "links");
	for (size_t i = 0; i < r->nlinks; i++) {
		json_t *o = append_object(&w, links);

		put_text(&w, o, "name", r->links[i].name);
		put_real(&w, o, "bits_per_s", r->links[i].bits_per_s);
	}
	put_text(&w, root, "move_rule", bench_move_rule);
	put_averages(&w, root, r);
	captures = put_array(&w, root, "captures");
	for (size_t i = 0; i < r->ncaptures; i++)
		append_capture(&w, captures, r, &r->captures[i]);
	if (!w.failed)
		return root;
	json_decref(root);
	(void)err_set(e, ERR_SYSTEM, "no memory for the report");
	return NULL;
}
