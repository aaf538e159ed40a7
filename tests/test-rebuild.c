/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "dedup/delta.h"
#include "dedup/normal.h"
#include "receiver/rebuild.h"
#include "tests/fuzz/engine.h"
#include "tests/test.h"

/* Streams as a sender could put them together that means no good. */

#define KEPT   2000 /* pages; the second region of them is not shared */
#define BLOCKS 10   /* of the image, which is said to have more */

static struct plan_writer w;
static struct frame frame;
static struct fuzz_memory kept;
static struct fuzz_output out;
static uint8_t *kept_pages;
static struct base bases[3];
static const uint8_t only_the_first_region[1] = { 1 };
static struct rebuild rebuild;

static struct image *
make_image(void)
{
	char path[] = "/tmp/test-rebuild-XXXXXX";
	int fd = mkstemp(path);
	struct image *image;
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, kept_pages, BLOCKS * PAGE_BYTES),
			 BLOCKS * PAGE_BYTES);
	image = image_open_as(path, "raw", &e);
	assert_non_null(image);
	unlink(path);
	close(fd);
	return image;
}

static int
begin_all(void **state)
{
	(void)state;
	kept_pages = malloc(KEPT * PAGE_BYTES);
	fuzz_pages(kept_pages, KEPT);
	fuzz_memory(&kept, kept_pages, KEPT);
	bases[0] = (struct base){ BASE_HISTORY, .npages = FUZZ_PAGES };
	bases[1] = (struct base){ BASE_MEMORY, .npages = KEPT,
				  .memory = &kept.memory,
				  .regions = only_the_first_region };
	bases[2] = (struct base){ BASE_IMAGE, .npages = 2 * BLOCKS,
				  .image = make_image() };
	rebuild = (struct rebuild){ .bases = bases,
				    .nbases = ARRAY_LEN(bases),
				    .target = fuzz_target(&out),
				    .items = calloc(REBUILD_ITEMS_MAX,
						    sizeof(*rebuild.items)) };
	plan_writer_init(&w, base_guest_like(bases, ARRAY_LEN(bases)));
	return 0;
}

static int
end_all(void **state)
{
	(void)state;
	plan_writer_fini(&w);
	image_close(bases[2].image);
	free(rebuild.items);
	free(kept_pages);
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	plan_writer_reset(&w);
	frame = (struct frame){ .npages = 0 };
	memset(&out, 0xee, sizeof(out));
	return 0;
}

/* Rebuilds what the writer holds, stream 'cut' with only 'len' bytes of it.
 */
