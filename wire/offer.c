/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "wire/message.h"
#include "wire/offer.h"

#define OFFER_MAX (PLAN_BASES_MAX - 1)

static int
offer_put_held(struct buf *b, const struct offer_held *h, struct err *e)
{
	size_t len = strnlen(h->name, OFFER_NAME_MAX);

	if (buf_put_u8(b, h->kind, e) < 0 || buf_put_u64(b, h->npages, e) < 0 ||
	    buf_put(b, h->root.b, DIGEST_BYTES, e) < 0 ||
	    buf_put_u8(b, (uint8_t)len, e) < 0)
		return -1;
	return buf_put(b, h->name, len, e);
}

int
offer_put(struct buf *b, const struct offer *o, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_OFFER, &at, e) < 0 ||
	    buf_put(b, o->key, OFFER_KEY_BYTES, e) < 0)
		return -1;
	for (size_t i = 0; i < o->nheld; i++)
		if (offer_put_held(b, &o->held[i], e) < 0)
			return -1;
	return message_end(b, at, e);
}

static int
offer_get_held(struct span *body, struct offer_held *h, struct err *e)
{
	uint8_t len;

	if (span_get_u8(body, &h->kind, e) < 0 ||
	    span_get_u64(body, &h->npages, e) < 0 ||
	    span_get(body, h->root.b, DIGEST_BYTES, e) < 0 ||
	    span_get_u8(body, &len, e) < 0)
		return -1;
	if (h->kind < OFFER_IMAGE || h->kind > OFFER_PROGRAMS)
		return err_set(e, ERR_PROTOCOL, "offer of a base of kind %u",
			       h->kind);
	if (h->npages == 0 || h->npages > UINT32_MAX)
		return err_set(e, ERR_PROTOCOL, "offer of a base of %llu pages",
			       (unsigned long long)h->npages);
	if (len > OFFER_NAME_MAX)
		return err_set(e, ERR_PROTOCOL, "name of %u bytes", len);
	if (span_get(body, h->name, len, e) < 0)
		return -1;
	h->name[len] = '\0';
	message_make_printable(h->name);
	return 0;
}

int
offer_get(struct span body, struct offer *o, struct err *e)
{
	o->nheld = 0;
	if (span_get(&body, o->key, OFFER_KEY_BYTES, e) < 0)
		return -1;
	while (body.left > 0) {
		if (o->nheld == OFFER_MAX)
			return err_set(e, ERR_PROTOCOL,
				       "offer of more than %d bases",
				       OFFER_MAX);
		if (offer_get_held(&body, &o->held[o->nheld++], e) < 0)
			return -1;
	}
	return 0;
}

int
want_put(struct buf *b, const struct want *w, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_WANT, &at, e) < 0 ||
	    buf_put_u8(b, w->held, e) < 0 || buf_put_u32(b, w->first, e) < 0 ||
	    buf_put_u32(b, w->n, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
want_get(struct span body, struct want *w, struct err *e)
{
	if (span_get_u8(&body, &w->held, e) < 0 ||
	    span_get_u32(&body, &w->first, e) < 0 ||
	    span_get_u32(&body, &w->n, e) < 0)
		return -1;
	if (w->n == 0 || w->n > REGIONS_MAX)
		return err_set(e, ERR_PROTOCOL, "%u regions wanted", w->n);
	return message_get_end(&body, e);
}

int
regions_put(struct buf *b, const struct digest *regions, uint32_t n,
	    struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_REGIONS, &at, e) < 0 ||
	    buf_put(b, regions, n * sizeof(*regions), e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
regions_get(struct span body, struct digest *out, uint32_t n, struct err *e)
{
	if (span_get(&body, out, n * sizeof(*out), e) < 0)
		return -1;
	return message_get_end(&body, e);
}

int
bases_put(struct buf *b, const uint8_t *held, size_t n, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_BASES, &at, e) < 0 ||
	    buf_put(b, held, n, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
bases_get(struct span body, size_t nheld, uint8_t held[OFFER_MAX], size_t *n,
	  struct err *e)
{
	uint32_t seen = 0;

	if (body.left > OFFER_MAX)
		return err_set(e, ERR_PROTOCOL, "%zu bases", body.left);
	*n = body.left;
	for (size_t i = 0; i < *n; i++) {
		if (span_get_u8(&body, &held[i], e) < 0)
			return -1;
		if (held[i] >= nheld || (seen >> held[i] & 1))
			return err_set(e, ERR_PROTOCOL,
				       "base %u of %zu offered", held[i],
				       nheld);
		seen |= 1u << held[i];
	}
	return 0;
}
