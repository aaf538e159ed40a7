/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_WIRE_QUERY_H
#define MIG_WIRE_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "wire/plan.h"

/* "Do you hold these pages?"  QUERY: up to QUERY_MAX fingerprints, each
 * encrypted (AES-256, one block) under the key of the offer.  ANSWER, in the
 * order of the queries and of their fingerprints: base (u8), 0 for no, else
 * followed by the page (varint).
 */
#define QUERY_MAX        1024
#define ANSWER_BYTES_MAX (1 + 10)
/* Queries that may wait for their answer. */
#define QUERY_WINDOW 64

int query_put(struct buf *b, const struct fingerprint *keyed, size_t n,
	      struct err *e) __attribute__((nonnull, warn_unused_result));
int query_get(struct span body, struct fingerprint keyed[QUERY_MAX], size_t *n,
	      struct err *e) __attribute__((nonnull, warn_unused_result));

/* A ref with base PLAN_BASE_HISTORY means no. */
int answer_put(struct buf *b, const struct plan_ref *refs, size_t n,
	       struct err *e) __attribute__((nonnull, warn_unused_result));
/* Exactly n of them; their bases are < nbases. */
int answer_get(struct span body, struct plan_ref *refs, size_t n, size_t nbases,
	       struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
