/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lzma.h>
#include <stdlib.h>

#include "tools/peer.h"

#define ROOM (256u << 10)

static lzma_stream *
stream_alloc(void)
{
	static const lzma_stream blank = LZMA_STREAM_INIT;
	lzma_stream *s = malloc(sizeof(*s));

	if (s)
		*s = blank;
	return s;
}

/* s if it was set up, else NULL with *e filled. */
static void *
stream_ready(lzma_stream *s, lzma_ret rc, struct err *e)
{
	if (s && rc == LZMA_OK)
		return s;
	free(s);
	(void)err_set(e, ERR_SYSTEM, "no memory for xz");
	return NULL;
}

static void *
encoder_new(const struct peer_setting *set, uint64_t total, struct err *e)
{
	lzma_stream *s = stream_alloc();
	uint32_t preset = (uint32_t)set->level;

	(void)total;
	return stream_ready(s,
			    s ? lzma_easy_encoder(s, preset, LZMA_CHECK_CRC64)
			      : LZMA_MEM_ERROR,
			    e);
}

static void *
decoder_new(struct err *e)
{
	lzma_stream *s = stream_alloc();

	return stream_ready(
		s, s ? lzma_stream_decoder(s, UINT64_MAX, 0) : LZMA_MEM_ERROR,
		e);
}

static void
stream_free(void *stream)
{
	if (stream)
		lzma_end(stream);
	free(stream);
}

static int
encode(void *encoder, struct span in, enum peer_flush flush, struct buf *out,
       struct err *e)
{
	static const lzma_action flushes[] = {
		[PEER_MORE] = LZMA_RUN,
		[PEER_FLUSH] = LZMA_SYNC_FLUSH,
		[PEER_END] = LZMA_FINISH,
	};
	lzma_stream *s = encoder;
	lzma_ret rc;

	s->next_in = in.at;
	s->avail_in = in.left;
	do {
		s->next_out = buf_room(out, ROOM, e);
		if (!s->next_out)
			return -1;
		s->avail_out = ROOM;
		rc = lzma_code(s, flushes[flush]);
		buf_add(out, ROOM - s->avail_out);
		if (rc != LZMA_OK && rc != LZMA_STREAM_END &&
		    rc != LZMA_BUF_ERROR)
			return err_set(e, ERR_SYSTEM, "xz encode failed (%d)",
				       (int)rc);
	} while (s->avail_out == 0 || (flush != PEER_MORE && rc == LZMA_OK));
	return 0;
}

static int
decode(void *decoder, struct span *in, uint8_t *out, size_t cap, size_t *n,
       struct err *e)
{
	lzma_stream *s = decoder;
	lzma_ret rc;

	s->next_in = in->at;
	s->avail_in = in->left;
	s->next_out = out;
	s->avail_out = cap;
	do
		rc = lzma_code(s, LZMA_RUN);
	while (rc == LZMA_OK && s->avail_in && s->avail_out);
	*n = cap - s->avail_out;
	*in = span_of(s->next_in, s->avail_in);
	if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
		return err_set(e, ERR_CORRUPT, "xz decode failed (%d)",
			       (int)rc);
	return 0;
}

const struct peer_coder peer_xz = {
	encoder_new, stream_free, encode, decoder_new, stream_free, decode,
};
