/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>

#include "common/mem.h"
#include "common/page.h"
#include "sender/source.h"

/* Of opaque bytes, in one batch: images have few, all in one place. */
#define SOURCE_RUNS_MAX 64

static const struct memory_segment *
source_segment(const struct memory *m, struct source_cursor *at)
{
	while (at->segment < m->nsegments &&
	       at->done == m->segments[at->segment].len) {
		at->segment++;
		at->done = 0;
	}
	return at->segment < m->nsegments ? &m->segments[at->segment] : NULL;
}

static void
source_move(struct source_cursor *at, const struct memory_segment *s,
	    uint32_t n)
{
	at->done += s->is_pages ? (uint64_t)n * PAGE_BYTES : n;
	*(s->is_pages ? &at->page : &at->byte) += n;
}

static uint32_t
source_pages(const struct memory *m, const struct memory_segment *s,
	     const struct source_cursor *at, uint32_t max, struct batch *b)
{
	const uint8_t *bytes = m->map.data + s->offset + at->done;
	uint32_t n = (uint32_t)MIN((s->len - at->done) / PAGE_BYTES,
				   (uint64_t)max - b->npages);

	for (uint32_t i = 0; i < n; i++)
		b->pages[b->npages++] = (struct batch_page){
			.number = at->page + i,
			.bytes = bytes + (size_t)i * PAGE_BYTES,
		};
	return n;
}

static uint32_t
source_bytes(const struct memory *m, const struct memory_segment *s,
	     const struct source_cursor *at, uint32_t max, struct batch *b)
{
	uint32_t n =
		(uint32_t)MIN(s->len - at->done, (uint64_t)max - b->nbytes);

	if (n == 0 || b->nruns == SOURCE_RUNS_MAX)
		return 0;
	b->runs[b->nruns++] =
		(struct batch_run){ m->map.data + s->offset + at->done, n,
				    b->npages };
	b->nbytes += n;
	return n;
}

void
source_fill(const struct memory *m, const struct source_cursor *from,
	    uint32_t npages, uint32_t nbytes, struct batch *b)
{
	struct source_cursor at = *from;
	const struct memory_segment *s;
	uint32_t n = 1;

	b->npages = b->nruns = b->nbytes = 0;
	npages = MIN(npages, FRAME_PAGES_MAX);
	nbytes = MIN(nbytes, FRAME_BYTES_MAX);
	while (n > 0 && (s = source_segment(m, &at))) {
		n = s->is_pages ? source_pages(m, s, &at, npages, b)
				: source_bytes(m, s, &at, nbytes, b);
		source_move(&at, s, n);
	}
}

void
source_advance(const struct memory *m, struct source_cursor *at,
	       uint32_t npages, uint32_t nbytes)
{
	while (npages > 0 || nbytes > 0) {
		const struct memory_segment *s = source_segment(m, at);
		uint32_t *left = s && s->is_pages ? &npages : &nbytes;
		uint64_t here;

		assert(s && *left > 0);
		here = (s->len - at->done) / (s->is_pages ? PAGE_BYTES : 1);
		here = MIN(here, (uint64_t)*left);
		source_move(at, s, (uint32_t)here);
		*left -= (uint32_t)here;
	}
}
