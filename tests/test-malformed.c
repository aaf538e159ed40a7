/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "common/mem.h"
#include "tests/fault.h"
#include "tests/small-frame.h"
#include "tests/test.h"

/* Frames that were damaged, or made to do damage: refused, or told by the
 * digest, in memory that is bounded whatever they say.
 */
static struct small small;
static struct decoder *decoder;
static struct decoding *decoding;
static struct fuzz_output out, want;
static struct buf wire;

/* Every codec has its own ways to be damaged. */
#define EFFORT(name, id, level)                                                \
	{                                                                      \
		name, "", { id, level }, { id, level }, true, true, 1 << 20    \
	}
static const struct effort efforts[CODEC__MAX] = {
	EFFORT("raw", CODEC_RAW, 0),   EFFORT("lz4", CODEC_LZ4, 0),
	EFFORT("zlib", CODEC_ZLIB, 6), EFFORT("zstd", CODEC_ZSTD, 3),
	EFFORT("lzma", CODEC_LZMA, 1), EFFORT("page", CODEC_PAGE, 1),
};

enum verdict {
	REFUSED,
	TOLD,
	GOOD,
	VERDICTS
};

static enum verdict
judge(const uint8_t *bytes, size_t n)
{
	const struct rebuild_target target = fuzz_target(&out);
	/* Of that length exactly, so that a sanitizer sees the end. */
	auto_free uint8_t *copy = malloc(MAX(n, (size_t)1));

	memcpy(copy, bytes, n);
	decoding_begin(decoding, span_of(copy, n), &target);
	fuzz_run(&decoding->job);
	if (decoding->failed) {
		assert_int_equal(decoding->err.code, ERR_PROTOCOL);
		return REFUSED;
	}
	return decoding->good ? GOOD : TOLD;
}

/* A frame that passes for good must have said what the intact one says. */
static enum verdict
verdict(const uint8_t *bytes, size_t n)
{
	enum verdict v = judge(bytes, n);

	if (v == GOOD) {
		memset(&out, 0xee, sizeof(out));
		assert_int_equal(judge(bytes, n), GOOD);
		assert_memory_equal(&out, &want, sizeof(out));
	}
	return v;
}

static void
make(const struct effort *effort)
{
	buf_reset(&wire);
	small_frame(&small, effort, &wire);
	memset(&out, 0xee, sizeof(out));
	assert_int_equal(judge(wire.data, wire.len), GOOD);
	want = out;
}

static void
every_truncation_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODEC__MAX; i++) {
		make(&efforts[i]);
		for (size_t n = 0; n < wire.len; n++)
			assert_int_equal(verdict(wire.data, n), REFUSED);
	}
}

static void
every_flipped_bit_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODEC__MAX; i++) {
		unsigned n[VERDICTS] = { 0 };

		make(&efforts[i]);
		for (size_t bit = 0; bit < 8 * wire.len; bit++) {
			wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			n[verdict(wire.data, wire.len)]++;
			wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		print_message("# %s: %u refused, %u told by the digest, "
			      "%u the same\n",
			      efforts[i].name, n[REFUSED], n[TOLD], n[GOOD]);
		/* Codecs can say the same thing in more than one way, but
		 * a frame has only ZERO and FREE for that.
		 */
		assert_true(i != CODEC_RAW || n[GOOD] < 10);
	}
}

