/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <zstd.h>

#include "tools/peer.h"

#define ROOM (256u << 10)

static int
is_failed(size_t rc, const char *what, struct err *e)
{
	if (!ZSTD_isError(rc))
		return 0;
	return err_set(e, ERR_CORRUPT, "zstd %s: %s", what,
		       ZSTD_getErrorName(rc));
}

static void
encoder_free(void *encoder)
{
	ZSTD_freeCCtx(encoder);
}

static int
encoder_set(ZSTD_CCtx *c, const struct peer_setting *s, uint64_t total,
	    struct err *e)
{
	if (is_failed(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel,
					     s->level),
		      "level", e) != 0)
		return -1;
	/* The command tells the size where it can, too. */
	if (total &&
	    is_failed(ZSTD_CCtx_setPledgedSrcSize(c, total), "size", e) != 0)
		return -1;
	if (s->window_log == 0)
		return 0;
	if (is_failed(ZSTD_CCtx_setParameter(
			      c, ZSTD_c_enableLongDistanceMatching, 1),
		      "long", e) != 0)
		return -1;
	return is_failed(
		ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, (int)s->window_log),
		"window", e);
}

static void *
encoder_new(const struct peer_setting *s, uint64_t total, struct err *e)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	if (!c) {
		(void)err_set(e, ERR_SYSTEM, "no memory for zstd");
		return NULL;
	}
	if (encoder_set(c, s, total, e) == 0)
		return c;
	ZSTD_freeCCtx(c);
	return NULL;
}

static int
encode(void *encoder, struct span in, enum peer_flush flush, struct buf *out,
       struct err *e)
{
	static const ZSTD_EndDirective flushes[] = {
		[PEER_MORE] = ZSTD_e_continue,
		[PEER_FLUSH] = ZSTD_e_flush,
		[PEER_END] = ZSTD_e_end,
	};
	ZSTD_inBuffer from = { in.at, in.left, 0 };
	size_t rc;

	do {
		ZSTD_outBuffer to = { buf_room(out, ROOM, e), ROOM, 0 };

		if (!to.dst)
			return -1;
		rc = ZSTD_compressStream2(encoder, &to, &from, flushes[flush]);
		if (is_failed(rc, "encode", e) != 0)
			return -1;
		buf_add(out, to.pos);
	} while (from.pos < from.size || (flush != PEER_MORE && rc != 0));
	return 0;
}

static void *
decoder_new(struct err *e)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();

	if (!d)
		(void)err_set(e, ERR_SYSTEM, "no memory for zstd");
	return d;
}

static void
decoder_free(void *decoder)
{
	ZSTD_freeDCtx(decoder);
}

static int
decode(void *decoder, struct span *in, uint8_t *out, size_t cap, size_t *n,
       struct err *e)
{
	ZSTD_inBuffer from = { in->at, in->left, 0 };
	ZSTD_outBuffer to = { out, cap, 0 };

	do {
		if (is_failed(ZSTD_decompressStream(decoder, &to, &from),
			      "decode", e) != 0)
			return -1;
	} while (from.pos < from.size && to.pos < to.size);
	*n = to.pos;
	*in = span_of(in->at + from.pos, in->left - from.pos);
	return 0;
}

const struct peer_coder peer_zstd = {
	encoder_new, encoder_free, encode, decoder_new, decoder_free, decode,
};
