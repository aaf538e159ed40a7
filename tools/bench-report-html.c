/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-guest.h"
#include "tools/bench-html.h"
#include "tools/format.h"

void
html_text(struct html *h, const char *text)
{
	auto_free char *safe = format_printable(text);

	if (!safe) {
		h->failed = true;
		return;
	}
	for (const char *s = safe; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", h->out);
			break;
		case '<':
			fputs("&lt;", h->out);
			break;
		case '>':
			fputs("&gt;", h->out);
			break;
		case '"':
			fputs("&quot;", h->out);
			break;
		default:
			fputc(*s, h->out);
		}
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The number everything is about: of the only memory, or of all on average.
 */
static void
put_hero(struct html *h, double fewer, const char *what)
{
	fprintf(h->out, "<h1><b>%.1f\xc3\x97</b> %s</h1>", fewer, what);
}

static void
put_one_hero(struct html *h, const struct bench_capture *c)
{
	char from[FORMAT_LEN], to[FORMAT_LEN];
	struct bench_headline x;

	bench_headline_of(c, &x);
	if (!x.tier) {
		fputs("<h1>What the tools make of this memory</h1>", h->out);
		return;
	}
	format_bytes(from, c->npages * PAGE_BYTES);
	format_bytes(to, x.tier->result.wire_bytes);
	if (x.baseline)
		put_hero(h, x.fewer,
			 "fewer bytes than gzip \xe2\x88\x92"
			 "6");
	else
		put_hero(h,
			 (double)c->npages * PAGE_BYTES /
				 (double)x.tier->result.wire_bytes,
			 "fewer bytes than the memory has");
	fprintf(h->out,
		"<p class=\"lede\">Moving this VM\xe2\x80\x99s <b>%s</b> of "
		"memory takes <b>%s</b>",
		from, to);
	if (x.baseline)
		fprintf(h->out,
			" on the wire and <b>%.2f</b> of gzip\xe2\x80\x99s "
			"CPU time",
			x.cpu);
	fputs(". Every tool decoded what it encoded, and every byte was "
	      "compared.</p>",
	      h->out);
}

static void
put_average_hero(struct html *h)
{
	struct bench_average averages[BENCH_ROWS_MAX];
	size_t n = bench_averages(h->r, averages);
	const struct bench_average *best =
		bench_average_headline(h->r, averages, n);
	char text[FORMAT_LEN];

	if (!best) {
		fputs("<h1>What the tools make of these memories</h1>", h->out);
		return;
	}
	put_hero(h, best->fewer,
		 "fewer bytes than gzip \xe2\x88\x92"
		 "6, on average");
	fprintf(h->out,
		"<p class=\"lede\">Over <b>%zu</b> memories %s takes <b>%s</b> "
		"on average, and in none under <b>%.1f\xc3\x97</b> fewer bytes "
		"than gzip. Every tool decoded what it encoded, and every byte "
		"was compared.</p>",
		h->r->ncaptures, best->mean.name,
		format_bytes(text, best->mean.wire_bytes), best->least_fewer);
}

static void
put_table_row(struct html *h, const struct bench_result *x, double fewer,
	      bool ours)
{
	char text[FORMAT_LEN];

	fprintf(h->out, "<tr%s><td>", ours ? " class=\"ours\"" : "");
	html_text(h, x->name);
	fprintf(h->out, "</td><td>%s</td>", format_bytes(text, x->wire_bytes));
	if (fewer > 0)
		fprintf(h->out, "<td>%.2f\xc3\x97</td>", fewer);
	else
		fputs("<td class=\"none\">\xe2\x80\x93</td>", h->out);
	fprintf(h->out, "<td>%.2f s</td><td>%.2f s</td></tr>", x->encode_cpu_s,
		x->decode_cpu_s);
}

static void
put_table_begin(struct html *h, const char *title)
{
	fprintf(h->out,
		"<section><h3>%s</h3><div class=\"wide\"><table><thead><tr>"
		"<th></th><th>bytes</th><th>fewer</th><th>encoding CPU</th>"
		"<th>decoding CPU</th></tr></thead><tbody>",
		title);
}

static void
put_averages(struct html *h)
{
	struct bench_average averages[BENCH_ROWS_MAX];
	size_t n = bench_averages(h->r, averages);

	put_table_begin(h, "On average");
	for (size_t i = 0; i < n; i++)
		put_table_row(h, &averages[i].mean, averages[i].fewer,
			      i < h->r->captures[0].ntiers);
	fputs("</tbody></table></div></section>", h->out);
}

static void
put_results(struct html *h, const struct bench_capture *c)
{
	struct bench_rows rows;

	bench_rows_of(c, &rows);
	put_table_begin(h, "All figures");
	for (size_t i = 0; i < rows.n; i++)
		put_table_row(h, rows.row[i], bench_fewer(c, rows.row[i]),
			      i < rows.ntiers);
	fputs("</tbody></table></div></section>", h->out);
}

static void
put_capture(struct html *h, const struct bench_capture *c)
{
	char from[FORMAT_LEN], to[FORMAT_LEN];
	struct bench_headline x;

	bench_headline_of(c, &x);
	if (h->r->ncaptures > 1) {
		fputs("<div class=\"capture\"><h2>", h->out);
		html_text(h, base_name(c->path));
		fputs("</h2>", h->out);
		if (x.tier && x.baseline)
			fprintf(h->out,
				"<p>%s of memory as %s: %.1f\xc3\x97 fewer "
				"bytes than gzip \xe2\x88\x92"
				"6</p>",
				format_bytes(from, c->npages * PAGE_BYTES),
				format_bytes(to, x.tier->result.wire_bytes),
				x.fewer);
	}
	html_sizes(h, c);
	html_times(h, c);
	if (x.tier) {
		html_flow(h, x.tier);
		html_map(h, c, x.tier);
		html_classes(h, x.tier);
		html_stages(h, x.tier);
	}
	put_results(h, c);
	if (h->r->ncaptures > 1)
		fputs("</div>", h->out);
}

static void
put_fact(struct html *h, const char *what, const char *value, const char *more,
	 const struct digest *digest)
{
	fprintf(h->out, "<dt>%s</dt><dd>", what);
	html_text(h, value);
	if (more) {
		fputs("<small>", h->out);
		html_text(h, more);
		fputs("</small>", h->out);
	}
	if (digest) {
		fputs("<small><code>", h->out);
		for (size_t i = 0; i < DIGEST_BYTES; i++)
			fprintf(h->out, "%02x", digest->b[i]);
		fputs("</code></small>", h->out);
	}
	fputs("</dd>", h->out);
}

static void
put_foot(struct html *h)
{
	const struct bench_report *r = h->r;
	char text[160], bytes[FORMAT_LEN], n[FORMAT_LEN];
	char guest[BENCH_GUEST_TEXT];

	fputs("<footer><h3>What was measured, and on what</h3><dl>", h->out);
	for (size_t i = 0; i < r->ncaptures; i++) {
		const struct bench_capture *c = &r->captures[i];

		snprintf(text, sizeof(text),
			 "%s, %s, %s pages; SHA-256:", c->format,
			 format_bytes(bytes, c->file_bytes),
			 format_count(n, c->npages));
		put_fact(h, "Memory", c->path, text, &c->digest);
		put_fact(h, "Guest", bench_guest_text(&c->guest, guest), NULL,
			 NULL);
	}
	for (size_t i = 0; i < r->nimages; i++) {
		const struct bench_image *img = &r->images[i];

		snprintf(text, sizeof(text),
			 "%s, %s, %s different blocks; root of the index:",
			 img->format, format_bytes(bytes, img->bytes),
			 format_count(n, img->unique_blocks));
		put_fact(h, "Image", img->path, text, &img->root);
	}
	if (r->previous)
		put_fact(h, "Previous memory", r->previous,
			 "kept by the receiver; SHA-256:", &r->previous_digest);
	put_fact(h, "CPU", r->cpu, NULL, NULL);
	snprintf(text, sizeof(text), "%u of %u", r->threads, r->cores);
	put_fact(h, "Threads", text, NULL, NULL);
	put_fact(h, "Kernel", r->kernel, NULL, NULL);
	snprintf(text, sizeof(text), "virt-mig %s, %s", r->version,
		 r->compiler);
	put_fact(h, "Version", text, NULL, NULL);
	put_fact(h, "Started", r->started, NULL, NULL);
	fputs("</dl></footer>", h->out);
}

/* All of it again for programs.  "<" cannot stand in a script element as it
 * is, so it is written the way JSON allows.
 */
static void
put_json(struct html *h, const json_t *json)
{
	auto_free char *text = json_dumps(json, JSON_COMPACT);

	if (!text) {
		h->failed = true;
		return;
	}
	fputs("<script type=\"application/json\" id=\"results\">", h->out);
	for (const char *s = text; *s; s++)
		if (*s == '<')
			fputs("\\u003c", h->out);
		else
			fputc(*s, h->out);
	fputs("</script>", h->out);
}

int
bench_report_html(const struct bench_report *r, const json_t *json, FILE *out,
		  struct err *e)
{
	struct html h = { .out = out, .r = r };

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head>"
	      "<meta charset=\"utf-8\"/><meta name=\"viewport\" "
	      "content=\"width=device-width, initial-scale=1\"/><title>",
	      out);
	if (r->ncaptures == 1)
		html_text(&h, base_name(r->captures[0].path));
	else
		fprintf(out, "%zu memories", r->ncaptures);
	fprintf(out, " \xe2\x80\x93 virt-mig bench</title><style>%s</style>",
		html_style);
	fputs("</head><body><main><p class=\"kicker\">virt-mig bench", out);
	if (r->ncaptures == 1) {
		fputs(" \xc2\xb7 ", out);
		html_text(&h, base_name(r->captures[0].path));
	}
	fputs("</p>", out);
	if (r->ncaptures == 1)
		put_one_hero(&h, &r->captures[0]);
	else if (r->ncaptures > 1)
		put_average_hero(&h);
	if (r->ncaptures > 1)
		put_averages(&h);
	for (size_t i = 0; i < r->ncaptures; i++)
		put_capture(&h, &r->captures[i]);
	put_foot(&h);
	put_json(&h, json);
	fputs("</main></body></html>\n", out);
	if (h.failed)
		return err_set(e, ERR_SYSTEM, "no memory for the page");
	if (fflush(out) != 0 || ferror(out))
		return err_sys(e, "the page");
	return 0;
}
