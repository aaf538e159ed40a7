/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_EFFORT_H
#define MIG_EFFORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/codec.h"
#include "common/err.h"

/* How hard to try: the tiers, from the fastest to the smallest. */
struct effort {
	const char *name;
	const char *what;         /* for --help */
	struct codec_choice data; /* for words of pages */
	struct codec_choice side; /* for everything that says where */
	bool match;               /* look for long matches in earlier pages */
	bool keeps;               /* live: pages enter the history */
	uint32_t block_bytes;     /* words of pages in one frame, about */
};

/* All tiers; *n is how many. */
const struct effort *effort_all(size_t *n) __attribute__((nonnull));
/* Which of them it is; as many as they are for one that is none of them. */
size_t effort_number(const struct effort *effort) __attribute__((nonnull));
/* The tier of that name, or NULL with ERR_USAGE. */
const struct effort *effort_by_name(const char *name, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Makes *effort the tier "middle", but with that codec, NAME[:LEVEL], for the
 * words of pages; -1 with ERR_USAGE.  The text is kept: it is the name.
 */
int effort_of_codec(struct effort *effort, const char *text, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
