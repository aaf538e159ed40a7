/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/engine.h"

#include "common/mem.h"
#include "dedup/normal.h"

/* Any unpacked streams, over a kept memory of which one region is shared:
 * rebuilt within the output, from what is shared, or an error.  First page,
 * pages and opaque bytes (u8 each), the lengths of all streams (u16 each),
 * and these one after the other.
 */
#define KEPT (BASE_REGION_PAGES + 8)

static uint8_t kept_pages[KEPT * PAGE_BYTES];
static const uint8_t first_region[] = { 1 };
static struct fuzz_memory kept;
static struct fuzz_output output;
static struct rebuild_item items[REBUILD_ITEMS_MAX];
static struct base bases[2];

static void
begin_once(void)
{
	if (bases[1].npages)
		return;
	fuzz_pages(kept_pages, KEPT);
	fuzz_memory(&kept, kept_pages, KEPT);
	bases[0] = (struct base){ BASE_HISTORY, .npages = FUZZ_PAGES };
	bases[1] = (struct base){ BASE_MEMORY, .npages = KEPT,
				  .memory = &kept.memory,
				  .regions = first_region };
}

static void
check_items(const struct rebuild *r, const struct frame *f)
{
	uint32_t npages = 0, nbytes = 0;

	for (size_t i = 0; i < r->nitems; i++) {
		const struct rebuild_item *it = &r->items[i];

		nbytes += it->nbytes;
		if (it->nbytes > 0)
			continue;
		fuzz_check(!it->at ||
			   it->at ==
				   fuzz_page(&output, f->first_page + npages));
		npages++;
	}
	fuzz_check(npages == f->npages && nbytes == f->nbytes);
}

/* Copies, so that a sanitizer sees where each stream ends. */
static int
take_streams(struct span in, uint8_t *copies[STREAM__MAX],
	     struct span streams[STREAM__MAX])
{
	uint16_t lens[STREAM__MAX];
	struct err e;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (span_get_u16(&in, &lens[i], &e) < 0)
			return -1;
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		size_t n = MIN(in.left, lens[i]);

		copies[i] = malloc(MAX(n, (size_t)1));
		fuzz_check(copies[i] != NULL);
		streams[i] = span_of(copies[i], n);
		fuzz_ok(span_get(&in, copies[i], n, &e), &e);
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rebuild r = { bases, 2, fuzz_target(&output), items, 0 };
	uint8_t *copies[STREAM__MAX] = { NULL };
	struct span streams[STREAM__MAX];
	struct frame f = { .npages = 0 };
	struct err e;

	begin_once();
	if (size < 3)
		return 0;
	f.first_page = data[0];
	f.npages = data[1];
	f.nbytes = data[2];
	memset(output.pages, 0, sizeof(output.pages));
	if (take_streams(span_of(data + 3, size - 3), copies, streams) == 0) {
		if (rebuild_frame(&r, &f, streams, &e) == 0)
			check_items(&r, &f);
		else
			fuzz_check(e.code == ERR_PROTOCOL);
	}
	for (unsigned i = 0; i < STREAM__MAX; i++)
		free(copies[i]);
	return 0;
}

/* Pages and bytes of the plan that is put into w. */
struct said {
	uint8_t npages, nbytes;
};

static struct said
say_pages(struct plan_writer *w)
{
	struct err e;

	fuzz_ok(plan_put_plain(w, PLAN_ZERO, &e), &e);
	fuzz_ok(plan_put_plain(w, PLAN_FREE, &e), &e);
	fuzz_ok(plan_put_fill(w, 77, &e), &e);
	fuzz_ok(plan_put_bytes(w, (const uint8_t *)"bytes", 5, &e), &e);
	return (struct said){ 3, 5 };
}

static struct said
say_references(struct plan_writer *w)
{
	struct plan_move m = { .by = { 4096, 0 }, .n = 1 };
	struct plan_delta d = { .mask = { 6 }, .words = { 1, 2 }, .nwords = 2 };
	struct err e;

	fuzz_ok(plan_put_ref(w, 0, (struct plan_ref){ 1, 0 }, &e), &e);
	fuzz_ok(plan_put_ref(w, 1, (struct plan_ref){ 1, 1 }, &e), &e);
	fuzz_ok(plan_put_ref(w, 2, (struct plan_ref){ 1, 6 }, &e), &e);
	fuzz_ok(plan_put_move(w, 3, (struct plan_ref){ 0, 2 }, &m, &e), &e);
	m.n = 2;
	m.nslots = normal_count(kept_pages + 2 * PAGE_BYTES);
	fuzz_ok(plan_put_move(w, 4, (struct plan_ref){ 1, 2 }, &m, &e), &e);
	fuzz_ok(plan_put_delta(w, 5, (struct plan_ref){ 1, 5 }, &d, &e), &e);
	return (struct said){ 6, 0 };
}

static struct said
say_data(struct plan_writer *w)
{
	static const struct plan_copy copies[] = {
		{ 0, 300, 0, { 1, 2 } },
		{ 302, 200, 100, { 1, 3 } },
	};
	struct err e;

	fuzz_ok(plan_put_data(w, kept_pages, copies, ARRAY_LEN(copies), &e),
		&e);
	fuzz_ok(plan_put_data(w, kept_pages, copies, 1, &e), &e);
	return (struct said){ 2, 0 };
}

static void
put_said(struct buf *out, const struct plan_writer *w, struct said said)
{
	struct err e;

	fuzz_ok(buf_put_u8(out, 0, &e), &e);
	fuzz_ok(buf_put_u8(out, said.npages, &e), &e);
	fuzz_ok(buf_put_u8(out, said.nbytes, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		fuzz_ok(buf_put_u16(out, (uint16_t)w->streams[i].len, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		fuzz_ok(buf_put(out, w->streams[i].data, w->streams[i].len, &e),
			&e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct {
		const char *name;
		struct said (*say)(struct plan_writer *w);
	} seeds[] = {
		{ "pages", say_pages },
		{ "references", say_references },
		{ "data", say_data },
	};
	struct plan_writer w;
	struct said said;
	struct err e;

	if (i >= ARRAY_LEN(seeds))
		return NULL;
	begin_once();
	plan_writer_init(&w, base_guest_like(bases, 2));
	said = seeds[i].say(&w);
	fuzz_ok(plan_writer_finish(&w, &e), &e);
	put_said(out, &w, said);
	plan_writer_fini(&w);
	return seeds[i].name;
}
