/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_TRANSFER_H
#define MIG_TRANSFER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/err.h"
#include "dedup/held.h"
#include "sender/effort.h"
#include "tools/progress.h"
#include "wire/plan.h"

/* What 'send' and 'receive' have in common: options, opening what is held,
 * showing how far it has come and what became of it.
 */
#define TRANSFER_PORT        49216
#define TRANSFER_IMAGES_MAX  8
#define TRANSFER_REGIONS_MAX 64
#define TRANSFER_THREADS_MAX 64

struct transfer {
	const char *verb;
	const char *images[TRANSFER_IMAGES_MAX];
	size_t nimages;
	const char *image_format; /* NULL: found by content */
	const char *previous;     /* memory kept from an earlier visit */
	struct memory_region regions[TRANSFER_REGIONS_MAX];
	size_t nregions;
	const char *tls_dir;
	unsigned threads;
	bool json, help;
	const char *progress_choice;
	int progress_fd;
	struct progress progress;
	enum progress_kind progress_kind;
	/* transfer_open() */
	struct held held[PLAN_BASES_MAX - 1];
	size_t nheld;
};

/* The short options that both take are none; these are the long ones. */
enum transfer_option {
	TRANSFER_FORMAT = 1000,
	TRANSFER_HELP,
	TRANSFER_IMAGE,
	TRANSFER_IMAGE_FORMAT,
	TRANSFER_PREVIOUS,
	TRANSFER_PROGRESS,
	TRANSFER_PROGRESS_FD,
	TRANSFER_REGION,
	TRANSFER_THREADS,
	TRANSFER_TLS_DIR,
};

/* clang-format off */
#define TRANSFER_OPTIONS                                                       \
	{ "format", required_argument, NULL, TRANSFER_FORMAT },                \
	{ "help", no_argument, NULL, TRANSFER_HELP },                          \
	{ "image", required_argument, NULL, TRANSFER_IMAGE },                  \
	{ "image-format", required_argument, NULL, TRANSFER_IMAGE_FORMAT },    \
	{ "previous", required_argument, NULL, TRANSFER_PREVIOUS },            \
	{ "progress", required_argument, NULL, TRANSFER_PROGRESS },            \
	{ "progress-fd", required_argument, NULL, TRANSFER_PROGRESS_FD },      \
	{ "region", required_argument, NULL, TRANSFER_REGION },                \
	{ "threads", required_argument, NULL, TRANSFER_THREADS },              \
	{ "tls-dir", required_argument, NULL, TRANSFER_TLS_DIR }
/* clang-format on */

/* Their part of --help. */
extern const char transfer_usage[];

void transfer_init(struct transfer *t, const char *verb)
	__attribute__((nonnull));
int transfer_set(struct transfer *t, int option, const char *value,
		 struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
/* After the options: opens images, the kernels in them, and the kept memory,
 * indexing what is not indexed.
 */
int transfer_open(struct transfer *t, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void transfer_close(struct transfer *t) __attribute__((nonnull));

/* "100M": bits a second, as bytes. */
int transfer_parse_rate(const char *text, uint64_t *rate, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* "auto" (NULL) or "fixed:NAME". */
int transfer_parse_effort(const char *text, const struct effort **effort,
			  struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* NAME[:LEVEL] of a codec: *effort is *made. */
int transfer_parse_codec(const char *text, struct effort *made,
			 const struct effort **effort, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Says where we wait, and writes it to the file, if any.  Where that fails,
 * whoever waits for the file would wait for ever.
 */
int transfer_listening(const struct transfer *t,
		       const struct endpoint_addr *where, const char *port_file,
		       struct err *e)
	__attribute__((nonnull(1, 2, 4), warn_unused_result));

void transfer_begin(struct transfer *t, const char *doing)
	__attribute__((nonnull));
void transfer_show(struct transfer *t, const struct progress_at *at, bool asked)
	__attribute__((nonnull));
/* Removes the line of progress. */
void transfer_end(struct transfer *t) __attribute__((nonnull));

struct transfer_result {
	uint64_t memory_bytes, wire_bytes;
	uint64_t frames, refused;
	uint64_t asked, found;
	double wall_s;
	/* What only the sender knows; NULL for a receiver. */
	const uint64_t *plans;   /* pages by plan */
	const uint64_t *efforts; /* frames, by effort_number() */
	size_t nbases, nwhole;   /* offered, and the same on both ends */
	/* Live: the guest whose free pages were left out, or why they were
	 * not; NULL: not live.
	 */
	const char *guest;
	bool drops;
};

/* On standard output, as text or JSON. */
int transfer_print(const struct transfer *t, const struct transfer_result *r,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
