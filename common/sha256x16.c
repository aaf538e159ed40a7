/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "common/page.h"
#include "common/sha256x16.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "common/sha256-k.h"

#define TARGET __attribute__((target("avx512f,avx512bw")))
#define INLINE static inline TARGET __attribute__((always_inline))

/* Truth tables for vpternlogd. */
#define XOR3   0x96
#define CHOOSE 0xca
#define MAJOR  0xe8

INLINE __m512i
xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi32(a, b, c, XOR3);
}

INLINE __m512i
add(__m512i a, __m512i b)
{
	return _mm512_add_epi32(a, b);
}

/* 64 bytes of each page, as words: rows[i] of page i becomes w[t], which has
 * word t of every page.  A 16 by 16 transposition.
 */
INLINE void
transpose(const __m512i rows[16], __m512i w[16])
{
	__m512i a[16], b[16];

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++) {
		a[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
		a[2 * i + 1] =
			_mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
	}
#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		const __m512i *x = &a[4 * i];

		b[4 * i] = _mm512_unpacklo_epi64(x[0], x[2]);
		b[4 * i + 1] = _mm512_unpackhi_epi64(x[0], x[2]);
		b[4 * i + 2] = _mm512_unpacklo_epi64(x[1], x[3]);
		b[4 * i + 3] = _mm512_unpackhi_epi64(x[1], x[3]);
	}
	/* b[4 * q + c] has, in its part p, word 4 * p + c of pages 4 * q .. */
#pragma GCC unroll 4
	for (unsigned c = 0; c < 4; c++) {
		__m512i lo = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88);
		__m512i hi = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xdd);
		__m512i lo2 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88);
		__m512i hi2 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xdd);

		w[c] = _mm512_shuffle_i32x4(lo, lo2, 0x88);
		w[8 + c] = _mm512_shuffle_i32x4(lo, lo2, 0xdd);
		w[4 + c] = _mm512_shuffle_i32x4(hi, hi2, 0x88);
		w[12 + c] = _mm512_shuffle_i32x4(hi, hi2, 0xdd);
	}
}

INLINE void
round_of(__m512i s[8], __m512i w, uint32_t k)
{
	__m512i e = s[4], a = s[0], t1, t2;

	t1 = add(add(s[7], w), _mm512_set1_epi32((int)k));
	t1 = add(t1, xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11),
			  _mm512_ror_epi32(e, 25)));
	t1 = add(t1, _mm512_ternarylogic_epi32(e, s[5], s[6], CHOOSE));
	t2 = add(xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13),
		      _mm512_ror_epi32(a, 22)),
		 _mm512_ternarylogic_epi32(a, s[1], s[2], MAJOR));
	s[7] = s[6], s[6] = s[5], s[5] = e;
	s[4] = add(s[3], t1);
	s[3] = s[2], s[2] = s[1], s[1] = a;
	s[0] = add(t1, t2);
}

INLINE __m512i
next_word(const __m512i w[16], unsigned t)
{
	__m512i w1 = w[(t + 1) & 15], w14 = w[(t + 14) & 15];

	return add(
		add(w[t & 15], w[(t + 9) & 15]),
		add(xor3(_mm512_ror_epi32(w1, 7), _mm512_ror_epi32(w1, 18),
			 _mm512_srli_epi32(w1, 3)),
		    xor3(_mm512_ror_epi32(w14, 17), _mm512_ror_epi32(w14, 19),
			 _mm512_srli_epi32(w14, 10))));
}

INLINE void
compress(__m512i state[8], __m512i w[16])
{
	__m512i s[8];

	memcpy(s, state, sizeof(s));
#pragma GCC unroll 16
	for (unsigned t = 0; t < 16; t++)
		round_of(s, w[t], sha256_k[t]);
	for (unsigned i = 16; i < 64; i += 16)
#pragma GCC unroll 16
		for (unsigned t = 0; t < 16; t++) {
			w[t] = next_word(w, t);
			round_of(s, w[t], sha256_k[i + t]);
		}
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		state[i] = add(state[i], s[i]);
}

bool
sha256x16_works(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw");
}

INLINE void
load(const uint8_t *const pages[16], unsigned at, __m512i w[16])
{
	const __m512i swap = _mm512_broadcast_i32x4(
		_mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL));
	__m512i rows[16];

#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++)
		rows[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(pages[i] + at),
					      swap);
	transpose(rows, w);
}

TARGET void
sha256x16_pages(const uint8_t *const pages[16], uint8_t out[16][32])
{
	static const uint32_t init[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
					  0xa54ff53a, 0x510e527f, 0x9b05688c,
					  0x1f83d9ab, 0x5be0cd19 };
	__m512i s[8], w[16];
	uint32_t words[16];

	for (unsigned i = 0; i < 8; i++)
		s[i] = _mm512_set1_epi32((int)init[i]);
	for (unsigned at = 0; at < PAGE_BYTES; at += 64) {
		load(pages, at, w);
		compress(s, w);
	}
	/* The last block: 1 bit, zeros, the length in bits. */
	memset(w, 0, sizeof(w));
	w[0] = _mm512_set1_epi32((int)0x80000000);
	w[15] = _mm512_set1_epi32(PAGE_BYTES * 8);
	compress(s, w);
	for (unsigned i = 0; i < 8; i++) {
		_mm512_storeu_si512(words, s[i]);
		for (unsigned k = 0; k < 16; k++) {
			uint32_t be = __builtin_bswap32(words[k]);

			memcpy(out[k] + 4 * (size_t)i, &be, 4);
		}
	}
}

#else

bool
sha256x16_works(void)
{
	return false;
}

void
sha256x16_pages(const uint8_t *const pages[16], uint8_t out[16][32])
{
	(void)pages, (void)out;
	assert(!"sha256x16_works() said no");
}

#endif
