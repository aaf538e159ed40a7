/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <string.h>

#include "common/digest.h"
#include "dedup/normal.h"

/* Sign and page offset stay; the rest becomes that of one user address. */
#define NORMAL_KEEP 0x8000000000000fffULL
#define NORMAL_SET  0x00007f0000000000ULL

static unsigned
normal_reduce(const uint8_t *page, uint64_t out[PAGE_WORDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t w = page_word(page, i);
		bool is = normal_is_pointer(w);

		out[i] = is ? (w & NORMAL_KEEP) | NORMAL_SET : w;
		n += is;
	}
	return n;
}

#ifdef __x86_64__

#define TARGET __attribute__((target("avx2")))

static inline TARGET __m256i
normal_equals(__m256i w, uint64_t value)
{
	return _mm256_cmpeq_epi64(w, _mm256_set1_epi64x((long long)value));
}

/* As above, four words at a time: compilers do not find this themselves, and
 * every page that nothing else explains comes through here.
 */
static TARGET unsigned
normal_reduce_avx2(const uint8_t *page, uint64_t out[PAGE_WORDS])
{
	const __m256i keep = _mm256_set1_epi64x((long long)NORMAL_KEEP);
	const __m256i set = _mm256_set1_epi64x((long long)NORMAL_SET);
	__m256i n = _mm256_setzero_si256();
	uint64_t sums[4];

	for (unsigned i = 0; i < PAGE_BYTES; i += sizeof(n)) {
		__m256i w = _mm256_loadu_si256((const void *)(page + i));
		__m256i high = _mm256_srli_epi64(w, 40), is;

		is = _mm256_or_si256(
			_mm256_or_si256(normal_equals(high, 0x55),
					normal_equals(high, 0x56)),
			_mm256_or_si256(
				normal_equals(high, 0x7f),
				normal_equals(_mm256_srli_epi64(w, 56), 0xff)));
		n = _mm256_sub_epi64(n, is);
		w = _mm256_blendv_epi8(
			w, _mm256_or_si256(_mm256_and_si256(w, keep), set), is);
		_mm256_storeu_si256((void *)&out[i / 8], w);
	}
	_mm256_storeu_si256((void *)sums, n);
	return (unsigned)(sums[0] + sums[1] + sums[2] + sums[3]);
}

#endif

unsigned
normal_hash(const uint8_t *page, uint64_t *hash)
{
	uint64_t reduced[PAGE_WORDS];
	unsigned n;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		n = normal_reduce_avx2(page, reduced);
	else
#endif
		n = normal_reduce(page, reduced);
	if (n > 0)
		*hash = digest_hint(reduced, sizeof(reduced));
	return n;
}

bool
normal_diff(const uint8_t *page, const uint8_t *ref, struct plan_move *m)
{
	m->n = 0;
	m->nslots = 0;
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t old = page_word(ref, i);
		uint64_t by = page_word(page, i) - old;
		unsigned slot = 0;

		if (!normal_is_pointer(old)) {
			if (by != 0)
				return false;
			continue;
		}
		while (slot < m->n && m->by[slot] != by)
			slot++;
		if (slot == m->n) {
			if (m->n == PLAN_MOVES_MAX)
				return false;
			m->by[m->n++] = by;
		}
		m->slots[m->nslots++] = (uint8_t)slot;
	}
	return m->n > 0;
}

unsigned
normal_count(const uint8_t *page)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i++)
		n += normal_is_pointer(page_word(page, i));
	return n;
}

void
normal_apply(const uint8_t *ref, const uint64_t *by, const uint8_t *slots,
	     uint8_t *out)
{
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		uint64_t w = page_word(ref, i);

		if (normal_is_pointer(w))
			w += by[slots ? *slots++ : 0];
		memcpy(out + 8 * (size_t)i, &w, sizeof(w));
	}
}
