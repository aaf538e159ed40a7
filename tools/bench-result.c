/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "tools/bench-result.h"

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_doubles);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

void
bench_result_add(struct bench_result *r, const struct bench_sample *s)
{
	double encode[BENCH_SAMPLES_MAX], decode[BENCH_SAMPLES_MAX];
	double wall[BENCH_SAMPLES_MAX];

	assert(r->nsamples < BENCH_SAMPLES_MAX);
	r->samples[r->nsamples++] = *s;
	for (size_t i = 0; i < r->nsamples; i++) {
		encode[i] = r->samples[i].encode_cpu_s;
		decode[i] = r->samples[i].decode_cpu_s;
		wall[i] = r->samples[i].wall_s;
	}
	r->encode_cpu_s = median(encode, r->nsamples);
	r->decode_cpu_s = median(decode, r->nsamples);
	r->wall_s = median(wall, r->nsamples);
}

double
bench_move_s(const struct bench_result *r, const struct bench_link *l,
	     unsigned threads)
{
	double send = (double)r->wire_bytes * 8 / l->bits_per_s;
	double code = MAX(r->encode_cpu_s, r->decode_cpu_s) / threads;

	return MAX(send, code);
}

void
bench_tier_fini(struct bench_tier *t)
{
	free(t->plan);
	t->plan = NULL;
}

void
bench_report_fini(struct bench_report *r)
{
	for (size_t i = 0; i < r->ncaptures; i++) {
		struct bench_capture *c = &r->captures[i];

		for (size_t k = 0; k < c->ntiers; k++)
			bench_tier_fini(&c->tiers[k]);
		free(c->tiers);
		free(c->peers);
		free(c->segments);
	}
	free(r->captures);
	free(r->images);
	r->captures = NULL;
	r->images = NULL;
	r->ncaptures = r->nimages = 0;
}
