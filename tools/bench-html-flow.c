/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>

#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-html.h"
#include "tools/format.h"

/* In the order of both bars: what is sent first, what costs nothing last. */
const struct html_kind html_kinds[] = {
	{ "data", "sent", PLAN_DATA, PART_DATA, true },
	{ "copy", "words found elsewhere in memory", -1, PART_COPY, true },
	{ "delta", "known but for some words", PLAN_DELTA, PART_DELTA, true },
	{ "move", "known but for moved pointers", PLAN_MOVE, PART_MOVE, true },
	{ "ref", "known: in the image or seen before", PLAN_REF, PART_REF,
	  true },
	{ "fill", "one word repeated", PLAN_FILL, PART_FILL, true },
	{ "free", "not in use", PLAN_FREE, PART_DATA, false },
	{ "zero", "zero", PLAN_ZERO, PART_DATA, false },
	{ "plan", "what becomes of which page", -1, PART_PLAN, true },
	{ "bytes", "between the pages of the file", -1, PART_BYTES, true },
	{ "frame", "frames and session", -1, PART_FRAME, true },
};

const size_t html_nkinds = ARRAY_LEN(html_kinds);

/* Both bars are WIDTH units long; the drawing is stretched to the page. */
#define WIDTH  1000.0
#define BAR    36
#define BOTTOM 164

/* What of a bar a kind takes: from x0 to x1. */
struct extent {
	double x0, x1;
};

struct flow {
	uint64_t pages[ARRAY_LEN(html_kinds)], bytes[ARRAY_LEN(html_kinds)];
	struct extent top[ARRAY_LEN(html_kinds)];
	struct extent bottom[ARRAY_LEN(html_kinds)];
};

static void
lay_out(const uint64_t *parts, struct extent *at)
{
	uint64_t whole = 0, sum = 0;

	for (size_t i = 0; i < html_nkinds; i++)
		whole += parts[i];
	for (size_t i = 0; i < html_nkinds; i++) {
		at[i].x0 = whole ? WIDTH * (double)sum / (double)whole : 0;
		sum += parts[i];
		at[i].x1 = whole ? WIDTH * (double)sum / (double)whole : 0;
	}
}

static void
flow_of(const struct bench_tier *t, struct flow *f)
{
	uint64_t parts[PART__MAX];

	bench_parts(t, parts);
	for (size_t i = 0; i < html_nkinds; i++) {
		const struct html_kind *k = &html_kinds[i];

		f->pages[i] = k->plan < 0 ? 0 : t->pages[k->plan];
		f->bytes[i] = k->has_part ? parts[k->part] : 0;
	}
	lay_out(f->pages, f->top);
	lay_out(f->bytes, f->bottom);
}

static void
put_bar(struct html *h, const struct extent *at, int y)
{
	for (size_t i = 0; i < html_nkinds; i++)
		if (at[i].x1 > at[i].x0)
			fprintf(h->out,
				"<rect class=\"k-%s\" x=\"%.2f\" y=\"%d\" "
				"width=\"%.2f\" height=\"%d\"/>",
				html_kinds[i].css, at[i].x0, y,
				at[i].x1 - at[i].x0, BAR);
}

/* The ribbon from a part of the memory to the bytes it became. */
static void
put_ribbon(struct html *h, const char *css, struct extent a, struct extent b)
{
	int mid = (BAR + BOTTOM) / 2;

	fprintf(h->out,
		"<path class=\"k-%s\" d=\"M%.2f %dC%.2f %d %.2f %d %.2f %dH%.2f"
		"C%.2f %d %.2f %d %.2f %dZ\"/>",
		css, a.x0, BAR, a.x0, mid, b.x0, mid, b.x0, BOTTOM, b.x1, b.x1,
		mid, a.x1, mid, a.x1, BAR);
}

static void
put_drawing(struct html *h, const struct flow *f)
{
	fprintf(h->out,
		"<svg viewBox=\"0 0 %.0f %d\" preserveAspectRatio=\"none\" "
		"role=\"img\" aria-label=\"What the memory is made of, above, "
		"and what the bytes on the wire are made of, below\">",
		WIDTH, BOTTOM + BAR);
	for (size_t i = 0; i < html_nkinds; i++) {
		struct extent to = f->bottom[i];

		if (f->top[i].x1 <= f->top[i].x0)
			continue;
		/* Pages that are sent become words and copies, its
		 * neighbour in the list.
		 */
		if (html_kinds[i].plan == PLAN_DATA)
			to.x1 = f->bottom[i + 1].x1;
		put_ribbon(h, html_kinds[i].css, f->top[i], to);
	}
	put_bar(h, f->top, 0);
	put_bar(h, f->bottom, BOTTOM);
	fputs("</svg>", h->out);
}

static void
put_amount(struct html *h, uint64_t n, uint64_t whole)
{
	char text[FORMAT_LEN];

	if (n == 0) {
		fputs("<td class=\"none\">\xe2\x80\x93</td>"
		      "<td class=\"none hide\"></td>",
		      h->out);
		return;
	}
	fprintf(h->out, "<td>%s</td><td class=\"hide\">%.1f %%</td>",
		format_bytes(text, n), 100.0 * (double)n / (double)whole);
}

static void
put_figures(struct html *h, const struct bench_tier *t, const struct flow *f)
{
	char text[FORMAT_LEN];

	fputs("<div class=\"wide\"><table><thead><tr><th></th>"
	      "<th class=\"hide\">pages</th><th>memory</th>"
	      "<th class=\"hide\"></th><th>on the wire</th>"
	      "<th class=\"hide\"></th></tr></thead><tbody>",
	      h->out);
	for (size_t i = 0; i < html_nkinds; i++) {
		if (f->pages[i] == 0 && f->bytes[i] == 0)
			continue;
		fprintf(h->out,
			"<tr><td class=\"key\"><span class=\"sw "
			"k-%s\"></span>%s</td>"
			"<td class=\"hide\">%s</td>",
			html_kinds[i].css, html_kinds[i].label,
			f->pages[i] ? format_count(text, f->pages[i]) : "");
		put_amount(h, f->pages[i] * PAGE_BYTES, t->npages * PAGE_BYTES);
		put_amount(h, f->bytes[i], t->result.wire_bytes);
		fputs("</tr>", h->out);
	}
	fputs("</tbody></table></div>", h->out);
}

void
html_flow(struct html *h, const struct bench_tier *t)
{
	char memory[FORMAT_LEN], wire[FORMAT_LEN];
	struct flow f;

	flow_of(t, &f);
	fprintf(h->out,
		"<section><h3>Where the bytes went</h3><figure class=\"flow\">"
		"<div class=\"ends\"><span>%s of memory</span>"
		"<span>%s</span></div>",
		format_bytes(memory, t->npages * PAGE_BYTES), t->result.name);
	put_drawing(h, &f);
	fprintf(h->out,
		"<div class=\"ends\"><span>%s on the wire</span>"
		"<span>drawn %.0f\xc3\x97 larger</span></div></figure>",
		format_bytes(wire, t->result.wire_bytes),
		(double)t->npages * PAGE_BYTES / (double)t->result.wire_bytes);
	put_figures(h, t, &f);
	fputs("</section>", h->out);
}
