/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "common/page.h"
#include "common/sha256x2.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#include "common/sha256-k.h"
#include <stdatomic.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE static inline TARGET __attribute__((always_inline))

/* The state as the SHA instructions want it: words A B E F and C D G H. */
struct lane {
	__m128i abef, cdgh;
	__m128i w[4]; /* the last sixteen words of the message schedule */
};

/* Sixteen bytes from any address. */
INLINE __m128i
load(const void *at)
{
	return _mm_loadu_si128(at);
}

INLINE __m128i
swap_words(__m128i x)
{
	return _mm_shuffle_epi8(
		x, _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL));
}

INLINE void
four_rounds(struct lane *l, __m128i w, unsigned i)
{
	__m128i k = _mm_add_epi32(w, load(&sha256_k[i]));

	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, k);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh,
					_mm_shuffle_epi32(k, 0x0e));
}

/* Schedule words i..i+3 for i >= 16, into the slot of words i-16..i-13. */
INLINE __m128i
next_words(struct lane *l, unsigned slot)
{
	__m128i w0 = l->w[slot & 3], w1 = l->w[(slot + 1) & 3];
	__m128i w2 = l->w[(slot + 2) & 3], w3 = l->w[(slot + 3) & 3];
	__m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1),
				  _mm_alignr_epi8(w3, w2, 4));

	return l->w[slot & 3] = _mm_sha256msg2_epu32(t, w3);
}

INLINE void
compress(struct lane *a, struct lane *b, const uint8_t *pa, const uint8_t *pb)
{
	struct lane a0 = *a, b0 = *b;

#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		a->w[i] = swap_words(load(pa + 16 * i));
		b->w[i] = swap_words(load(pb + 16 * i));
		four_rounds(a, a->w[i], 4 * i);
		four_rounds(b, b->w[i], 4 * i);
	}
#pragma GCC unroll 12
	for (unsigned i = 4; i < 16; i++) {
		__m128i wa = next_words(a, i);
		__m128i wb = next_words(b, i);

		four_rounds(a, wa, 4 * i);
		four_rounds(b, wb, 4 * i);
	}
	a->abef = _mm_add_epi32(a->abef, a0.abef);
	a->cdgh = _mm_add_epi32(a->cdgh, a0.cdgh);
	b->abef = _mm_add_epi32(b->abef, b0.abef);
	b->cdgh = _mm_add_epi32(b->cdgh, b0.cdgh);
}

INLINE void
lane_init(struct lane *l)
{
	l->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f,
				(int)0x9b05688c);
	l->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab,
				0x5be0cd19);
}

INLINE void
lane_out(const struct lane *l, uint8_t out[32])
{
	uint32_t abef[4], cdgh[4];
	uint32_t h[8];

	_mm_storeu_si128((__m128i *)abef, l->abef);
	_mm_storeu_si128((__m128i *)cdgh, l->cdgh);
	h[0] = abef[3], h[1] = abef[2], h[4] = abef[1], h[5] = abef[0];
	h[2] = cdgh[3], h[3] = cdgh[2], h[6] = cdgh[1], h[7] = cdgh[0];
	for (unsigned i = 0; i < 8; i++) {
		uint32_t be = __builtin_bswap32(h[i]);

		memcpy(out + 4 * i, &be, 4);
	}
}

static bool
cpu_has_sha(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Asked once: inside a VM the question goes to the hypervisor, which takes
 * as long as hashing some pages.
 */
bool
sha256x2_works(void)
{
	static _Atomic int answer; /* 0: not asked; else 1 + the answer */
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	if (known == 0) {
		known = 1 + cpu_has_sha();
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known == 2;
}

TARGET void
sha256x2_pages(const uint8_t *a, const uint8_t *b, uint8_t out_a[32],
	       uint8_t out_b[32])
{
	/* The last block of a 4096-byte message: 1 bit, zeros, its length. */
	uint8_t tail[64] = { [0] = 0x80, [62] = 0x80 };
	struct lane la, lb;

	static_assert(PAGE_BYTES * 8 == 0x8000, "the length in the tail");
	lane_init(&la);
	lane_init(&lb);
	for (unsigned i = 0; i < PAGE_BYTES; i += 64)
		compress(&la, &lb, a + i, b + i);
	compress(&la, &lb, tail, tail);
	lane_out(&la, out_a);
	lane_out(&lb, out_b);
}

#else

bool
sha256x2_works(void)
{
	return false;
}

void
sha256x2_pages(const uint8_t *a, const uint8_t *b, uint8_t out_a[32],
	       uint8_t out_b[32])
{
	(void)a, (void)b, (void)out_a, (void)out_b;
	assert(!"sha256x2_works() said no");
}

#endif
