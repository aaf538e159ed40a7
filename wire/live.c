/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wire/live.h"

static int
live_get_number(struct span *body, uint8_t *channel, struct err *e)
{
	if (span_get_u8(body, channel, e) < 0)
		return -1;
	if (*channel >= LIVE_CHANNELS_MAX)
		return err_set(e, ERR_PROTOCOL, "channel %u", *channel);
	return 0;
}

int
live_put_channel(struct buf *b, uint8_t channel, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_CHANNEL, &at, e) < 0 ||
	    buf_put_u8(b, channel, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
live_get_channel(struct span body, uint8_t *channel, struct err *e)
{
	if (live_get_number(&body, channel, e) < 0)
		return -1;
	return message_get_end(&body, e);
}

int
live_put_block(struct buf *b, const char *name, uint8_t name_len,
	       uint64_t bytes, struct err *e)
{
	if (buf_put_u64(b, bytes, e) < 0 || buf_put_u8(b, name_len, e) < 0)
		return -1;
	return buf_put(b, name, name_len, e);
}

int
live_get_block(struct span *body, const uint8_t **name, uint8_t *name_len,
	       uint64_t *bytes, struct err *e)
{
	if (span_get_u64(body, bytes, e) < 0 ||
	    span_get_u8(body, name_len, e) < 0)
		return -1;
	return span_take(body, *name_len, name, e);
}

int
live_put_taken(struct buf *b, uint8_t channel, uint64_t bytes, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_TAKEN, &at, e) < 0 ||
	    buf_put_u8(b, channel, e) < 0 || buf_put_u64(b, bytes, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
live_get_taken(struct span body, uint8_t *channel, uint64_t *bytes,
	       struct err *e)
{
	if (live_get_number(&body, channel, e) < 0 ||
	    span_get_u64(&body, bytes, e) < 0)
		return -1;
	return message_get_end(&body, e);
}

int
live_put_return(struct buf *b, uint8_t channel, const uint8_t *bytes, size_t n,
		struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_RETURN, &at, e) < 0 ||
	    buf_put_u8(b, channel, e) < 0 || buf_put(b, bytes, n, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
live_get_return(struct span *body, uint8_t *channel, struct err *e)
{
	return live_get_number(body, channel, e);
}

int
live_put_frame_head(struct buf *b, const struct live_frame_head *h,
		    struct err *e)
{
	if (buf_put_u32(b, h->seq, e) < 0 || buf_put_u8(b, h->flags, e) < 0)
		return -1;
	return buf_put_u32(b, h->heard, e);
}

int
live_get_frame_head(struct span *body, struct live_frame_head *h, struct err *e)
{
	if (span_get_u32(body, &h->seq, e) < 0 ||
	    span_get_u8(body, &h->flags, e) < 0 ||
	    span_get_u32(body, &h->heard, e) < 0)
		return -1;
	if (h->flags & ~LIVE_FLAGS)
		return err_set(e, ERR_PROTOCOL, "frame with flags %u",
			       h->flags);
	return 0;
}

int
live_put_end(struct buf *b, const struct digest *root, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_END, &at, e) < 0 ||
	    (root && buf_put(b, root->b, DIGEST_BYTES, e) < 0))
		return -1;
	return message_end(b, at, e);
}

int
live_get_end(struct span body, bool *keeps, struct digest *root, struct err *e)
{
	*keeps = body.left > 0;
	if (*keeps && span_get(&body, root->b, DIGEST_BYTES, e) < 0)
		return -1;
	return message_get_end(&body, e);
}

int
live_put_again(struct buf *b, const uint8_t secret[LIVE_SECRET_BYTES],
	       uint32_t heard, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_AGAIN, &at, e) < 0 ||
	    (secret && buf_put(b, secret, LIVE_SECRET_BYTES, e) < 0) ||
	    buf_put_u32(b, heard, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
live_get_again(struct span body, uint8_t secret[LIVE_SECRET_BYTES],
	       uint32_t *heard, struct err *e)
{
	if ((secret && span_get(&body, secret, LIVE_SECRET_BYTES, e) < 0) ||
	    span_get_u32(&body, heard, e) < 0)
		return -1;
	return message_get_end(&body, e);
}