static int
rebuilt_cut(unsigned cut, size_t len, struct err *e)
{
	struct span streams[STREAM__MAX];
	uint8_t *copies[STREAM__MAX];
	int ret;

	for (unsigned i = 0; i < STREAM__MAX; i++) {
		size_t n = i == cut ? len : w.streams[i].len;

		/* Of that length exactly, so that a sanitizer sees the end. */
		copies[i] = calloc(1, MAX(n, (size_t)1));
		if (n > 0)
			memcpy(copies[i], w.streams[i].data,
			       MIN(n, w.streams[i].len));
		streams[i] = span_of(copies[i], n);
	}
	ret = rebuild_frame(&rebuild, &frame, streams, e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		free(copies[i]);
	return ret;
}

static int
rebuilt(struct err *e)
{
	return rebuilt_cut(STREAM__MAX, 0, e);
}

static void
put_ref(uint64_t own, uint8_t base, uint64_t page)
{
	struct err e;

	assert_ok(plan_put_ref(&w, own, (struct plan_ref){ base, page }, &e),
		  &e);
}

static void
put_bytes(const char *bytes)
{
	struct err e;

	assert_ok(plan_put_bytes(&w, (const uint8_t *)bytes, strlen(bytes), &e),
		  &e);
	frame.nbytes += (uint32_t)strlen(bytes);
}

static void
put_data(const struct plan_copy *copies, unsigned n)
{
	struct err e;

	assert_ok(plan_put_data(&w, kept_pages + 2 * PAGE_BYTES, copies, n, &e),
		  &e);
}

static void
put_changed(void)
{
	const struct plan_move one = { .by = { 0x1000 }, .n = 1 };
	struct plan_move two = { .by = { 0, 0x2000 }, .n = 2 };
	struct plan_delta d = { .mask = { [0] = 6, [7] = 1 },
				.words = { 1, 2, 3 },
				.nwords = 3 };
	struct err e;

	two.nslots = normal_count(kept_pages + 2 * PAGE_BYTES);
	two.slots[1] = 1;
	assert_ok(plan_put_move(&w, 5, (struct plan_ref){ 0, 0 }, &one, &e),
		  &e);
	assert_ok(plan_put_move(&w, 6, (struct plan_ref){ 1, 2 }, &two, &e),
		  &e);
	assert_ok(plan_put_delta(&w, 7, (struct plan_ref){ 1, 3 }, &d, &e), &e);
}

/* Ten pages in which everything occurs. */
static void
put_sample(void)
{
	const struct plan_copy copies[] = {
		{ 10, 20, 30, { 0, 0 } },
		{ 100, 8, 504, { 1, 3 } },
		{ 504, 8, 0, { 2, 1 } },
	};
	struct err e;

	put_bytes("before");
	put_data(NULL, 0);
	assert_ok(plan_put_plain(&w, PLAN_ZERO, &e), &e);
	assert_ok(plan_put_plain(&w, PLAN_FREE, &e), &e);
	put_bytes("between");
	assert_ok(plan_put_fill(&w, 0x1234, &e), &e);
	put_ref(4, PLAN_BASE_HISTORY, 0);
	put_changed();
	put_data(copies, ARRAY_LEN(copies));
	put_ref(9, 2, 7);
	put_bytes("after");
	frame.npages = 10;
	assert_ok(plan_writer_finish(&w, &e), &e);
}

static void
everything_that_can_be_said_is_rebuilt(void **state)
{
	const uint8_t *source = kept_pages + 2 * PAGE_BYTES;
	uint8_t want[PAGE_BYTES];
	struct err e;

	(void)state;
	put_sample();
	assert_ok(rebuilt(&e), &e);
	assert_memory_equal(out.bytes, "beforebetweenafter", 18);
	assert_memory_equal(out.pages, source, PAGE_BYTES);
	memset(want, 0, PAGE_BYTES);
	assert_memory_equal(fuzz_page(&out, 1), want, PAGE_BYTES);
	assert_memory_equal(fuzz_page(&out, 2), want, PAGE_BYTES);
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		assert_int_equal(page_word(fuzz_page(&out, 3), i), 0x1234);
	assert_memory_equal(fuzz_page(&out, 4), source, PAGE_BYTES);
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t was = page_word(source, i);

		assert_int_equal(page_word(fuzz_page(&out, 5), i),
				 was + 0x1000);
		assert_int_equal(page_word(fuzz_page(&out, 6), i),
				 was + (i == 1 ? 0x2000 : 0));
	}
	memcpy(want, kept_pages + 3 * PAGE_BYTES, PAGE_BYTES);
	memcpy(want + 8, (uint64_t[]){ 1, 2 }, 16);
	memcpy(want + 448 * 8, (uint64_t[]){ 3 }, 8);
	assert_memory_equal(fuzz_page(&out, 7), want, PAGE_BYTES);
	memcpy(want, source, PAGE_BYTES);
	memcpy(want + 80, source + 240, 160);
	memcpy(want + 800, kept_pages + 4 * PAGE_BYTES - 64, 64);
	memcpy(want + 4032, kept_pages + PAGE_BYTES, 64);
	assert_memory_equal(fuzz_page(&out, 8), want, PAGE_BYTES);
	assert_memory_equal(fuzz_page(&out, 9), kept_pages + 7 * PAGE_BYTES,
			    PAGE_BYTES);
	assert_int_equal(rebuild.nitems, 13);
}

