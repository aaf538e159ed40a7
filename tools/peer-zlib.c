/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <zlib.h>

#include "tools/peer.h"

/* What deflateInit2() and inflateInit2() call a format. */
#define WINDOW_ZLIB 15
#define WINDOW_GZIP (15 + 16)

#define ROOM (256u << 10)

static void *
encoder_new(int level, int window, struct err *e)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && deflateInit2(z, level, Z_DEFLATED, window, 8,
			      Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	free(z);
	(void)err_set(e, ERR_SYSTEM, "no memory for deflate");
	return NULL;
}

static void *
gzip_encoder_new(const struct peer_setting *s, uint64_t total, struct err *e)
{
	(void)total;
	return encoder_new(s->level, WINDOW_GZIP, e);
}

static void *
zlib_encoder_new(const struct peer_setting *s, uint64_t total, struct err *e)
{
	(void)total;
	return encoder_new(s->level, WINDOW_ZLIB, e);
}

static void
encoder_free(void *encoder)
{
	if (encoder)
		deflateEnd(encoder);
	free(encoder);
}

static int
encode(void *encoder, struct span in, enum peer_flush flush, struct buf *out,
       struct err *e)
{
	static const int flushes[] = {
		[PEER_MORE] = Z_NO_FLUSH,
		[PEER_FLUSH] = Z_SYNC_FLUSH,
		[PEER_END] = Z_FINISH,
	};
	z_stream *z = encoder;
	int rc;

	z->next_in = (Bytef *)(uintptr_t)in.at;
	z->avail_in = (uInt)in.left;
	do {
		z->next_out = buf_room(out, ROOM, e);
		if (!z->next_out)
			return -1;
		z->avail_out = ROOM;
		rc = deflate(z, flushes[flush]);
		if (rc == Z_STREAM_ERROR)
			return err_set(e, ERR_SYSTEM, "deflate failed");
		buf_add(out, ROOM - z->avail_out);
	} while (z->avail_out == 0);
	return 0;
}

static void *
decoder_new(int window, struct err *e)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && inflateInit2(z, window) == Z_OK)
		return z;
	free(z);
	(void)err_set(e, ERR_SYSTEM, "no memory for inflate");
	return NULL;
}

static void *
gzip_decoder_new(struct err *e)
{
	return decoder_new(WINDOW_GZIP, e);
}

static void *
zlib_decoder_new(struct err *e)
{
	return decoder_new(WINDOW_ZLIB, e);
}

static void
decoder_free(void *decoder)
{
	if (decoder)
		inflateEnd(decoder);
	free(decoder);
}

static int
decode(void *decoder, struct span *in, uint8_t *out, size_t cap, size_t *n,
       struct err *e)
{
	z_stream *z = decoder;
	int rc;

	z->next_in = (Bytef *)(uintptr_t)in->at;
	z->avail_in = (uInt)in->left;
	z->next_out = out;
	z->avail_out = (uInt)cap;
	do
		rc = inflate(z, Z_NO_FLUSH);
	while (rc == Z_OK && z->avail_in && z->avail_out);
	*n = cap - z->avail_out;
	*in = span_of(z->next_in, z->avail_in);
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return 0;
	if (rc == Z_STREAM_END && z->avail_in == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "inflate: %s",
		       z->msg ? z->msg : "bytes after the end");
}

const struct peer_coder peer_gzip = {
	gzip_encoder_new, encoder_free, encode,
	gzip_decoder_new, decoder_free, decode,
};

const struct peer_coder peer_zlib = {
	zlib_encoder_new, encoder_free, encode,
	zlib_decoder_new, decoder_free, decode,
};
