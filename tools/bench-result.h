/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_RESULT_H
#define MIG_BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classify/guest.h"
#include "common/digest.h"
#include "wire/plan.h"

/* What a benchmark measured: plain values, filled by the engine and by the
 * peers, read by the reports.  A result that is not verified (everything that
 * was encoded was decoded, and every byte compared) is never shown.
 */

/* One run of one tool over one memory.  CPU is the time of all threads it
 * used; comparing the bytes that came back is part of neither figure.
 */
struct bench_sample {
	double encode_cpu_s, decode_cpu_s;
	double wall_s; /* encode, decode and compare */
};

#define BENCH_SAMPLES_MAX 16

struct bench_result {
	char name[32]; /* "virt-mig-strong", "gzip-6" */
	uint64_t wire_bytes;
	double encode_cpu_s, decode_cpu_s, wall_s;
	bool verified;
	/* Every run; the figures above are their median. */
	struct bench_sample samples[BENCH_SAMPLES_MAX];
	size_t nsamples;
};

/* A step of the engine: how many bytes went in, and what that took. */
struct bench_stage {
	const char *name; /* static */
	uint64_t bytes;
	double cpu_s;
	bool decoding; /* a step of the receiver */
};

/* Pages of one class: what a page is, whatever became of it: to the guest
 * where its tables are known, else by its looks.
 */
struct bench_class {
	const char *name; /* static */
	uint64_t pages;
	uint64_t sent; /* of these, how many went as DATA */
};

#define BENCH_STAGES_MAX  24
#define BENCH_CLASSES_MAX 24

/* One virt-mig tier over one memory. */
struct bench_tier {
	struct bench_result result;
	uint64_t npages;
	uint8_t *plan; /* the plan_code of each page; bench_tier_fini() */
	uint64_t pages[PLAN__MAX];
	uint64_t raw[STREAM__MAX];  /* bytes of each stream, before its codec */
	uint64_t wire[STREAM__MAX]; /* and after */
	uint64_t frame_bytes;       /* on the wire: headers, digests */
	uint64_t session_bytes;     /* on the wire: hello, agreement, end */
	struct bench_stage stages[BENCH_STAGES_MAX];
	size_t nstages;
	struct bench_class classes[BENCH_CLASSES_MAX];
	size_t nclasses;
};

/* What the guest's own tables say. */
struct bench_guest {
	enum guest_os os; /* GUEST_NONE: there are none that are known */
	char release[64];
	bool sound; /* every check passed */
	bool drops; /* its free pages arrive as zeros */
	struct guest_check checks[GUEST_CHECKS_MAX];
	size_t nchecks;
};

/* One memory, measured with everything. */
struct bench_capture {
	const char *path;
	const char *format; /* "raw", "elf": static */
	uint64_t file_bytes;
	uint64_t npages;
	struct digest digest; /* of the file */
	struct bench_guest guest;
	struct bench_segment { /* where its pages stand in the guest */
		uint64_t first_page, npages, gpa;
	} * segments;
	size_t nsegments;
	struct bench_tier *tiers;
	size_t ntiers;
	struct bench_result *peers;
	size_t npeers;
};

struct bench_image {
	const char *path;
	char format[16]; /* "raw", "qcow2" */
	uint64_t bytes;
	uint64_t unique_blocks;
	struct digest root;
};

/* A link that moving the VM is timed over. */
struct bench_link {
	char name[16]; /* "1G" */
	double bits_per_s;
};

#define BENCH_LINKS_MAX 12

struct bench_report {
	const char *version;
	char compiler[64], cpu[96], kernel[96];
	char started[32]; /* UTC, ISO 8601 */
	unsigned cores, threads;
	struct bench_image *images;
	size_t nimages;
	const char *previous; /* NULL: a first visit */
	struct digest previous_digest;
	struct bench_link links[BENCH_LINKS_MAX];
	size_t nlinks;
	struct bench_capture *captures;
	size_t ncaptures;
};

/* Releases what the parts hold; the structs themselves stay the caller's. */
void bench_tier_fini(struct bench_tier *t) __attribute__((nonnull));
void bench_report_fini(struct bench_report *r) __attribute__((nonnull));

/* Takes the sample in *r as one more run: the figures become the medians. */
void bench_result_add(struct bench_result *r, const struct bench_sample *s)
	__attribute__((nonnull));

/* Seconds to move the VM over that link: the longest of sending the bytes,
 * encoding and decoding, which overlap; every tool is credited with spreading
 * its CPU evenly over 'threads'.
 */
double bench_move_s(const struct bench_result *r, const struct bench_link *l,
		    unsigned threads) __attribute__((nonnull));

#endif
