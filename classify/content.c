/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stddef.h>

#include "classify/content.h"
#include "classify/fill.h"
#include "common/page.h"

/* What makes a page, of 512 words or 4096 bytes, belong to a class.  Tried in
 * the order of the enum.
 */
enum {
	/* Fewer words may look like entries of a page table by chance. */
	TABLE_ENTRIES_MIN = 4,
	/* At most a quarter of the words hold anything. */
	SPARSE_ZEROS_MIN = 384,
	/* Three bytes in four; the rest are tabs, line ends, accents. */
	TEXT_BYTES_MIN = 3072,
	/* Half the page; the rest are lengths and padding. */
	UTF16_WORDS_MIN = 256,
	/* Most pages of code have 50 to 400 pairs, random bytes 4. */
	CODE_PAIRS_MIN = 32,
	/* A word of zeros does not come up in random bytes; a few may be put
	 * between them.
	 */
	DENSE_ZEROS_MAX = 16,
	/* 1024 random bytes come to 5116; 8192 are 7.2 of 8 bits a byte. */
	DENSE_SQUARES_MAX = 8192,
};

/* One byte, in each lane of a word. */
#define LANES(byte) (UINT64_C(0x0101010101010101) * (byte))

struct counts {
	uint64_t zeros, entries, pointers, utf16; /* words */
	uint64_t text;                            /* bytes */
};

/* The counting loops are inlined into code for each kind of CPU, where the
 * compiler makes vectors of them: no branches, and nothing but 64-bit words.
 */
#define INLINE static inline __attribute__((always_inline))

/* The top bit of each lane that holds 0x20 .. 0x7f. */
INLINE uint64_t
text_lanes(uint64_t w)
{
	return ~w & ((w & LANES(0x7f)) + LANES(0x60)) & LANES(0x80);
}

/* The top bit of each lane that holds 0. */
INLINE uint64_t
zero_lanes(uint64_t w)
{
	return ~(((w & LANES(0x7f)) + LANES(0x7f)) | w) & LANES(0x80);
}

/* The sum of the lanes: at most 255 in each. */
INLINE uint64_t
sum_lanes(uint64_t w)
{
	uint64_t pairs = (w & UINT64_C(0x00ff00ff00ff00ff)) +
			 (w >> 8 & UINT64_C(0x00ff00ff00ff00ff));

	return (pairs * UINT64_C(0x0001000100010001)) >> 48;
}

/* Present, a frame below 1 TiB, and neither bits that software is free to use
 * nor a protection key.
 */
INLINE uint64_t
is_entry(uint64_t w)
{
	return ((w & UINT64_C(0x7fffff0000000001)) == 1) & (w >> 12 != 0);
}

/* Canonical, and not two small numbers side by side: user space from 1 TiB
 * up, where programs and heaps are put, or the kernel's half but for its last
 * 16 MiB, which are numbers below zero.
 */
INLINE uint64_t
is_pointer(uint64_t w)
{
	uint64_t user = (w >> 47 == 0) & (w >> 40 != 0);
	uint64_t kernel = (w >> 47 == 0x1ffff) & (w >> 24 != 0xffffffffff);

	return user | kernel;
}

/* Four characters of the Latin page. */
INLINE uint64_t
is_utf16(uint64_t w)
{
	return ((w & UINT64_C(0xff00ff00ff00ff00)) == 0) &
	       (text_lanes(w) == UINT64_C(0x0080008000800080));
}

/* Lanes overflow after 255 words. */
#define LANE_WORDS 128

INLINE struct counts
count_words(const uint8_t *page)
{
	struct counts c = { .zeros = 0 };

	for (unsigned i = 0; i < PAGE_WORDS; i += LANE_WORDS) {
		uint64_t text = 0;

		for (unsigned j = 0; j < LANE_WORDS; j++) {
			uint64_t w = page_word(page, i + j);

			c.zeros += w == 0;
			c.entries += is_entry(w);
			c.pointers += is_pointer(w);
			c.utf16 += is_utf16(w);
			text += text_lanes(w) >> 7;
		}
		c.text += sum_lanes(text);
	}
	return c;
}

