/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_SUMMARY_H
#define MIG_BENCH_SUMMARY_H

#include "tools/bench-result.h"

/* What the reports say in common: pure functions of a report. */

/* The results of a capture, tiers first. */
#define BENCH_ROWS_MAX 32
struct bench_rows {
	const struct bench_result *row[BENCH_ROWS_MAX];
	size_t ntiers, n;
};

void bench_rows_of(const struct bench_capture *c, struct bench_rows *rows)
	__attribute__((nonnull));

/* The result of that name in the capture, NULL if there is none. */
const struct bench_result *bench_result_named(const struct bench_capture *c,
					      const char *name)
	__attribute__((nonnull));

/* What everything is held against. */
#define BENCH_BASELINE "gzip-6"

/* The one number that matters.  The tier is the one with the fewest bytes
 * among those that took no more CPU than gzip -6 for both ways together, or,
 * where there is none (or no gzip), the one with the fewest bytes.
 */
struct bench_headline {
	const struct bench_tier *tier;       /* NULL: no tier was run */
	const struct bench_result *baseline; /* NULL: gzip -6 was not run */
	double fewer;                        /* its bytes over the tier's */
	double cpu;                          /* the tier's CPU over its own */
};

void bench_headline_of(const struct bench_capture *c, struct bench_headline *h)
	__attribute__((nonnull));

/* Over all captures, for the results that every capture has: the mean of each
 * figure, and the mean of how many times fewer bytes than gzip -6 it took.
 */
struct bench_average {
	struct bench_result mean; /* without samples */
	double fewer;             /* 0 without gzip -6 */
	double least_fewer;       /* of any capture */
};

size_t bench_averages(const struct bench_report *r,
		      struct bench_average out[BENCH_ROWS_MAX])
	__attribute__((nonnull));

/* The headline over several captures, chosen among the averages as above;
 * NULL where there is no tier or no gzip -6 to hold it against.
 */
const struct bench_average *
bench_average_headline(const struct bench_report *r,
		       const struct bench_average *averages, size_t n)
	__attribute__((nonnull));

/* How many times fewer bytes than gzip -6 took in that capture; 0 unknown. */
double bench_fewer(const struct bench_capture *c, const struct bench_result *r)
	__attribute__((nonnull));

/* Streams of a frame that belong together, as one part of the whole. */
enum bench_part {
	PART_DATA,  /* words that had to be sent */
	PART_COPY,  /* where else in memory other words stand */
	PART_DELTA, /* changed words of known pages */
	PART_MOVE,  /* by how much pointers moved */
	PART_REF,   /* names of pages and blocks */
	PART_FILL,  /* the values of pages of one word */
	PART_PLAN,  /* what becomes of which page */
	PART_BYTES, /* what stands between the pages in the file */
	PART_FRAME, /* headers, digests, the greeting */
	PART__MAX
};

void bench_parts(const struct bench_tier *t, uint64_t out[PART__MAX])
	__attribute__((nonnull));

#endif
