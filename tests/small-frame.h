/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SMALL_FRAME_H
#define MIG_SMALL_FRAME_H

#include "tests/fuzz/engine.h"
#include "tests/test.h"

/* Ten pages, with opaque bytes before them, that come to a host which kept ten
 * others: few enough for one small frame, with all in it that a sender says.
 */
#define SMALL_PAGES 10
#define SMALL_HEAD  50

struct small {
	uint8_t kept_pages[SMALL_PAGES * PAGE_BYTES];
	uint8_t file[SMALL_HEAD + SMALL_PAGES * PAGE_BYTES];
	struct fuzz_memory kept, now;
	struct memory_segment segments[2];
	struct base bases[2];
	struct planner_config config;
};

/* Page n as it is now; what was kept there is fuzz_pages()'s. */
static inline void
small_page(uint8_t *pages, unsigned n)
{
	uint64_t seed = n + 1;

	for (unsigned w = 0; w < PAGE_WORDS; w++) {
		uint8_t *word = pages + n * PAGE_BYTES + 8 * (size_t)w;
		uint64_t v = page_word(pages + n * PAGE_BYTES, w);

		if (n == 0) /* zero */
			v = 0;
		if (n == 1) /* fill */
			v = 0x0101010101010101;
		if (n == 3) /* pointers moved, all alike */
			v = page_word(pages + 2 * PAGE_BYTES, w) + 0x10000;
		if (n == 4) /* and by two differences */
			v = page_word(pages + 2 * PAGE_BYTES, w) + w % 2 * 4096;
		if (n == 5 && w % 100 == 7) /* delta */
			v ^= 0xff00;
		if (n == 6 || (n == 8 && w < 500)) /* data */
			v = test_random(&seed) >> 56;
		if (n == 7) /* the same again */
			v = page_word(pages + 6 * PAGE_BYTES, w);
		if (n == 8 && w >= 100 && w < 300) /* in part */
			v = page_word(pages + 6 * PAGE_BYTES, w + 64);
		memcpy(word, &v, 8);
	}
}

static inline void
small_init(struct small *s)
{
	uint8_t *pages = s->file + SMALL_HEAD;

	fuzz_pages(s->kept_pages, SMALL_PAGES);
	fuzz_memory(&s->kept, s->kept_pages, SMALL_PAGES);
	memset(s->file, 'h', SMALL_HEAD);
	fuzz_pages(pages, SMALL_PAGES);
	for (unsigned n = 0; n < SMALL_PAGES; n++)
		small_page(pages, n);
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

/* The one frame of it, at the end of 'wire'. */
static inline void
small_frame(const struct small *s, const struct effort *effort,
	    struct buf *wire)
{
	unsigned pages[PLAN__MAX] = { 0 };
	struct err e;
	struct encoder *enc = encoder_new(&s->config, 1, &e);
	struct encoding *x = encoding_new(enc, &e);

	encoding_begin(x, effort);
	fuzz_run(&x->job);
	assert_false(x->failed);
	assert_int_equal(x->batch->npages, SMALL_PAGES);
	assert_int_equal(x->batch->nbytes, SMALL_HEAD);
	for (unsigned n = 0; n < SMALL_PAGES; n++)
		pages[x->planned.codes[n]]++;
	for (unsigned i = PLAN_ZERO; i < PLAN_BYTES; i++)
		if (i != PLAN_FREE && pages[i] == 0)
			fail_msg("no page is %s", plan_code_name(i));
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (x->frame.streams[i].raw_len == 0 && i != STREAM_PLACE &&
		    (i != STREAM_FROM || effort->match))
			fail_msg("nothing in stream %s", plan_stream_name(i));
	assert_ok(frame_put(wire, &x->frame, &e), &e);
	encoding_free(x);
	encoder_free(enc);
}

#endif
