/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/engine.h"

#include "common/mem.h"
#include "stream/numbers.h"
#include "stream/parse.h"

/* How pages stand in QEMU's stream, both ways.  The bytes are a stream of
 * places: whatever is read from it says the same once it has been written
 * again, and less or as many bytes say it.  And they are unpacked streams of
 * a frame as for fuzz-rebuild: rebuilt into room for exactly its pages with
 * their heads, or an error.
 */
#define BLOCK_PAGES 20

static struct stream_blocks blocks;
static struct stream_numbers numbers;
static struct base history;
static struct rebuild_item items[REBUILD_ITEMS_MAX];
static uint8_t shadow[2 * BLOCK_PAGES * PAGE_BYTES];

static void
begin_once(void)
{
	struct err e;

	if (numbers.npages > 0)
		return;
	stream_blocks_init(&blocks);
	fuzz_ok(stream_blocks_add(&blocks, "pc.ram", 6,
				  BLOCK_PAGES * PAGE_BYTES, &e),
		&e);
	fuzz_ok(stream_blocks_add(&blocks, "a", 1, BLOCK_PAGES * PAGE_BYTES,
				  &e),
		&e);
	fuzz_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	history = (struct base){ BASE_HISTORY, .npages = numbers.npages };
}

/* ---- as a stream of places */

static bool
same_place(const struct plan_place *a, const struct plan_place *b)
{
	return a->number == b->number && a->bare == b->bare &&
	       a->names == b->names;
}

static void
both_ways(struct span in)
{
	static struct plan_place places[512];
	struct span streams[STREAM__MAX] = { [STREAM_PLACE] = in };
	struct plan_reader r;
	struct plan_writer w;
	struct plan_place p;
	struct err e;
	size_t n = 0;

	plan_reader_init(&r, streams, 1, 1);
	while (n < ARRAY_LEN(places) && plan_get_place(&r, &places[n], &e) == 0)
		n++;
	plan_writer_init(&w, 1);
	for (size_t i = 0; i < n; i++)
		fuzz_ok(plan_put_place(&w, &places[i], &e), &e);
	fuzz_ok(plan_writer_finish(&w, &e), &e);
	streams[STREAM_PLACE] = span_of(w.streams[STREAM_PLACE].data,
					w.streams[STREAM_PLACE].len);
	plan_reader_init(&r, streams, 1, 1);
	for (size_t i = 0; i < n; i++) {
		fuzz_ok(plan_get_place(&r, &p, &e), &e);
		fuzz_check(same_place(&p, &places[i]));
	}
	fuzz_check(r.streams[STREAM_PLACE].left == 0);
	plan_writer_fini(&w);
}

/* ---- as a frame */

struct room {
	uint8_t *out;
	size_t len, pages, heads;
};

/* As the receiver does it (receiver/live-frames.c). */
static bool
room_place(void *arg, const struct plan_place *p, bool zero,
	   struct rebuild_item *head, uint8_t **out)
{
	struct room *r = arg;
	uint64_t offset;
	uint32_t block;

	*out = NULL;
	if (!stream_number_find(&numbers, p->number, &block, &offset))
		return false;
	fuzz_check(block < blocks.n && offset < blocks.list[block].used);
	head->head = r->out + r->len;
	if (!p->bare) {
		head->head_len = (uint32_t)stream_put_head(
			&blocks, zero ? STREAM_ZERO : STREAM_PAGE, block,
			offset, !p->names, r->out + r->len);
		r->len += head->head_len;
		r->heads++;
		if (zero)
			return true;
	}
	*out = r->out + r->len;
	r->pages++;
	r->len += PAGE_BYTES;
	return true;
}

static int
room_done(void *arg, uint64_t n, const uint8_t *page, struct err *e)
{
	(void)arg;
	(void)e;
	if (page)
		memcpy(shadow + n * PAGE_BYTES, page, PAGE_BYTES);
	else
		memset(shadow + n * PAGE_BYTES, 0, PAGE_BYTES);
	return 0;
}

