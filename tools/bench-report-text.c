/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-guest.h"
#include "tools/bench-report.h"
#include "tools/bench-summary.h"
#include "tools/format.h"

const char bench_move_rule[] =
	"A time is the longest of sending the bytes, encoding and decoding, "
	"which overlap; the CPU of every tool is divided by the threads, as "
	"if all of them could use them.";

static double
percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static uint64_t
memory_bytes(const struct bench_capture *c)
{
	return c->npages * PAGE_BYTES;
}

static void
put_headline(const struct bench_capture *c, FILE *out)
{
	char from[FORMAT_LEN], to[FORMAT_LEN], fewer[FORMAT_LEN];
	struct bench_headline h;

	bench_headline_of(c, &h);
	if (!h.tier)
		return;
	format_bytes(from, memory_bytes(c));
	format_bytes(to, h.tier->result.wire_bytes);
	fprintf(out, "Moving this VM: %s -> %s", from, to);
	if (h.baseline)
		fprintf(out,
			", %s fewer bytes than gzip -6 with %.2f of its CPU "
			"time",
			format_ratio(fewer, h.fewer), h.cpu);
	fprintf(out, " (%s)\n\n", h.tier->result.name);
}

static int
put_path(FILE *out, const char *what, const char *path, struct err *e)
{
	auto_free char *safe = format_printable(path);

	if (!safe)
		return err_sys(e, "%s", what);
	fprintf(out, "%-9s %s", what, safe);
	return 0;
}

static int
put_inputs(const struct bench_report *r, const struct bench_capture *c,
	   FILE *out, struct err *e)
{
	char bytes[FORMAT_LEN], n[FORMAT_LEN], guest[BENCH_GUEST_TEXT];

	if (put_path(out, "Memory", c->path, e) != 0)
		return -1;
	fprintf(out, ": %s, %s, %s pages\n", c->format,
		format_bytes(bytes, c->file_bytes), format_count(n, c->npages));
	fprintf(out, "%-9s %s\n", "Guest", bench_guest_text(&c->guest, guest));
	for (size_t i = 0; i < r->nimages; i++) {
		const struct bench_image *img = &r->images[i];

		if (put_path(out, "Image", img->path, e) != 0)
			return -1;
		fprintf(out, ": %s, %s, %s different blocks\n", img->format,
			format_bytes(bytes, img->bytes),
			format_count(n, img->unique_blocks));
	}
	if (r->previous) {
		if (put_path(out, "Previous", r->previous, e) != 0)
			return -1;
		fprintf(out, ": the receiver has kept this memory\n");
	}
	fprintf(out, "Machine   %s, %u threads of %u, %s\n", r->cpu, r->threads,
		r->cores, r->kernel);
	fprintf(out, "Verified  every tool decoded what it encoded; every byte "
		     "was compared\n");
	return 0;
}

/* Pages of memory by what became of them. */
static void
put_plans(const struct bench_tier *t, FILE *out)
{
	char pages[FORMAT_LEN], bytes[FORMAT_LEN];

	fprintf(out, "  %-12s %11s %10s %7s\n", "page plan", "pages", "memory",
		"share");
	for (unsigned p = 0; p < PLAN__MAX; p++) {
		if (p == PLAN_BYTES || t->pages[p] == 0)
			continue;
		fprintf(out, "  %-12s %11s %10s %6.2f%%\n", plan_code_name(p),
			format_count(pages, t->pages[p]),
			format_bytes(bytes, t->pages[p] * PAGE_BYTES),
			percent(t->pages[p], t->npages));
	}
}

static void
put_classes(const struct bench_tier *t, FILE *out)
{
	char pages[FORMAT_LEN], bytes[FORMAT_LEN], sent[FORMAT_LEN];

	if (t->nclasses == 0)
		return;
	fprintf(out, "\n  %-12s %11s %10s %7s %11s\n", "page class", "pages",
		"memory", "share", "sent");
	for (size_t i = 0; i < t->nclasses; i++) {
		const struct bench_class *c = &t->classes[i];

		if (c->pages == 0)
			continue;
		fprintf(out, "  %-12s %11s %10s %6.2f%% %11s\n", c->name,
			format_count(pages, c->pages),
			format_bytes(bytes, c->pages * PAGE_BYTES),
			percent(c->pages, t->npages),
			format_count(sent, c->sent));
	}
}

static void
put_stream(const struct bench_tier *t, const char *name, uint64_t raw,
	   uint64_t wire, FILE *out)
{
	char before[FORMAT_LEN], after[FORMAT_LEN];

	if (raw == 0 && wire == 0)
		return;
	fprintf(out, "  %-12s %11s %10s %6.2f%%\n", name,
		format_bytes(before, raw), format_bytes(after, wire),
		percent(wire, t->result.wire_bytes));
}

static void
put_streams(const struct bench_tier *t, FILE *out)
{
	fprintf(out, "\n  %-12s %11s %10s %7s\n", "stream", "before codec",
		"on wire", "share");
	for (unsigned s = 0; s < STREAM__MAX; s++)
		put_stream(t, plan_stream_name(s), t->raw[s], t->wire[s], out);
	put_stream(t, "frames", t->frame_bytes, t->frame_bytes, out);
	put_stream(t, "session", t->session_bytes, t->session_bytes, out);
}

