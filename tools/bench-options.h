/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BENCH_OPTIONS_H
#define MIG_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "memory/memory.h"
#include "sender/effort.h"
#include "tools/bench-result.h"
#include "tools/peer.h"

#define BENCH_IMAGES_MAX  14
#define BENCH_REGIONS_MAX 32
#define BENCH_TIERS_MAX   16

/* What the user asked for.  Paths stay argv's. */
struct bench_options {
	bool help;
	char *const *memories;
	size_t nmemories;
	const char *images[BENCH_IMAGES_MAX];
	size_t nimages;
	const char *image_format; /* of all; NULL: find it by content */
	const char *previous;     /* NULL: none */
	struct memory_region regions[BENCH_REGIONS_MAX];
	size_t nregions;
	struct bench_link links[BENCH_LINKS_MAX];
	size_t nlinks;
	bool peers[PEERS_MAX]; /* by place in peer_list() */
	const struct effort *tiers[BENCH_TIERS_MAX];
	struct effort codecs[BENCH_TIERS_MAX]; /* tiers of --codec */
	size_t ncodecs;
	size_t ntiers;
	unsigned threads;
	size_t runs;
	bool json;
	const char *html;     /* NULL: none */
	const char *residual; /* NULL: none */
	bool no_free_drop;    /* free pages arrive as they are */
	bool explain_guest;   /* say what its tables say, measure nothing */
};

extern const char bench_usage[];

/* How many CPUs this process may run on. */
unsigned bench_cores(void);

/* argv is put in order: memories last. */
int bench_options_parse(struct bench_options *o, int argc, char **argv,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
