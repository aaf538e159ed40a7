/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "wire/message.h"

int
message_get_head(const uint8_t head[MESSAGE_HEAD_BYTES],
		 enum message_type *type, uint32_t *len, struct err *e)
{
	struct span s = span_of(head, MESSAGE_HEAD_BYTES);
	const struct message_kind *kind;
	uint8_t t;

	if (span_get_u8(&s, &t, e) < 0 || span_get_u32(&s, len, e) < 0)
		return -1;
	if (t == 0x16 || t == 0x15) /* records of a TLS handshake, an alert */
		return err_set(e, ERR_AUTH,
			       "the other end speaks TLS and this end does "
			       "not; see --tls-dir");
	kind = message_kind(t);
	if (!kind)
		return err_set(e, ERR_PROTOCOL, "message of type %u", t);
	if (*len < kind->min || *len > kind->max)
		return err_set(e, ERR_PROTOCOL, "%s of %u bytes", kind->name,
			       *len);
	*type = t;
	return 0;
}

int
message_begin(struct buf *b, enum message_type type, size_t *at, struct err *e)
{
	*at = b->len;
	return buf_put_u8(b, (uint8_t)type, e) < 0 ? -1 : buf_put_u32(b, 0, e);
}

int
message_end(struct buf *b, size_t at, struct err *e)
{
	uint8_t *head = b->data + at;
	const struct message_kind *kind = message_kind(*head);
	size_t len = b->len - at - MESSAGE_HEAD_BYTES;

	if (len < kind->min || len > kind->max)
		return err_set(e, ERR_LIMIT, "%s of %zu bytes to send",
			       kind->name, len);
	for (unsigned i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(len >> 8 * i);
	return 0;
}

int
message_put_u32(struct buf *b, enum message_type type, uint32_t v,
		struct err *e)
{
	size_t at;

	if (message_begin(b, type, &at, e) < 0 || buf_put_u32(b, v, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
message_put_u64(struct buf *b, enum message_type type, uint64_t v,
		struct err *e)
{
	size_t at;

	if (message_begin(b, type, &at, e) < 0 || buf_put_u64(b, v, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
message_get_end(const struct span *body, struct err *e)
{
	if (body->left == 0)
		return 0;
	return err_set(e, ERR_PROTOCOL, "%zu bytes too many in a message",
		       body->left);
}

int
message_get_u32(struct span body, uint32_t *v, struct err *e)
{
	return span_get_u32(&body, v, e) < 0 ? -1 : message_get_end(&body, e);
}

int
message_get_u64(struct span body, uint64_t *v, struct err *e)
{
	return span_get_u64(&body, v, e) < 0 ? -1 : message_get_end(&body, e);
}

void
message_make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

int
message_put_error(struct buf *b, const struct err *why, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_ERROR, &at, e) < 0 ||
	    buf_put_u8(b, (uint8_t)why->code, e) < 0 ||
	    buf_put(b, why->text,
		    MIN(strlen(why->text), (size_t)MESSAGE_TEXT_MAX), e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
message_get_error(struct span body, struct err *said, struct err *e)
{
	char text[MESSAGE_TEXT_MAX + 1];
	uint8_t code;
	size_t len;

	if (span_get_u8(&body, &code, e) < 0)
		return -1;
	len = MIN(body.left, (size_t)MESSAGE_TEXT_MAX);
	if (span_get(&body, text, len, e) < 0)
		return -1;
	text[len] = '\0';
	message_make_printable(text);
	if (code <= ERR_NONE || code > ERR_CANCELLED)
		code = ERR_PROTOCOL;
	(void)err_set(said, code, "%s", text);
	return message_get_end(&body, e);
}
