/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SMALL_FRAME_H
#define MIG_SMALL_FRAME_H

#include "tests/fuzz/engine.h"
#include "tests/test.h"

/* Twenty pages, with opaque bytes before them, that come to a host which kept
 * twenty others: few enough for one small frame, and every plan code in it.
 */
#define SMALL_PAGES 20
#define SMALL_HEAD  50

struct small {
	uint8_t kept_pages[SMALL_PAGES * PAGE_BYTES];
	uint8_t file[SMALL_HEAD + SMALL_PAGES * PAGE_BYTES];
	struct fuzz_memory kept, now;
	struct memory_segment segments[2];
	struct base bases[2];
	struct planner_config config;
};

static inline void
small_init(struct small *s)
{
	uint8_t *pages = s->file + SMALL_HEAD;

	fuzz_pages(s->kept_pages, SMALL_PAGES);
	fuzz_memory(&s->kept, s->kept_pages, SMALL_PAGES);
	memset(s->file, 'h', SMALL_HEAD);
	fuzz_pages(pages, SMALL_PAGES);
	for (unsigned n = 0; n < SMALL_PAGES; n++)
		memset(pages + n * PAGE_BYTES + 16, (int)n, n * 8);
	/* Pages that one pointer tells apart from an earlier one. */
	for (unsigned n = 14; n < 17; n++) {
		memcpy(pages + n * PAGE_BYTES, pages + 10 * PAGE_BYTES,
		       PAGE_BYTES);
		pages[n * PAGE_BYTES + 2049] += (uint8_t)(n * 16);
	}
	fuzz_memory(&s->now, s->file, SMALL_PAGES);
	s->segments[0] = (struct memory_segment){ .len = SMALL_HEAD };
	s->segments[1] = s->now.segment;
	s->segments[1].offset = SMALL_HEAD;
	s->now.memory.segments = s->segments;
	s->now.memory.nsegments = 2;
	s->now.memory.map.len += SMALL_HEAD;
	s->bases[0] = (struct base){ BASE_HISTORY, .npages = SMALL_PAGES };
	s->bases[1] = (struct base){ BASE_MEMORY, .npages = SMALL_PAGES,
				     .memory = &s->kept.memory };
	s->config = (struct planner_config){ .memory = &s->now.memory,
					     .bases = s->bases,
					     .nbases = 2 };
}

/* The one frame of it, at the end of 'wire'; its pages by code, if wanted. */
static inline void
small_frame(const struct small *s, const struct effort *effort,
	    struct buf *wire, unsigned pages[PLAN__MAX])
{
	struct err e;
	struct encoder *enc = encoder_new(&s->config, 1, &e);
	struct encoding *x = encoding_new(enc, &e);

	encoding_begin(x, effort);
	fuzz_run(&x->job);
	assert_false(x->failed);
	assert_int_equal(x->planned.npages, SMALL_PAGES);
	assert_int_equal(x->planned.nbytes, SMALL_HEAD);
	assert_ok(frame_put(wire, &x->frame, &e), &e);
	for (unsigned n = 0; pages && n < SMALL_PAGES; n++)
		pages[x->planned.codes[n]]++;
	encoding_free(x);
	encoder_free(enc);
}

#endif
