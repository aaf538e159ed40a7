/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FRAME_H
#define MIG_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "wire/plan.h"

/* A frame: some pages in a row, and the opaque bytes between them, on the
 * wire.  Everything but the references and the history they name is in the
 * frame, so frames encode in parallel and unpack in parallel; they are
 * rebuilt in order.  The digest decides whether what was rebuilt is right.
 */
#define FRAME_PAGES_MAX 4096u       /* 16 MiB of guest memory */
#define FRAME_BYTES_MAX (1u << 20)  /* opaque bytes */
#define FRAME_RAW_MAX   (20u << 20) /* all its streams, unpacked */

struct frame_stream {
	const uint8_t *coded; /* coded_len bytes; NULL when raw_len is 0 */
	uint32_t raw_len, coded_len;
	uint8_t codec;
};

struct frame {
	uint64_t first_page; /* live: the channel */
	/* Opaque bytes are numbered like pages are.  Live: the place of the
	 * frame's first byte in its channel.
	 */
	uint64_t first_byte;
	uint32_t npages, nbytes;
	struct digest digest;
	struct frame_stream streams[STREAM__MAX];
};

/* The longest frame_put() writes for these streams. */
size_t frame_bound(const struct frame *f) __attribute__((nonnull));
int frame_put(struct buf *out, const struct frame *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Checks every length against the bounds above before anybody allocates by
 * it; the coded bytes stay in the span.  ERR_PROTOCOL.
 */
int frame_get(struct span in, struct frame *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The most a stream may hold, unpacked, in a frame of that size. */
size_t frame_stream_max(enum plan_stream s, uint32_t npages, uint32_t nbytes);

/* The digest of a frame: SHA-256 over the numbers of its first page and first
 * opaque byte (u64 each), so that it is right at one place only, then one item
 * for each page in order.
 * A page sent as ZERO, FREE or FILL: byte 0, its 8-byte value.
 * Any other page:                    byte 1, its fingerprint.
 * Opaque bytes:                      byte 2, their number as u32, the bytes.
 * Live, before each page:            byte 3, its number as u64, its head.
 */
#define FRAME_HEAD_BYTES_MAX 265

struct frame_digest {
	struct digest_stream sha;
	uint8_t items[4096];
	size_t len;
};

int frame_digest_init(struct frame_digest *d, uint64_t first_page,
		      uint64_t first_byte, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int frame_digest_fill(struct frame_digest *d, uint64_t value, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int frame_digest_page(struct frame_digest *d, const struct fingerprint *fp,
		      struct err *e)
	__attribute__((nonnull, warn_unused_result));
int frame_digest_bytes(struct frame_digest *d, const uint8_t *bytes, uint32_t n,
		       struct err *e)
	__attribute__((nonnull, warn_unused_result));
int frame_digest_head(struct frame_digest *d, uint64_t number,
		      const uint8_t *head, size_t n, struct err *e)
	__attribute__((nonnull(1, 5), warn_unused_result));
int frame_digest_final(struct frame_digest *d, struct digest *out,
		       struct err *e)
	__attribute__((nonnull, warn_unused_result));
void frame_digest_fini(struct frame_digest *d) __attribute__((nonnull));

#endif
