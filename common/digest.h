/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DIGEST_H
#define MIG_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* SHA-256 (FIPS 180-4): what a page, a frame or a file must be. */
#define DIGEST_BYTES 32

struct digest {
	uint8_t b[DIGEST_BYTES];
};

/* What one page is known by: the first 128 bits of its SHA-256.  Two ends
 * compare these only inside one dedup domain (SECURITY.md), where whoever
 * could make two pages collide would fool nobody but himself.
 */
#define FINGERPRINT_BYTES 16

struct fingerprint {
	uint8_t b[FINGERPRINT_BYTES];
};

/* SHA-256 of any bytes. */
int digest_bytes(const void *bytes, size_t len, struct digest *out,
		 struct err *e)
	__attribute__((nonnull(3, 4), warn_unused_result));

/* The fingerprint of each of n pages of 4096 bytes: sixteen at a time in
 * AVX-512 vectors, two at a time through the SHA instructions, or through
 * libcrypto, as the CPU allows.  A single stream is no more than half as
 * fast, and half of a fast tier's time is this.
 */
int fingerprint_pages(const uint8_t *const *pages, size_t n,
		      struct fingerprint *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* SHA-256 of bytes that come in pieces.  update and final may be called only
 * after a successful init; fini must be then, and may be after any.
 */
struct digest_stream {
	void *ctx;
};

int digest_stream_init(struct digest_stream *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int digest_stream_update(struct digest_stream *s, const void *bytes, size_t len,
			 struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
int digest_stream_final(struct digest_stream *s, struct digest *out,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));
void digest_stream_fini(struct digest_stream *s) __attribute__((nonnull));

/* XXH3, 64 bits: finds candidates, proves nothing. */
uint64_t digest_hint(const void *bytes, size_t len) __attribute__((nonnull));

#endif
