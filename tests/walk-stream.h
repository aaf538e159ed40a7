/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_WALK_STREAM_H
#define MIG_WALK_STREAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "stream/parse.h"

/* Parses a whole stream that comes in pieces, and checks all that parse.h
 * promises of the items.
 */
#define walk_check(cond)                                                       \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s is false\n", __FILE__,      \
				__LINE__, #cond);                              \
			abort();                                               \
		}                                                              \
	} while (0)

/* What the items were, but for how bytes were cut. */
struct walk {
	uint64_t items[STREAM_EOF + 1]; /* of each kind */
	uint64_t bytes[STREAM_EOF + 1];
	uint64_t eof;  /* where STREAM_EOF began */
	uint64_t sum;  /* over all that pages say of themselves */
	uint64_t ends; /* over where sections end */
};

static inline void
walk_add(uint64_t *sum, uint64_t v)
{
	*sum = (*sum ^ v) * 0x9e3779b97f4a7c15ull;
	*sum ^= *sum >> 29;
}

static inline void
walk_item(struct walk *w, const struct stream_parser *p,
	  const struct stream_item *it, uint64_t at)
{
	uint8_t head[STREAM_HEAD_MAX];
	size_t n;

	w->items[it->kind]++;
	w->bytes[it->kind] += it->len;
	if (it->section_end)
		walk_add(&w->ends, at + it->len);
	if (it->kind == STREAM_EOF) {
		if (w->items[STREAM_EOF] == 1)
			w->eof = at;
		return;
	}
	walk_check(w->items[STREAM_EOF] == 0);
	if (it->kind == STREAM_BYTES) {
		walk_check(!it->page && it->block == STREAM_NO_BLOCK);
		return;
	}
	walk_check(it->offset % PAGE_BYTES == 0);
	walk_check(it->block == STREAM_NO_BLOCK ||
		   (it->block < p->blocks->n &&
		    it->offset < p->blocks->list[it->block].used));
	walk_check(!it->page == (it->kind == STREAM_ZERO));
	walk_check(!it->page || it->page + PAGE_BYTES == it->bytes + it->len);
	walk_add(&w->sum, at);
	walk_add(&w->sum, it->kind);
	walk_add(&w->sum, it->len);
	walk_add(&w->sum, it->block);
	walk_add(&w->sum, it->offset);
	walk_add(&w->sum, it->continues);
	if (it->kind == STREAM_BARE) {
		walk_check(it->len == PAGE_BYTES);
		return;
	}
	n = stream_put_head(p->blocks, it->kind, it->block, it->offset,
			    it->continues, head);
	walk_check(n + (it->page ? PAGE_BYTES : 0) == it->len);
	walk_check(memcmp(head, it->bytes, n) == 0);
}

/* How many bytes come in next. */
typedef size_t walk_piece(void *arg);

/* Each piece stands in memory of its own, with what was left of the last one
 * before it, so that a sanitizer sees any read beyond.
 */
static inline struct walk
walk_stream(struct stream_parser *p, const uint8_t *in, size_t n,
	    walk_piece *piece, void *arg)
{
	struct walk w = { .eof = UINT64_MAX };
	size_t at = 0, have = 0, want = 1;

	while (at < n) {
		auto_free uint8_t *bytes = NULL;
		struct stream_item it;
		size_t used = 0;
		int got = 1;

		have += piece(arg);
		have = MIN(n - at, have);
		bytes = malloc(have + (have == 0));
		walk_check(bytes);
		memcpy(bytes, in + at, have);
		while (used < have) {
			got = stream_next(p, bytes + used, have - used, &it,
					  &want);
			if (got == 0)
				break;
			walk_check(it.bytes == bytes + used);
			walk_check(it.len > 0 && it.len <= have - used);
			walk_item(&w, p, &it, at + used);
			used += it.len;
		}
		at += used;
		have -= used;
		if (got == 0) {
			walk_check(want > have && want <= STREAM_WANT_MAX);
			if (at + have == n) /* cut off */
				break;
		}
	}
	while (at < n) {
		struct stream_item it;

		walk_check(stream_last(p, in + at, n - at, &it) == 1);
		walk_item(&w, p, &it, at);
		at += it.len;
	}
	walk_check(at == n);
	return w;
}

/* The same where QEMU falls silent after each piece, for so long that what
 * there is goes on.
 */
static inline struct walk
walk_pauses(struct stream_parser *p, const uint8_t *in, size_t n,
	    walk_piece *piece, void *arg)
{
	struct walk w = { .eof = UINT64_MAX };
	size_t want;

	for (size_t at = 0, have; at < n; at += have) {
		auto_free uint8_t *bytes = NULL;
		struct stream_item it;

		have = piece(arg);
		have = MIN(n - at, MAX(have, (size_t)1));
		bytes = malloc(have);
		walk_check(bytes);
		memcpy(bytes, in + at, have);
		for (size_t used = 0; used < have; used += it.len) {
			if (!stream_next(p, bytes + used, have - used, &it,
					 &want))
				walk_check(stream_last(p, bytes + used,
						       have - used, &it) == 1);
			walk_check(it.bytes == bytes + used);
			walk_check(it.len > 0 && it.len <= have - used);
			walk_item(&w, p, &it, at + used);
		}
	}
	return w;
}

#endif
