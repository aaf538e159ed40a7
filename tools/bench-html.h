/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_HTML_H
#define MIG_BENCH_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/bench-report.h"
#include "tools/bench-summary.h"

/* The parts of the page.  Each writes to .out; a lack of memory is noted in
 * .failed and looked at once, at the end.
 */
struct html {
	FILE *out;
	const struct bench_report *r;
	bool failed;
};

extern const char html_style[];

/* Text from anywhere, made printable and escaped. */
void html_text(struct html *h, const char *text) __attribute__((nonnull));

/* What pages and bytes are drawn as: by what became of them. */
struct html_kind {
	const char *css;   /* class, and name of the colour variable */
	const char *label; /* for people */
	int plan;          /* -1: these bytes belong to no page */
	enum bench_part part;
	bool has_part; /* costs bytes of its own */
};

extern const struct html_kind html_kinds[];
extern const size_t html_nkinds;

/* A stacked bar of the memory, one of the bytes on the wire, and what flows
 * from one into the other; below it the figures, which are the legend, too.
 */
void html_flow(struct html *h, const struct bench_tier *t)
	__attribute__((nonnull));
/* The memory, cell by cell. */
void html_map(struct html *h, const struct bench_capture *c,
	      const struct bench_tier *t) __attribute__((nonnull));
/* Bars of all results of a capture: their bytes; their times over a link. */
void html_sizes(struct html *h, const struct bench_capture *c)
	__attribute__((nonnull));
void html_times(struct html *h, const struct bench_capture *c)
	__attribute__((nonnull));
/* CPU by stage; pages by class. */
void html_stages(struct html *h, const struct bench_tier *t)
	__attribute__((nonnull));
void html_classes(struct html *h, const struct bench_tier *t)
	__attribute__((nonnull));

#endif