static void
every_byte_of_every_stream_is_needed(void **state)
{
	struct err e;

	(void)state;
	put_sample();
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		size_t len = w.streams[i].len;

		if (i == STREAM_PLACE) /* of live frames only */
			continue;
		assert_true(len > 0);
		for (size_t n = 0; n < len; n++)
			assert_err(rebuilt_cut(i, n, &e), &e, ERR_PROTOCOL);
		assert_ok(rebuilt_cut(i, len, &e), &e);
		assert_err(rebuilt_cut(i, len + 1, &e), &e, ERR_PROTOCOL);
	}
}

static void
refuses_copies_from(struct plan_ref ref)
{
	const struct plan_copy copy = { 0, 8, 0, ref };
	struct err e;

	begin(NULL);
	put_data(&copy, 1);
	frame.first_page = 5;
	frame.npages = 1;
	assert_ok(plan_writer_finish(&w, &e), &e);
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
}

static void
a_slot_names_a_difference_that_was_sent(void **state)
{
	struct err e;

	(void)state;
	put_sample();
	for (size_t i = 0; i < w.streams[STREAM_SLOT].len; i++) {
		uint8_t *slot = &w.streams[STREAM_SLOT].data[i], was = *slot;

		*slot = 2;
		assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
		*slot = was;
	}
	assert_ok(rebuilt(&e), &e);
}

static void
references_lead_only_to_what_is_shared(void **state)
{
	static const struct plan_ref wrong[] = {
		{ 0, 5 }, /* itself */
		{ 0, 6 },          { 0, UINT64_MAX },
		{ 1, 1024 }, /* a region that is not shared */
		{ 1, KEPT },       { 1, UINT64_MAX },
		{ 2, 2 * BLOCKS }, { 3, 0 }, /* no such base */
		{ 31, 0 },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		begin(NULL);
		put_ref(5, wrong[i].base, wrong[i].page);
		frame.first_page = 5;
		frame.npages = 1;
		assert_ok(plan_writer_finish(&w, &e), &e);
		assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
		refuses_copies_from(wrong[i]);
	}
}

static void
a_base_that_cannot_be_read_is_an_error(void **state)
{
	struct err e;

	(void)state;
	put_ref(0, 2, BLOCKS);
	frame.npages = 1;
	assert_ok(plan_writer_finish(&w, &e), &e);
	assert_err(rebuilt(&e), &e, ERR_CORRUPT);
}

static void
a_frame_has_the_pages_and_bytes_that_it_says(void **state)
{
	struct err e;

	(void)state;
	put_sample();
	frame.npages = 9;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.npages = 11;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.npages = 10;
	frame.nbytes--;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.nbytes += 2;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.nbytes--;
	assert_ok(rebuilt(&e), &e);
	/* A page after the last, while bytes are still to come. */
	begin(NULL);
	assert_ok(plan_put_plain(&w, PLAN_ZERO, &e), &e);
	put_bytes("x");
	assert_ok(plan_writer_finish(&w, &e), &e);
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
}

static void
the_target_has_the_last_word(void **state)
{
	struct err e;

	(void)state;
	put_sample();
	frame.first_page = FUZZ_PAGES;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.first_page = 0;
	frame.first_byte = FUZZ_PAGES - 17;
	assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	frame.first_byte--;
	assert_ok(rebuilt(&e), &e);
}

static int
take_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	   struct err *e)
{
	(void)arg, (void)first, (void)bytes, (void)n, (void)e;
	return 0;
}

/* Bytes that come one at a time make many parts of a frame of few. */
static void
the_parts_of_a_frame_are_bounded(void **state)
{
	struct err e;

	(void)state;
	rebuild.target.bytes = take_bytes;
	for (unsigned n = REBUILD_ITEMS_MAX; n <= REBUILD_ITEMS_MAX + 1; n++) {
		begin(NULL);
		for (unsigned i = 0; i < n; i++) {
			assert_ok(buf_put_u8(&w.streams[STREAM_PLAN],
					     PLAN_BYTES, &e),
				  &e);
			assert_ok(buf_put_u8(&w.streams[STREAM_GAP], 0, &e),
				  &e);
		}
		frame.nbytes = n;
		if (n == REBUILD_ITEMS_MAX)
			assert_ok(rebuilt(&e), &e);
		else
			assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
	}
	rebuild.target.bytes = fuzz_bytes;
}