/* Where the coded bytes begin: all before it is lengths, and the digest. */
static size_t
head_bytes(void)
{
	struct frame f;
	struct err e;
	size_t n = wire.len;

	assert_ok(frame_get(span_of(wire.data, wire.len), &f, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		n -= f.streams[i].coded_len;
	return n;
}

static void
every_byte_of_the_head_means_one_thing(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODEC__MAX; i += CODEC__MAX - 1) {
		size_t len;

		make(&efforts[i]);
		len = head_bytes();
		for (size_t at = 0; at < len; at++) {
			uint8_t was = wire.data[at];

			for (unsigned v = 0; v < 256; v++) {
				wire.data[at] = (uint8_t)v;
				if ((verdict(wire.data, wire.len) == GOOD) !=
				    (v == was))
					fail_msg("%s: byte %zu as %u, not %u",
						 efforts[i].name, at, v, was);
			}
			wire.data[at] = was;
		}
	}
}

/* The numbers of a frame's head, in order; STREAM__MAX times the last three.
 */
enum number {
	FIRST_PAGE,
	FIRST_BYTE,
	PAGES,
	BYTES,
	CODEC,
	RAW,
	CODED
};

struct lie {
	enum number number;
	unsigned stream;
	uint64_t value;
};

static uint64_t
truth(const struct frame *f, enum number number, unsigned stream)
{
	const uint64_t numbers[] = {
		f->first_page,
		f->first_byte,
		f->npages,
		f->nbytes,
		f->streams[stream].codec,
		f->streams[stream].raw_len,
		f->streams[stream].coded_len,
	};

	return numbers[number];
}

static void
put_number(struct buf *b, const struct frame *f, const struct lie *lie,
	   enum number number, unsigned stream)
{
	uint64_t v = truth(f, number, stream);
	struct err e;

	if (lie->number == number && lie->stream == stream)
		v = lie->value;
	if (number == CODEC)
		assert_ok(buf_put_u8(b, (uint8_t)v, &e), &e);
	else
		assert_ok(buf_put_varint(b, v, &e), &e);
}

/* The frame with one number that is not true, all else as it was. */
static void
put_lie(struct buf *b, const struct frame *f, const struct lie *lie)
{
	uint16_t present = 0;
	struct err e;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		present |= (uint16_t)((f->streams[i].raw_len > 0) << i);
	for (enum number n = FIRST_PAGE; n <= BYTES; n++)
		put_number(b, f, lie, n, 0);
	assert_ok(buf_put(b, f->digest.b, DIGEST_BYTES, &e), &e);
	assert_ok(buf_put_u16(b, present, &e), &e);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		for (enum number n = CODEC; n <= CODED; n++)
			if (f->streams[i].raw_len > 0)
				put_number(b, f, lie, n, i);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		if (f->streams[i].raw_len > 0)
			assert_ok(buf_put(b, f->streams[i].coded,
					  f->streams[i].coded_len, &e),
				  &e);
}

static void
check_lies(const struct frame *f, enum number number, unsigned stream)
{
	uint64_t was = truth(f, number, stream);
	const uint64_t values[] = {
		0,
		was - 1,
		was,
		was + 1,
		2 * was,
		frame_stream_max(stream, f->npages, f->nbytes),
		frame_stream_max(stream, f->npages, f->nbytes) + 1,
		FRAME_PAGES_MAX,
		FRAME_BYTES_MAX,
		FRAME_RAW_MAX,
		INT32_MAX,
		UINT32_MAX,
		1ull << 32 | was,
		INT64_MAX,
		UINT64_MAX,
	};
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct lie lie = { number, stream, values[i] };
		uint8_t codec = (uint8_t)values[i];
		bool same = number == CODEC ? codec == was : values[i] == was;

		buf_reset(&b);
		put_lie(&b, f, &lie);
		if ((verdict(b.data, b.len) == GOOD) != same)
			fail_msg("number %d of stream %u: %llu for %llu",
				 number, stream, (unsigned long long)values[i],
				 (unsigned long long)was);
	}
	buf_fini(&b);
}

static void
every_number_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODEC__MAX; i++) {
		struct frame f;
		struct err e;

		make(&efforts[i]);
		assert_ok(frame_get(span_of(wire.data, wire.len), &f, &e), &e);
		for (enum number n = FIRST_PAGE; n <= BYTES; n++)
			check_lies(&f, n, 0);
		for (unsigned s = 0; s < STREAM__MAX; s++)
			for (enum number n = CODEC; n <= CODED; n++)
				if (f.streams[s].raw_len > 0)
					check_lies(&f, n, s);
	}
}

/* A frame of as many pages as there may be, whose streams are so many zeros,
 * and which says of them that they are so many.
 */
