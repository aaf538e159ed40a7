/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "wire/hello.h"
#include "wire/message.h"

#define HELLO_MAGIC_BYTES (sizeof(HELLO_MAGIC) - 1)

int
hello_put(struct buf *b, const struct hello *h, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_HELLO, &at, e) < 0 ||
	    buf_put(b, HELLO_MAGIC, HELLO_MAGIC_BYTES, e) < 0 ||
	    buf_put_u16(b, h->version, e) < 0 ||
	    buf_put_u16(b, h->oldest, e) < 0 ||
	    buf_put_u32(b, h->features, e) < 0 ||
	    buf_put_u8(b, h->purpose, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
hello_get(struct span body, struct hello *h, struct err *e)
{
	const uint8_t *magic;

	if (span_take(&body, HELLO_MAGIC_BYTES, &magic, e) < 0)
		return -1;
	if (memcmp(magic, HELLO_MAGIC, HELLO_MAGIC_BYTES) != 0)
		return err_set(e, ERR_PROTOCOL,
			       "the other end is not virt-mig");
	if (span_get_u16(&body, &h->version, e) < 0 ||
	    span_get_u16(&body, &h->oldest, e) < 0 ||
	    span_get_u32(&body, &h->features, e) < 0)
		return -1;
	return span_get_u8(&body, &h->purpose, e);
}

int
hello_check(const struct hello *ours, const struct hello *theirs, struct err *e)
{
	if (MIN(ours->version, theirs->version) <
	    MAX(ours->oldest, theirs->oldest))
		return err_set(e, ERR_VERSION,
			       "the other end speaks versions %u to %u of the "
			       "protocol, this end %u to %u",
			       theirs->oldest, theirs->version, ours->oldest,
			       ours->version);
	if (ours->purpose != theirs->purpose)
		return err_set(e, ERR_PROTOCOL,
			       "the other end is here for purpose %u",
			       theirs->purpose);
	return 0;
}
