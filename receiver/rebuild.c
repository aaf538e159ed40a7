/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/delta.h"
#include "dedup/normal.h"
#include "receiver/rebuild.h"

/* One frame under way. */
struct rebuilding {
	struct rebuild *r;
	struct plan_reader reader;
	uint64_t page; /* its number */
	uint64_t left; /* pages of the frame */
	uint64_t byte, bytes_end;
	uint8_t scratch[PAGE_BYTES];
};

static int
rebuild_item(struct rebuild *r, struct rebuild_item item, struct err *e)
{
	if (r->nitems == REBUILD_ITEMS_MAX)
		return err_set(e, ERR_PROTOCOL, "frame of too many parts");
	r->items[r->nitems++] = item;
	return 0;
}

/* The page that a reference names, from the history or a base. */
static const uint8_t *
rebuild_source(struct rebuilding *b, struct plan_ref ref, struct err *e)
{
	const struct base *base = &b->r->bases[ref.base];
	const uint8_t *page = NULL;

	if (ref.base == PLAN_BASE_HISTORY) {
		if (rebuild_is_framed(b->r) || ref.page < b->page)
			page = b->r->target.history(b->r->target.arg, ref.page);
	} else if (base_shares(base, ref.page)) {
		return base_page(base, ref.page, b->scratch, e);
	}
	if (!page)
		(void)err_set(e, ERR_PROTOCOL,
			      "page %llu refers to page %llu of base %u",
			      (unsigned long long)b->page,
			      (unsigned long long)ref.page, ref.base);
	return page;
}

static int
rebuild_ref(struct rebuilding *b, enum plan_code code, uint8_t *out,
	    struct err *e)
{
	uint64_t by[PLAN_MOVES_MAX], mask[PAGE_WORDS / 64];
	const uint8_t *source, *bytes = NULL;
	struct plan_ref ref;
	unsigned n;

	if (plan_get_ref(&b->reader, code, b->page, &ref, e) < 0)
		return -1;
	source = rebuild_source(b, ref, e);
	if (!source)
		return -1;
	if (code == PLAN_REF) {
		memcpy(out, source, PAGE_BYTES);
		return 0;
	}
	if (code == PLAN_DELTA) {
		if (plan_get_delta(&b->reader, mask, &bytes, e) < 0)
			return -1;
		delta_apply(source, mask, bytes, out);
		return 0;
	}
	if (plan_get_moves(&b->reader, by, &n, e) < 0)
		return -1;
	if (n > 1 &&
	    plan_get_slots(&b->reader, n, normal_count(source), &bytes, e) < 0)
		return -1;
	normal_apply(source, by, bytes, out);
	return 0;
}

static int
rebuild_data(struct rebuilding *b, uint8_t *out, struct err *e)
{
	struct plan_copy copies[PLAN_COPIES_MAX];
	unsigned n, at = 0;

	if (plan_get_copies(&b->reader, copies, &n, e) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const struct plan_copy *c = &copies[i];
		const uint8_t *source = rebuild_source(b, c->ref, e);

		if (!source || plan_get_words(&b->reader, c->to - at,
					      out + 8 * (size_t)at, e) < 0)
			return -1;
		memcpy(out + 8 * (size_t)c->to, source + 8 * (size_t)c->from,
		       8 * (size_t)c->len);
		at = c->to + c->len;
	}
	return plan_get_words(&b->reader, PAGE_WORDS - at, out + 8 * (size_t)at,
			      e);
}

static void
rebuild_fill(uint8_t *out, uint64_t value)
{
	if (value == 0) {
		memset(out, 0, PAGE_BYTES);
		return;
	}
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		memcpy(out + 8 * (size_t)i, &value, sizeof(value));
}

/* Where the next page goes, and what stands before it. */
static int
rebuild_place(struct rebuilding *b, bool zero, struct rebuild_item *item,
	      uint8_t **out, struct err *e)
{
	const struct rebuild_target *t = &b->r->target;
	struct plan_place place;
	bool there;

	if (!rebuild_is_framed(b->r)) {
		*out = t->page(t->arg, b->page);
		there = *out;
	} else {
		if (plan_get_place(&b->reader, &place, e) < 0)
			return -1;
		b->page = place.number;
		item->number = place.number;
		there = t->place(t->arg, &place, zero, item, out);
	}
	if (there)
		return 0;
	return err_set(e, ERR_PROTOCOL, "there is no page %llu",
		       (unsigned long long)b->page);
}

static int
rebuild_page(struct rebuilding *b, enum plan_code code, struct err *e)
{
	const struct rebuild_target *t = &b->r->target;
	struct rebuild_item item = { .at = NULL };
	bool zero = code == PLAN_ZERO || code == PLAN_FREE;
	uint8_t *out;
	int ret = 0;

	if (rebuild_place(b, code == PLAN_ZERO, &item, &out, e) < 0)
		return -1;
	if (zero || code == PLAN_FILL) {
		if (code == PLAN_FILL)
			ret = plan_get_fill(&b->reader, &item.fill, e);
		if (out)
			rebuild_fill(out, item.fill);
	} else if (code == PLAN_DATA) {
		item.at = out;
		ret = rebuild_data(b, out, e);
	} else {
		item.at = out;
		ret = rebuild_ref(b, code, out, e);
	}
	if (ret == 0 && rebuild_is_framed(b->r))
		ret = t->done(t->arg, b->page, zero ? NULL : out, e);
	b->page++;
	b->left--;
	return ret < 0 ? -1 : rebuild_item(b->r, item, e);
}

static int
rebuild_bytes(struct rebuilding *b, uint64_t n, struct err *e)
{
	struct rebuild_item item = { .nbytes = (uint32_t)n };

	if (n > b->bytes_end - b->byte)
		return err_set(e, ERR_PROTOCOL, "too many bytes in a frame");
	if (plan_get_bytes(&b->reader, n, &item.at, e) < 0 ||
	    b->r->target.bytes(b->r->target.arg, b->byte, item.at, n, e) < 0)
		return -1;
	b->byte += n;
	return rebuild_item(b->r, item, e);
}

int
rebuild_frame(struct rebuild *r, const struct frame *f,
	      const struct span streams[STREAM__MAX], struct err *e)
{
	struct rebuilding b = { .r = r,
				.page = f->first_page,
				.left = f->npages,
				.byte = f->first_byte,
				.bytes_end = f->first_byte + f->nbytes };

	r->nitems = 0;
	plan_reader_init(&b.reader, streams,
			 base_guest_like(r->bases, r->nbases),
			 (uint8_t)r->nbases);
	while (b.left > 0 || b.byte < b.bytes_end) {
		uint64_t n;
		enum plan_code code;

		if (plan_next(&b.reader, b.left, &code, &n, e) < 0)
			return -1;
		if (code == PLAN_BYTES) {
			if (rebuild_bytes(&b, n, e) < 0)
				return -1;
			continue;
		}
		if (b.left == 0)
			return err_set(e, ERR_PROTOCOL, "too many pages");
		while (n-- > 0)
			if (rebuild_page(&b, code, e) < 0)
				return -1;
	}
	return plan_reader_end(&b.reader, e);
}
