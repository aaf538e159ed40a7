/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_KEYED_H
#define MIG_KEYED_H

#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

/* Fingerprints as they are asked about: each one block of AES-256 under a
 * key that the receiver draws for this session, so that what one session has
 * seen is of no use to the next, nor to anybody who stole an index.
 */
#define KEYED_KEY_BYTES 32

/* A new random key. */
int keyed_draw(uint8_t key[KEYED_KEY_BYTES], struct err *e)
	__attribute__((nonnull, warn_unused_result));
int keyed_seal(const uint8_t key[KEYED_KEY_BYTES],
	       const struct fingerprint *plain, size_t n,
	       struct fingerprint *keyed, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int keyed_open(const uint8_t key[KEYED_KEY_BYTES],
	       const struct fingerprint *keyed, size_t n,
	       struct fingerprint *plain, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
