/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "tools/bench-summary.h"

void
bench_rows_of(const struct bench_capture *c, struct bench_rows *rows)
{
	rows->n = 0;
	for (size_t i = 0; i < c->ntiers && rows->n < BENCH_ROWS_MAX; i++)
		rows->row[rows->n++] = &c->tiers[i].result;
	rows->ntiers = rows->n;
	for (size_t i = 0; i < c->npeers && rows->n < BENCH_ROWS_MAX; i++)
		rows->row[rows->n++] = &c->peers[i];
}

const struct bench_result *
bench_result_named(const struct bench_capture *c, const char *name)
{
	struct bench_rows rows;

	bench_rows_of(c, &rows);
	for (size_t i = 0; i < rows.n; i++)
		if (strcmp(rows.row[i]->name, name) == 0)
			return rows.row[i];
	return NULL;
}

static double
cpu_of(const struct bench_result *r)
{
	return r->encode_cpu_s + r->decode_cpu_s;
}

/* Whether a is the better headline than b, which may be NULL. */
static bool
is_better(const struct bench_result *a, const struct bench_result *b,
	  const struct bench_result *baseline)
{
	bool a_fits, b_fits;

	if (!b)
		return true;
	a_fits = !baseline || cpu_of(a) <= cpu_of(baseline);
	b_fits = !baseline || cpu_of(b) <= cpu_of(baseline);
	if (a_fits != b_fits)
		return a_fits;
	return a->wire_bytes < b->wire_bytes;
}

void
bench_headline_of(const struct bench_capture *c, struct bench_headline *h)
{
	const struct bench_result *best = NULL;

	*h = (struct bench_headline){ .tier = NULL };
	h->baseline = bench_result_named(c, BENCH_BASELINE);
	for (size_t i = 0; i < c->ntiers; i++) {
		if (!is_better(&c->tiers[i].result, best, h->baseline))
			continue;
		best = &c->tiers[i].result;
		h->tier = &c->tiers[i];
	}
	if (!best || !h->baseline)
		return;
	h->fewer = bench_fewer(c, best);
	h->cpu = cpu_of(best) / cpu_of(h->baseline);
}

double
bench_fewer(const struct bench_capture *c, const struct bench_result *r)
{
	const struct bench_result *base = bench_result_named(c, BENCH_BASELINE);

	if (!base || r->wire_bytes == 0)
		return 0;
	return (double)base->wire_bytes / (double)r->wire_bytes;
}

/* The mean over all captures; false if one does not have it. */
static bool
average(const struct bench_report *r, const char *name,
	struct bench_average *out)
{
	double bytes = 0, n = (double)r->ncaptures;

	*out = (struct bench_average){ .mean = { .verified = true } };
	snprintf(out->mean.name, sizeof(out->mean.name), "%s", name);
	for (size_t i = 0; i < r->ncaptures; i++) {
		const struct bench_capture *c = &r->captures[i];
		const struct bench_result *x = bench_result_named(c, name);
		double fewer;

		if (!x)
			return false;
		fewer = bench_fewer(c, x);
		if (i == 0 || fewer < out->least_fewer)
			out->least_fewer = fewer;
		bytes += (double)x->wire_bytes / n;
		out->fewer += fewer / n;
		out->mean.encode_cpu_s += x->encode_cpu_s / n;
		out->mean.decode_cpu_s += x->decode_cpu_s / n;
		out->mean.wall_s += x->wall_s / n;
	}
	out->mean.wire_bytes = (uint64_t)(bytes + 0.5);
	return true;
}

size_t
bench_averages(const struct bench_report *r,
	       struct bench_average out[BENCH_ROWS_MAX])
{
	struct bench_rows rows;
	size_t n = 0;

	if (r->ncaptures == 0)
		return 0;
	bench_rows_of(&r->captures[0], &rows);
	for (size_t i = 0; i < rows.n; i++)
		n += average(r, rows.row[i]->name, &out[n]);
	return n;
}

const struct bench_average *
bench_average_headline(const struct bench_report *r,
		       const struct bench_average *averages, size_t n)
{
	const struct bench_average *best = NULL;
	const struct bench_result *base = NULL;

	for (size_t i = 0; i < n; i++)
		if (strcmp(averages[i].mean.name, BENCH_BASELINE) == 0)
			base = &averages[i].mean;
	if (!base)
		return NULL;
	for (size_t i = 0; i < MIN(n, r->captures[0].ntiers); i++)
		if (is_better(&averages[i].mean, best ? &best->mean : NULL,
			      base))
			best = &averages[i];
	return best;
}

void
bench_parts(const struct bench_tier *t, uint64_t out[PART__MAX])
{
	static const enum bench_part part_of[STREAM__MAX] = {
		[STREAM_PLAN] = PART_PLAN,  [STREAM_RUN] = PART_REF,
		[STREAM_JUMP] = PART_REF,   [STREAM_FILL] = PART_FILL,
		[STREAM_MOVE] = PART_MOVE,  [STREAM_SLOT] = PART_MOVE,
		[STREAM_MASK] = PART_DELTA, [STREAM_WORD] = PART_DELTA,
		[STREAM_COPY] = PART_COPY,  [STREAM_FROM] = PART_COPY,
		[STREAM_DATA] = PART_DATA,  [STREAM_GAP] = PART_BYTES,
	};

	memset(out, 0, PART__MAX * sizeof(*out));
	for (unsigned s = 0; s < STREAM__MAX; s++)
		out[part_of[s]] += t->wire[s];
	out[PART_FRAME] += t->frame_bytes + t->session_bytes;
}
