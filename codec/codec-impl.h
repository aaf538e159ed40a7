/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CODEC_IMPL_H
#define MIG_CODEC_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What one codec's file gives to codec.c. */
struct codec_impl {
	const char *name;
	int least, usual, most; /* levels */
	/* A context for both directions; NULL when memory ran out. */
	void *(*ctx_new)(void);
	void (*ctx_free)(void *ctx);
	/* Encodes into at most cap bytes; *out_len is 0 when it did not fit.
	 */
	int (*encode)(void *ctx, int level, const uint8_t *in, size_t len,
		      uint8_t *out, size_t cap, size_t *out_len, struct err *e);
	/* As codec_decode(). */
	int (*decode)(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
		      size_t out_len, struct err *e);
};

extern const struct codec_impl codec_raw, codec_lz4, codec_zlib, codec_zstd,
	codec_lzma, codec_page;

/* The one error all decoders end with. */
int codec_bad_block(const char *name, size_t len, struct err *e);

#endif
