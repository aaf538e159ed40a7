/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lz4frame.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tools/peer.h"

/* The frame that the lz4 command writes when nobody says how. */
static const LZ4F_preferences_t command_defaults = {
	.frameInfo = {
		.blockSizeID = LZ4F_max4MB,
		.blockMode = LZ4F_blockIndependent,
		.contentChecksumFlag = LZ4F_contentChecksumEnabled,
	},
};

struct encoder {
	LZ4F_cctx *ctx;
	bool begun;
};

static void
encoder_free(void *encoder)
{
	struct encoder *enc = encoder;

	if (enc)
		LZ4F_freeCompressionContext(enc->ctx);
	free(enc);
}

static void *
encoder_new(const struct peer_setting *s, uint64_t total, struct err *e)
{
	struct encoder *enc = calloc(1, sizeof(*enc));

	(void)s;
	(void)total;
	if (enc && !LZ4F_isError(LZ4F_createCompressionContext(&enc->ctx,
							       LZ4F_VERSION)))
		return enc;
	free(enc);
	(void)err_set(e, ERR_SYSTEM, "no memory for lz4");
	return NULL;
}

/* Appends what one call of the library wrote, if it did not fail. */
static int
add(struct buf *out, size_t rc, struct err *e)
{
	if (LZ4F_isError(rc))
		return err_set(e, ERR_CORRUPT, "lz4 encode: %s",
			       LZ4F_getErrorName(rc));
	buf_add(out, rc);
	return 0;
}

static int
encode(void *encoder, struct span in, enum peer_flush flush, struct buf *out,
       struct err *e)
{
	struct encoder *enc = encoder;
	const LZ4F_preferences_t *prefs = &command_defaults;
	size_t room = LZ4F_compressBound(in.left, prefs) + LZ4F_HEADER_SIZE_MAX;
	uint8_t *to;

	to = buf_room(out, room, e);
	if (!to)
		return -1;
	if (!enc->begun) {
		if (add(out, LZ4F_compressBegin(enc->ctx, to, room, prefs),
			e) != 0)
			return -1;
		enc->begun = true;
		to = buf_room(out, room, e);
		if (!to)
			return -1;
	}
	if (add(out,
		LZ4F_compressUpdate(enc->ctx, to, room, in.at, in.left, NULL),
		e) != 0)
		return -1;
	if (flush == PEER_MORE)
		return 0;
	room = LZ4F_compressBound(0, prefs);
	to = buf_room(out, room, e);
	if (!to)
		return -1;
	if (flush == PEER_FLUSH)
		return add(out, LZ4F_flush(enc->ctx, to, room, NULL), e);
	return add(out, LZ4F_compressEnd(enc->ctx, to, room, NULL), e);
}

static void *
decoder_new(struct err *e)
{
	LZ4F_dctx *d = NULL;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION))) {
		(void)err_set(e, ERR_SYSTEM, "no memory for lz4");
		return NULL;
	}
	return d;
}

static void
decoder_free(void *decoder)
{
	LZ4F_freeDecompressionContext(decoder);
}

static int
decode(void *decoder, struct span *in, uint8_t *out, size_t cap, size_t *n,
       struct err *e)
{
	size_t rc, took, gave;

	*n = 0;
	do {
		took = in->left;
		gave = cap - *n;
		rc = LZ4F_decompress(decoder, out + *n, &gave, in->at, &took,
				     NULL);
		if (LZ4F_isError(rc))
			return err_set(e, ERR_CORRUPT, "lz4 decode: %s",
				       LZ4F_getErrorName(rc));
		*in = span_of(in->at + took, in->left - took);
		*n += gave;
	} while (*n < cap && (took || gave) && in->left);
	return 0;
}

const struct peer_coder peer_lz4 = {
	encoder_new, encoder_free, encode, decoder_new, decoder_free, decode,
};
