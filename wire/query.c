/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wire/message.h"
#include "wire/query.h"

int
query_put(struct buf *b, const struct fingerprint *keyed, size_t n,
	  struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_QUERY, &at, e) < 0 ||
	    buf_put(b, keyed, n * sizeof(*keyed), e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
query_get(struct span body, struct fingerprint keyed[QUERY_MAX], size_t *n,
	  struct err *e)
{
	*n = body.left / FINGERPRINT_BYTES;
	if (*n > QUERY_MAX)
		return err_set(e, ERR_PROTOCOL, "query of %zu pages", *n);
	if (span_get(&body, keyed, *n * sizeof(*keyed), e) < 0)
		return -1;
	return message_get_end(&body, e);
}

int
answer_put(struct buf *b, const struct plan_ref *refs, size_t n, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_ANSWER, &at, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (buf_put_u8(b, refs[i].base, e) < 0)
			return -1;
		if (refs[i].base != PLAN_BASE_HISTORY &&
		    buf_put_varint(b, refs[i].page, e) < 0)
			return -1;
	}
	return message_end(b, at, e);
}

int
answer_get(struct span body, struct plan_ref *refs, size_t n, size_t nbases,
	   struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		refs[i].page = 0;
		if (span_get_u8(&body, &refs[i].base, e) < 0)
			return -1;
		if (refs[i].base >= nbases)
			return err_set(e, ERR_PROTOCOL,
				       "answer about base %u of %zu",
				       refs[i].base, nbases);
		if (refs[i].base != PLAN_BASE_HISTORY &&
		    span_get_varint(&body, &refs[i].page, e) < 0)
			return -1;
	}
	return message_get_end(&body, e);
}