/* What the writer cannot be made to say: one page of that code, whose stream
 * 'lie' begins with these bytes, and the complaint.  All else is as long as
 * anybody could want, and zero.
 */
static const struct lie {
	enum plan_code code;
	enum plan_stream stream;
	uint8_t n, bytes[49];
	const char *complaint;
} lies[] = {
	{ PLAN_MOVE, STREAM_MOVE, 1, { 0 }, "0 differences" },
	{ PLAN_MOVE, STREAM_MOVE, 1, { 5 }, "5 differences" },
	{ PLAN_MOVE, STREAM_MOVE, 2, { 1, 0 }, "difference 0 of 0" },
	{ PLAN_MOVE, STREAM_MOVE, 2, { 1, 63 }, "difference 63 of 0" },
	{ PLAN_MOVE, STREAM_MOVE, 2, { 1, 65 }, "difference 65 of 0" },
	{ PLAN_DELTA,
	  STREAM_MASK,
	  49,
	  { [0 ... 47] = 255, [48] = 1 },
	  "385 changed words" },
	{ PLAN_DATA, STREAM_COPY, 1, { 65 }, "too many copies in a page" },
	{ PLAN_DATA,
	  STREAM_COPY,
	  4,
	  { 1, 0xf9, 3, 0 }, /* the last place for 8 words is 504 */
	  "copy past the end of a page" },
	{ PLAN_DATA,
	  STREAM_COPY,
	  4,
	  { 1, 0, 0xf9, 3 },
	  "copy past the end of a page" },
	{ PLAN_DATA,
	  STREAM_COPY,
	  5,
	  { 1, 1, 0xf8, 3, 0 },
	  "copy past the end of a page" },
	{ PLAN_DATA,
	  STREAM_COPY,
	  5,
	  { 1, 0x81, 4, 0, 0 }, /* past the page by itself */
	  "copy past the end of a page" },
	{ PLAN_DATA,
	  STREAM_FROM,
	  2,
	  { 0, 1 }, /* one word before the page */
	  "copy from outside a page" },
	{ PLAN_DATA,
	  STREAM_FROM,
	  3,
	  { 0, 0xf2, 7 }, /* word 505 on, 8 words */
	  "copy from outside a page" },
	{ PLAN_DATA, STREAM_FROM, 2, { 1, 3 }, "base 3 of 3" },
};

static void
what_the_writer_never_says_is_refused(void **state)
{
	static const uint8_t zeros[PAGE_BYTES];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		const struct lie *l = &lies[i];

		begin(NULL);
		frame.npages = 1;
		frame.first_page = 1;
		for (unsigned s = 0; s < STREAM__MAX; s++) {
			if (s == STREAM_PLAN)
				assert_ok(buf_put_u8(&w.streams[s],
						     (uint8_t)l->code, &e),
					  &e);
			else if (s == l->stream)
				assert_ok(buf_put(&w.streams[s], l->bytes, l->n,
						  &e),
					  &e);
			else if (s == STREAM_COPY) /* one */
				assert_ok(buf_put_u8(&w.streams[s], 1, &e), &e);
			/* history, page 0: one before this page */
			else if (s == STREAM_JUMP)
				assert_ok(buf_put_u8(&w.streams[s], 1, &e), &e);
			assert_ok(buf_put(&w.streams[s], zeros, sizeof(zeros),
					  &e),
				  &e);
		}
		assert_err(rebuilt(&e), &e, ERR_PROTOCOL);
		assert_string_equal(e.text, l->complaint);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_that_can_be_said_is_rebuilt),
		TEST(every_byte_of_every_stream_is_needed),
		TEST(a_slot_names_a_difference_that_was_sent),
		TEST(references_lead_only_to_what_is_shared),
		TEST(a_base_that_cannot_be_read_is_an_error),
		TEST(a_frame_has_the_pages_and_bytes_that_it_says),
		TEST(the_target_has_the_last_word),
		TEST(the_parts_of_a_frame_are_bounded),
		TEST(what_the_writer_never_says_is_refused),
	};

	return cmocka_run_group_tests_name("rebuild", tests, begin_all,
					   end_all);
}