static const uint8_t *
room_history(void *arg, uint64_t n)
{
	(void)arg;
	return n < numbers.npages ? shadow + n * PAGE_BYTES : NULL;
}

static int
room_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	   struct err *e)
{
	struct room *r = arg;

	(void)first;
	(void)e;
	memcpy(r->out + r->len, bytes, n);
	r->len += n;
	return 0;
}

static void
as_frame(struct span in)
{
	struct room room = { .len = 0 };
	struct rebuild r = { .bases = &history,
			     .nbases = 1,
			     .target = { .place = room_place,
					 .done = room_done,
					 .history = room_history,
					 .bytes = room_bytes,
					 .arg = &room },
			     .items = items };
	struct span streams[STREAM__MAX];
	struct frame f = { .first_page = 0 };
	uint8_t npages, nbytes, lens[STREAM__MAX];
	struct err e;
	size_t most;

	if (span_get_u8(&in, &npages, &e) < 0 ||
	    span_get_u8(&in, &nbytes, &e) < 0 ||
	    span_get(&in, lens, sizeof(lens), &e) < 0)
		return;
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		streams[i] = span_of(in.at, MIN(in.left, (size_t)lens[i]));
		in.at += streams[i].left;
		in.left -= streams[i].left;
	}
	f.npages = npages;
	f.nbytes = nbytes;
	most = (size_t)npages * (STREAM_HEAD_MAX + PAGE_BYTES) + nbytes;
	room.out = malloc(most + 1);
	fuzz_check(room.out);
	if (rebuild_frame(&r, &f, streams, &e) == 0)
		fuzz_check(room.pages <= npages && room.heads <= npages &&
			   room.len <= most);
	else
		fuzz_check(e.code == ERR_PROTOCOL);
	free(room.out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin_once();
	both_ways(span_of(data, size));
	as_frame(span_of(data, size));
	return 0;
}

static void
put_frame(struct buf *out, const struct plan_writer *w, uint8_t npages,
	  uint8_t nbytes)
{
	struct err e;

	fuzz_ok(buf_put_u8(out, npages, &e), &e);
	fuzz_ok(buf_put_u8(out, nbytes, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		fuzz_check(w->streams[i].len <= UINT8_MAX);
		fuzz_ok(buf_put_u8(out, (uint8_t)w->streams[i].len, &e), &e);
	}
	for (unsigned i = 0; i < STREAM__MAX; i++)
		fuzz_ok(buf_put(out, w->streams[i].data, w->streams[i].len, &e),
			&e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct plan_place places[] = {
		{ 3, false, true },   { 4, false, false }, { 5, false, false },
		{ 0, false, false },  { 21, false, true }, { 22, true, false },
		{ 23, true, false },  { 39, true, false }, { 38, false, true },
		{ 39, false, false },
	};
	struct plan_writer w;
	struct err e;

	if (i > 1)
		return NULL;
	plan_writer_init(&w, 1);
	for (size_t n = 0; n < ARRAY_LEN(places); n++) {
		fuzz_ok(plan_put_place(&w, &places[n], &e), &e);
		if (n % 3 == 0)
			fuzz_ok(plan_put_plain(&w, PLAN_ZERO, &e), &e);
		else if (n % 3 == 1)
			fuzz_ok(plan_put_fill(&w, n * 7, &e), &e);
		else
			fuzz_ok(plan_put_ref(&w, places[n].number,
					     (struct plan_ref){ 0, n }, &e),
				&e);
	}
	fuzz_ok(plan_put_bytes(&w, (const uint8_t *)"bytes", 5, &e), &e);
	fuzz_ok(plan_writer_finish(&w, &e), &e);
	if (i == 0)
		put_frame(out, &w, ARRAY_LEN(places), 5);
	else
		fuzz_ok(buf_put(out, w.streams[STREAM_PLACE].data,
				w.streams[STREAM_PLACE].len, &e),
			&e);
	plan_writer_fini(&w);
	return i == 0 ? "frame" : "places";
}
