/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/bench-html.h"
#include "tools/bench-map.h"
#include "tools/format.h"

/* The colours that html_style gives plans; a picture cannot ask it, so these
 * are the ones that do for light and dark alike.  Zero lets the paper through.
 */
static const uint32_t colours[PLAN__MAX] = {
	[PLAN_ZERO] = 0,        [PLAN_FILL] = 0xa8977c,
	[PLAN_FREE] = 0x8f9aa3, [PLAN_REF] = 0x2f7fb5,
	[PLAN_MOVE] = 0x8a6bbf, [PLAN_DELTA] = 0xdfa321,
	[PLAN_DATA] = 0xe4572e, [PLAN_BYTES] = 0x3f7d6e,
};

/* More than the worst map takes, so that a page stays under 1 MB. */
#define PNG_MAX (256u << 10)

#define TICKS 5

/* Where in the guest page n stands; one past the last page is where the last
 * one ends.
 */
static uint64_t
gpa_of(const struct bench_capture *c, uint64_t n)
{
	for (size_t i = 0; i < c->nsegments; i++) {
		const struct bench_segment *s = &c->segments[i];

		if (n - s->first_page < s->npages ||
		    (n == c->npages && n == s->first_page + s->npages))
			return s->gpa + (n - s->first_page) * PAGE_BYTES;
	}
	return n * PAGE_BYTES;
}

static void
put_axis(struct html *h, const struct bench_capture *c)
{
	char text[FORMAT_LEN];

	fputs("<div class=\"axis\" aria-hidden=\"true\">", h->out);
	for (unsigned i = 0; i < TICKS; i++) {
		uint64_t gpa = gpa_of(c, c->npages * i / (TICKS - 1));

		fprintf(h->out, "<span style=\"top:%u%%\">%s</span>",
			100 * i / (TICKS - 1),
			gpa ? format_bytes(text, gpa) : "0");
	}
	fputs("</div>", h->out);
}

static int
put_picture(struct html *h, const struct bench_map *m, struct err *e)
{
	struct buf png;
	auto_free unsigned char *text = NULL;
	int rc;

	buf_init(&png, PNG_MAX);
	rc = bench_map_png(m, colours, &png, e);
	if (rc == 0) {
		text = malloc(png.len / 3 * 4 + 5);
		rc = text ? 0 : err_sys(e, "map of memory");
	}
	if (rc == 0) {
		EVP_EncodeBlock(text, png.data, (int)png.len);
		fprintf(h->out,
			"<svg viewBox=\"0 0 %u %u\" role=\"img\" "
			"aria-label=\"Map of memory\"><image width=\"%u\" "
			"height=\"%u\" preserveAspectRatio=\"none\" "
			"href=\"data:image/png;base64,%s\"/></svg>",
			m->width, m->height, m->width, m->height, text);
	}
	buf_fini(&png);
	return rc;
}

static void
put_keys(struct html *h, const struct bench_tier *t)
{
	char text[FORMAT_LEN];

	fputs("<ul class=\"keys\">", h->out);
	for (size_t i = 0; i < html_nkinds; i++) {
		const struct html_kind *k = &html_kinds[i];

		if (k->plan < 0 || t->pages[k->plan] == 0)
			continue;
		fprintf(h->out, "<li class=\"k-%s\">%s <b>%s</b></li>", k->css,
			k->label, format_count(text, t->pages[k->plan]));
	}
	fputs("</ul>", h->out);
}

void
html_map(struct html *h, const struct bench_capture *c,
	 const struct bench_tier *t)
{
	char cell[FORMAT_LEN], row[FORMAT_LEN];
	struct bench_map m;
	struct err e;

	if (!t->plan || t->npages == 0)
		return;
	if (bench_map_init(&m, t, &e) != 0) {
		h->failed = true;
		return;
	}
	fprintf(h->out,
		"<section><h3>A map of memory</h3><p class=\"note\">Every page "
		"of the guest, in rows of %s, coloured by what became of it. A "
		"dot is %s: what most of its pages are.</p>"
		"<figure><div class=\"map\">",
		format_bytes(row, m.width * m.cell_pages * PAGE_BYTES),
		format_bytes(cell, m.cell_pages * PAGE_BYTES));
	put_axis(h, c);
	if (put_picture(h, &m, &e) != 0)
		h->failed = true;
	fputs("</div>", h->out);
	put_keys(h, t);
	fputs("</figure></section>", h->out);
	bench_map_fini(&m);
}
