/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_H
#define MIG_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

/* What each fuzz-NAME.c holds.  With ./configure --enable-fuzzing it is linked
 * with libFuzzer; without, with replay.c, which runs it over files.
 */

/* Gives hostile bytes to the code under test; returns 0.  The bytes end where
 * their memory ends, so that a sanitizer sees any read beyond.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Puts input number i, a valid or nearly valid one to begin from, into an
 * empty buffer and returns its name, which becomes the name of a file in
 * seeds/NAME/.  NULL when there are no more.  Less than 4 KiB where possible.
 */
const char *fuzz_seed(unsigned i, struct buf *out);

/* What must hold for any input. */
#define fuzz_check(cond)                                                       \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s is false\n", __FILE__,      \
				__LINE__, #cond);                              \
			abort();                                               \
		}                                                              \
	} while (0)

/* A call that cannot fail here did. */
#define fuzz_ok(call, e)                                                       \
	do {                                                                   \
		if ((call) != 0) {                                             \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, \
				#call, (e)->text);                             \
			abort();                                               \
		}                                                              \
	} while (0)

/* Inputs that are text, and what fuzz_seed() does with n of them. */
struct fuzz_text {
	const char *name, *text;
};

static inline const char *
fuzz_seed_text(const struct fuzz_text *seeds, size_t n, unsigned i,
	       struct buf *out)
{
	struct err e;

	if (i >= n)
		return NULL;
	fuzz_ok(buf_put(out, seeds[i].text, strlen(seeds[i].text), &e), &e);
	return seeds[i].name;
}

#endif