static void
put_bomb(struct codec_choice choice, const uint32_t zeros[STREAM__MAX],
	 const uint32_t said[STREAM__MAX])
{
	auto_free uint8_t *plain = calloc(1, CODEC_BLOCK_MAX);
	uint8_t *coded[STREAM__MAX] = { NULL };
	struct frame f = { .npages = FRAME_PAGES_MAX };
	struct err e;
	struct codec_set *set = codec_set_new(&e);

	for (unsigned i = 0; i < STREAM__MAX; i++) {
		enum codec_id used;
		size_t n;

		if (zeros[i] == 0)
			continue;
		coded[i] = malloc(codec_bound(zeros[i]));
		assert_ok(codec_encode(set, choice, plain, zeros[i], coded[i],
				       &n, &used, &e),
			  &e);
		f.streams[i] =
			(struct frame_stream){ coded[i], said[i], (uint32_t)n,
					       (uint8_t)used };
	}
	buf_reset(&wire);
	assert_ok(frame_put(&wire, &f, &e), &e);
	codec_set_free(set);
	for (unsigned i = 0; i < STREAM__MAX; i++)
		free(coded[i]);
}

/* "VmRSS:": what the process has; "VmHWM:": the most since 5 was written to
 * clear_refs.  0 where a sanitizer keeps books of its own.
 */
static long
process_kib(const char *what)
{
	long kib = 0;
	char line[100];
	FILE *f = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = atol(line + strlen(what));
	fclose(f);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return 0;
#endif
#endif
	return kib;
}

/* Bytes that a new receiver takes to judge the frame, above the frame itself;
 * all that it takes, libraries and all, is less than *whole KiB.
 */
static int64_t
bytes_to_judge(enum verdict want_verdict, long whole)
{
	int64_t held;
	long kib;
	FILE *f = fopen("/proc/self/clear_refs", "w");
	struct err e;

	decoding_free(decoding);
	decoder_free(decoder);
	decoder = decoder_new(small.bases, 2, 1, &e);
	decoding = decoding_new(decoder, &e);
	held = fault_held();
	fault_peak_begin();
	malloc_trim(0);
	kib = process_kib("VmRSS:");
	assert_true(f && fputs("5", f) > 0 && fclose(f) == 0);
	assert_int_equal(judge(wire.data, wire.len), want_verdict);
	kib = process_kib("VmHWM:") - kib;
	print_message("# %zu bytes: %ld KiB, libraries and all\n", wire.len,
		      kib);
	assert_in_range(kib, 0, whole);
	return fault_peak() - held - (int64_t)wire.len;
}

static void
a_bomb_takes_no_more_than_a_frame_may(void **state)
{
	static const struct codec_choice choices[] = {
		{ CODEC_LZ4, 0 },  { CODEC_ZLIB, 9 }, { CODEC_ZSTD, 3 },
		{ CODEC_LZMA, 1 }, { CODEC_PAGE, 1 },
	};
	const uint32_t most[STREAM__MAX] = { [STREAM_DATA] = 8 << 20,
					     [STREAM_WORD] = 8 << 20,
					     [STREAM_SLOT] = 2 << 20,
					     [STREAM_FROM] = 2 << 20 };
	uint32_t more[STREAM__MAX], less[STREAM__MAX];

	(void)state;
	memcpy(more, most, sizeof(more));
	more[STREAM_FROM]++;
	memcpy(less, most, sizeof(less));
	less[STREAM_DATA] = 1 << 20; /* and unpacks to eight times that */
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		put_bomb(choices[i], most, most);
		assert_true(wire.len < FRAME_RAW_MAX / 200);
		/* Well formed, but there is no plan in it. */
		assert_in_range(bytes_to_judge(TOLD, 32 << 10), FRAME_RAW_MAX,
				FRAME_RAW_MAX + (512 << 10));
		put_bomb(choices[i], more, more);
		assert_in_range(bytes_to_judge(REFUSED, 1 << 10), 0, 64);
		put_bomb(choices[i], most, less);
		assert_in_range(bytes_to_judge(REFUSED, 32 << 10), 0,
				FRAME_RAW_MAX);
	}
}

static int
setup(void **state)
{
	struct err e;

	(void)state;
	small_init(&small);
	decoder = decoder_new(small.bases, 2, 1, &e);
	decoding = decoding_new(decoder, &e);
	buf_init(&wire, FRAME_RAW_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	decoding_free(decoding);
	decoder_free(decoder);
	buf_fini(&wire);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_flipped_bit_is_told),
		cmocka_unit_test(every_byte_of_the_head_means_one_thing),
		cmocka_unit_test(every_number_is_checked),
		cmocka_unit_test(a_bomb_takes_no_more_than_a_frame_may),
	};

	return cmocka_run_group_tests_name("malformed", tests, setup, teardown);
}