/* Pairs of a REX.W prefix (0x48 .. 0x4f) and the opcode of a move, lea, test,
 * or arithmetic on a constant (0x81, 0x83 .. 0x8f): what 64-bit code is full
 * of.  A pair over the end of a word is not seen.
 */
INLINE uint64_t
count_pairs(const uint8_t *page)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i += LANE_WORDS) {
		uint64_t pairs = 0;

		for (unsigned j = 0; j < LANE_WORDS; j++) {
			uint64_t w = page_word(page, i + j);
			uint64_t rex = (w & LANES(0xf8)) ^ LANES(0x48);
			uint64_t op = (w & LANES(0xf1)) ^ LANES(0x81);

			rex = zero_lanes(rex);
			op = zero_lanes(op);
			pairs += (rex & op >> 8) >> 7;
		}
		sum += sum_lanes(pairs);
	}
	return sum;
}

/* How unevenly the byte values occur: the sum of the squares of how often
 * each does, over 128 bytes of every 512.  Four tables, so that equal bytes in
 * a row do not wait for each other.
 */
static unsigned
sum_squares(const uint8_t *page)
{
	uint16_t often[4][256] = { { 0 } };
	unsigned sum = 0;

	for (unsigned i = 0; i < PAGE_BYTES; i += 512)
		for (unsigned j = i; j < i + 128; j += 4)
#pragma GCC unroll 4
			for (unsigned k = 0; k < 4; k++)
				often[k][page[j + k]]++;
	for (unsigned i = 0; i < 256; i++) {
		unsigned n = often[0][i] + often[1][i];

		n += often[2][i] + often[3][i];
		sum += n * n;
	}
	return sum;
}

const char *
content_name(enum content_class c)
{
	static const char *const names[CONTENT__MAX] = {
		[CONTENT_ZERO] = "zero",   [CONTENT_FILL] = "fill",
		[CONTENT_TABLE] = "table", [CONTENT_SPARSE] = "sparse",
		[CONTENT_TEXT] = "text",   [CONTENT_UTF16] = "utf16",
		[CONTENT_CODE] = "code",   [CONTENT_POINTERS] = "pointers",
		[CONTENT_DENSE] = "dense", [CONTENT_MIXED] = "mixed",
	};

	return names[c];
}

INLINE enum content_class
classify(const uint8_t *page)
{
	struct counts c = count_words(page);
	uint64_t used = PAGE_WORDS - c.zeros;

	if (c.entries >= TABLE_ENTRIES_MIN && c.entries >= used - used / 8)
		return CONTENT_TABLE;
	if (c.zeros >= SPARSE_ZEROS_MIN)
		return CONTENT_SPARSE;
	if (c.text >= TEXT_BYTES_MIN)
		return CONTENT_TEXT;
	if (c.utf16 >= UTF16_WORDS_MIN)
		return CONTENT_UTF16;
	if (count_pairs(page) >= CODE_PAIRS_MIN)
		return CONTENT_CODE;
	if (c.pointers >= used / 4) /* one in four of the words in use */
		return CONTENT_POINTERS;
	if (c.zeros <= DENSE_ZEROS_MAX &&
	    sum_squares(page) <= DENSE_SQUARES_MAX)
		return CONTENT_DENSE;
	return CONTENT_MIXED;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static enum content_class
classify_avx2(const uint8_t *page)
{
	return classify(page);
}
#endif

static enum content_class
classify_any(const uint8_t *page)
{
	return classify(page);
}

enum content_class
content_of(const uint8_t *page)
{
	uint64_t value;

	if (fill_find(page, &value))
		return value == 0 ? CONTENT_ZERO : CONTENT_FILL;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return classify_avx2(page);
#endif
	return classify_any(page);
}