static void
put_stages(const struct bench_tier *t, FILE *out)
{
	char bytes[FORMAT_LEN];

	if (t->nstages == 0)
		return;
	fprintf(out, "\n  %-12s %11s %10s %8s\n", "stage", "bytes in", "CPU s",
		"MB/s");
	for (size_t i = 0; i < t->nstages; i++) {
		const struct bench_stage *s = &t->stages[i];

		fprintf(out, "  %-12s %11s %10.2f", s->name,
			format_bytes(bytes, s->bytes), s->cpu_s);
		if (s->cpu_s > 0)
			fprintf(out, " %8.0f",
				(double)s->bytes / s->cpu_s / 1e6);
		fprintf(out, "%s\n", s->decoding ? "  (receiver)" : "");
	}
}

/* Whether both tiers say the same of each page, but for how it is coded. */
static bool
is_same_plan(const struct bench_tier *a, const struct bench_tier *b)
{
	for (size_t i = 0; i < a->nclasses; i++)
		if (a->classes[i].sent != b->classes[i].sent)
			return false;
	return memcmp(a->pages, b->pages, sizeof(a->pages)) == 0;
}

/* before is the tier above this one on the page, NULL at its top. */
static void
put_tier(const struct bench_tier *t, const struct bench_tier *before, FILE *out)
{
	fprintf(out, "\n%s\n", t->result.name);
	if (before && is_same_plan(t, before)) {
		fprintf(out, "  pages as with %s\n", before->result.name);
	} else {
		put_plans(t, out);
		put_classes(t, out);
	}
	put_streams(t, out);
	put_stages(t, out);
}

static void
put_row(const struct bench_report *r, const struct bench_result *x,
	double fewer, FILE *out)
{
	char text[FORMAT_LEN];

	fprintf(out, "  %-20s %9s", x->name, format_bytes(text, x->wire_bytes));
	fprintf(out, " %7s", fewer > 0 ? format_ratio(text, fewer) : "-");
	fprintf(out, " %7.2f %7.2f", x->encode_cpu_s, x->decode_cpu_s);
	for (size_t i = 0; i < r->nlinks; i++)
		fprintf(out, " %8s",
			format_time(text,
				    bench_move_s(x, &r->links[i], r->threads)));
	fputc('\n', out);
}

static void
put_row_heads(const struct bench_report *r, FILE *out)
{
	fprintf(out, "  %-20s %9s %7s %15s", "", "bytes", "fewer",
		"CPU s enc/dec");
	for (size_t i = 0; i < r->nlinks; i++)
		fprintf(out, " %6sb/s", r->links[i].name);
	fputc('\n', out);
}

static int
put_capture(const struct bench_report *r, const struct bench_capture *c,
	    FILE *out, struct err *e)
{
	struct bench_rows rows;

	put_headline(c, out);
	if (put_inputs(r, c, out, e) != 0)
		return -1;
	bench_rows_of(c, &rows);
	fprintf(out, "\nAll tools on this memory: bytes, how many times fewer "
		     "than gzip -6, CPU, time to move\n");
	put_row_heads(r, out);
	for (size_t i = 0; i < rows.n; i++)
		put_row(r, rows.row[i], bench_fewer(c, rows.row[i]), out);
	for (size_t i = 0; i < c->ntiers; i++)
		put_tier(&c->tiers[i], i ? &c->tiers[i - 1] : NULL, out);
	return 0;
}

static void
put_averages(const struct bench_report *r, FILE *out)
{
	struct bench_average averages[BENCH_ROWS_MAX];
	size_t n = bench_averages(r, averages);
	const struct bench_average *best =
		bench_average_headline(r, averages, n);
	char bytes[FORMAT_LEN], mean[FORMAT_LEN], least[FORMAT_LEN];

	if (best)
		fprintf(out,
			"Moving these %zu VMs: %s each on average, %s fewer "
			"bytes than gzip -6,\nin none under %s (%s)\n\n",
			r->ncaptures,
			format_bytes(bytes, best->mean.wire_bytes),
			format_ratio(mean, best->fewer),
			format_ratio(least, best->least_fewer),
			best->mean.name);
	fprintf(out, "On average\n");
	put_row_heads(r, out);
	for (size_t i = 0; i < n; i++)
		put_row(r, &averages[i].mean, averages[i].fewer, out);
}

int
bench_report_text(const struct bench_report *r, FILE *out, struct err *e)
{
	if (r->ncaptures > 1)
		put_averages(r, out);
	for (size_t i = 0; i < r->ncaptures; i++) {
		if (r->ncaptures > 1)
			fprintf(out, "\n\n");
		if (put_capture(r, &r->captures[i], out, e) != 0)
			return -1;
	}
	fprintf(out, "\n%s\n", bench_move_rule);
	if (fflush(out) != 0)
		return err_sys(e, "standard output");
	return 0;
}
