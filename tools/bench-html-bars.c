/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/page.h"
#include "tools/bench-html.h"
#include "tools/format.h"

/* The bar of one row, as long as 'part' is of 'whole'. */
static void
put_bar(struct html *h, double part, double whole)
{
	fprintf(h->out,
		"<svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
		"aria-hidden=\"true\"><rect width=\"%.3f\" height=\"1\"/>"
		"</svg>",
		whole > 0 ? 100 * part / whole : 0);
}

static void
put_row_begin(struct html *h, const char *name, const char *css)
{
	fprintf(h->out, "<div class=\"%s\"><span>", css);
	html_text(h, name);
	fputs("</span>", h->out);
}

void
html_sizes(struct html *h, const struct bench_capture *c)
{
	struct bench_rows rows;
	char text[FORMAT_LEN];
	double most = 0;

	bench_rows_of(c, &rows);
	for (size_t i = 0; i < rows.n; i++)
		if ((double)rows.row[i]->wire_bytes > most)
			most = (double)rows.row[i]->wire_bytes;
	fputs("<section><h3>Bytes on the wire</h3><p class=\"note\">And how "
	      "many times fewer than gzip \xe2\x88\x92"
	      "6 needs.</p><div class=\"bars\">",
	      h->out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct bench_result *x = rows.row[i];
		double fewer = bench_fewer(c, x);

		put_row_begin(h, x->name, i < rows.ntiers ? "ours" : "peer");
		put_bar(h, (double)x->wire_bytes, most);
		fprintf(h->out, "<i>%s", format_bytes(text, x->wire_bytes));
		if (fewer > 0)
			fprintf(h->out, " <small>%.2f\xc3\x97</small>", fewer);
		fputs("</i></div>", h->out);
	}
	fputs("</div></section>", h->out);
}

/* Whether encoding or decoding takes longer than the link. */
static bool
is_cpu_bound(const struct html *h, const struct bench_result *x,
	     const struct bench_link *l)
{
	double sending = (double)x->wire_bytes * 8 / l->bits_per_s;

	return bench_move_s(x, l, h->r->threads) > sending;
}

static void
put_link(struct html *h, const struct bench_rows *rows,
	 const struct bench_link *l)
{
	unsigned threads = h->r->threads;
	char text[FORMAT_LEN];
	double longest = 0, s;
	int digits;

	for (size_t i = 0; i < rows->n; i++) {
		s = bench_move_s(rows->row[i], l, threads);
		if (s > longest)
			longest = s;
	}
	digits = (int)strspn(l->name, "0123456789.");
	fprintf(h->out,
		"<div><h4>%.*s\xe2\x80\xaf%sb/s</h4><div class=\"bars\">",
		digits, l->name, l->name + digits);
	for (size_t i = 0; i < rows->n; i++) {
		s = bench_move_s(rows->row[i], l, threads);
		put_row_begin(h, rows->row[i]->name,
			      i < rows->ntiers ? "ours" : "peer");
		put_bar(h, s, longest);
		fprintf(h->out, "<i>%s<em>%s</em></i></div>",
			format_time(text, s),
			is_cpu_bound(h, rows->row[i], l) ? "\xc2\xb0" : "");
	}
	fputs("</div></div>", h->out);
}

void
html_times(struct html *h, const struct bench_capture *c)
{
	struct bench_rows rows;

	if (h->r->nlinks == 0)
		return;
	bench_rows_of(c, &rows);
	fprintf(h->out,
		"<section><h3>Time to move over a link</h3>"
		"<p class=\"note\">%s Where the CPU and not the link sets the "
		"time there is a \xc2\xb0 (%u threads).</p>"
		"<div class=\"panels\">",
		bench_move_rule, h->r->threads);
	for (size_t i = 0; i < h->r->nlinks; i++)
		put_link(h, &rows, &h->r->links[i]);
	fputs("</div></section>", h->out);
}

void
html_stages(struct html *h, const struct bench_tier *t)
{
	double most = 0;

	if (t->nstages == 0)
		return;
	for (size_t i = 0; i < t->nstages; i++)
		if (t->stages[i].cpu_s > most)
			most = t->stages[i].cpu_s;
	fprintf(h->out,
		"<section><h3>Where the CPU time went</h3>"
		"<p class=\"note\">%s: encoding took %.2f s, decoding %.2f s, "
		"of all threads together.</p><div class=\"bars\">",
		t->result.name, t->result.encode_cpu_s, t->result.decode_cpu_s);
	for (size_t i = 0; i < t->nstages; i++) {
		const struct bench_stage *s = &t->stages[i];

		put_row_begin(h, s->name, s->decoding ? "light" : "dark");
		put_bar(h, s->cpu_s, most);
		fprintf(h->out, "<i>%.2f s", s->cpu_s);
		if (s->cpu_s > 0)
			fprintf(h->out, " <small>%.0f MB/s</small>",
				(double)s->bytes / s->cpu_s / 1e6);
		fputs("</i></div>", h->out);
	}
	fputs("</div><p class=\"note\">Dark: the sender; light: the receiver. "
	      "MB/s of what the stage was given.</p></section>",
	      h->out);
}

void
html_classes(struct html *h, const struct bench_tier *t)
{
	char pages[FORMAT_LEN], bytes[FORMAT_LEN], sent[FORMAT_LEN];

	if (t->nclasses == 0)
		return;
	fputs("<section><h3>What the pages are</h3><div class=\"wide\"><table>"
	      "<thead><tr><th>class</th><th>pages</th><th>memory</th>"
	      "<th class=\"hide\"></th><th>sent</th></tr></thead><tbody>",
	      h->out);
	for (size_t i = 0; i < t->nclasses; i++) {
		const struct bench_class *c = &t->classes[i];

		if (c->pages == 0)
			continue;
		fprintf(h->out,
			"<tr><td>%s</td><td>%s</td><td>%s</td>"
			"<td class=\"hide\">%.1f %%</td><td>%s</td></tr>",
			c->name, format_count(pages, c->pages),
			format_bytes(bytes, c->pages * PAGE_BYTES),
			100.0 * (double)c->pages / (double)t->npages,
			c->sent ? format_count(sent, c->sent) : "\xe2\x80\x93");
	}
	fputs("</tbody></table></div></section>", h->out);
}
