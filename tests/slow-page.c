/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/slow-page.h"

extern const char page_priors[];

enum {
	CHUNK = 0,
	START = 1,
	RUN_A = 2,
	RUN_B = 34,
	RUN_MORE = 290,
	TYPE_A = 306,
	TYPE_B = 370,
	LEN_A = 882,
	LEN_B = 962,
	LEN_MORE = 1218,
	DIST_LOG = 1474,
	DIST_TOP = 1490,
	DIST_LOW = 1522,
	HIGH_A = 1554,
	HIGH_B = 1578,
	LOW_A = 2090,
	LOW_B = 2474,
	PLAIN = 2986,
	MODELS = 4418
};

struct slow {
	const uint8_t *in;
	size_t len, at;
	uint32_t x[4];
	int sum[MODELS][17];
	bool two_models, overrun;
	/* of the chunk */
	bool plain;
	uint32_t nseqs, run[257], length[256], type[256], dist[256], nlits;
	uint8_t lits[65536], where[65536];
	bool first[65536];
	/* of the block */
	uint8_t *out;
	uint32_t out_len, pos, rep[8];
};

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void
models_begin(struct slow *s)
{
	for (unsigned m = 0; m < MODELS; m++) {
		uint64_t weight[16], total = 0, before = 0;

		for (unsigned i = 0; i < 16; i++) {
			unsigned n = (unsigned)(page_priors[16 * m + i] - 'a');

			weight[i] = (uint64_t)(n & 1 ? 181 : 128) << (n >> 1);
			total += weight[i];
		}
		for (unsigned i = 0; i < 16; i++) {
			s->sum[m][i] =
				(int)(4 * i + before * (32768 - 64) / total);
			before += weight[i];
		}
		s->sum[m][16] = 32768;
	}
}

/* Takes the part [start, end) out of a state. */
static void
advance(struct slow *s, unsigned lane, uint32_t start, uint32_t end)
{
	uint32_t *x = &s->x[lane];

	*x = (end - start) * (*x / 32768) + *x % 32768 - start;
	if (*x >= 65536)
		return;
	*x <<= 16;
	if (s->at + 2 <= s->len)
		*x |= (uint32_t)(s->in[s->at] | s->in[s->at + 1] << 8);
	else
		s->overrun = true;
	s->at += 2;
}

static void
learn(int *sum, unsigned symbol)
{
	for (unsigned i = 1; i < 16; i++) {
		int to = i <= symbol ? (int)(4 * i) : (int)(32768 - 64 + 4 * i);
		int by = to - sum[i];

		/* Downwards, also for what is less than zero. */
		sum[i] += by >= 0 ? by / 64 : -((-by + 63) / 64);
	}
}

static unsigned
symbol2(struct slow *s, unsigned lane, unsigned m, unsigned n)
{
	int *a = s->sum[m], *b = s->sum[s->two_models ? n : m];
	int slot = (int)(s->x[lane] % 32768);
	unsigned i = 0;

	while ((a[i + 1] + b[i + 1]) / 2 <= slot)
		i++;
	advance(s, lane, (uint32_t)(a[i] + b[i]) / 2,
		(uint32_t)(a[i + 1] + b[i + 1]) / 2);
	learn(a, i);
	if (b != a)
		learn(b, i);
	return i;
}

static unsigned
symbol(struct slow *s, unsigned lane, unsigned m)
{
	return symbol2(s, lane, m, m);
}

static uint32_t
bits(struct slow *s, unsigned lane, unsigned n)
{
	uint32_t v = s->x[lane] % 32768 >> (15 - n);

	advance(s, lane, v << (15 - n), (v + 1) << (15 - n));
	return v;
}

static uint32_t
number(struct slow *s, unsigned lane, unsigned m)
{
	unsigned log = symbol(s, lane, m), left;
	uint32_t v = 1;

	if (log == 15)
		log += bits(s, lane, 3);
	left = log;
	if (log > 0) {
		unsigned n = least(log, 4);
		unsigned low = symbol(s, lane, m + least(log, 15));

		v = v << n | (low & ((1u << n) - 1));
		left -= n;
	}
	while (left > 0) {
		unsigned n = least(left, 9);

		v = v << n | bits(s, lane, n);
		left -= n;
	}
	return v - 1;
}

/* What is done k-th of n items in four lanes. */
static uint32_t
item(uint32_t n, uint32_t k, unsigned *lane)
{
	uint32_t each = n / 4;

	*lane = k < 4 * each ? k % 4 : k - 4 * each;
	return *lane * each + least(*lane, n % 4) +
	       (k < 4 * each ? k / 4 : each);
}

static void
get_seqs(struct slow *s)
{
	unsigned at[4] = { s->pos % 8 }, one[4] = { 0 }, two[4] = { 0 };
	uint32_t length[4] = { 0 }, runs[4] = { 0 };
	unsigned kind = symbol(s, 0, CHUNK);

	s->plain = kind / 2 % 2 == 1;
	s->nseqs = 256;
	s->run[256] = 0;
	if (kind % 2 == 0) {
		s->nseqs = bits(s, 0, 8);
		s->run[s->nseqs] = number(s, 0, RUN_MORE);
	}
	for (unsigned l = 1; l < 4; l++)
		at[l] = symbol(s, 0, START) % 8;
	for (uint32_t k = 0; k < s->nseqs; k++) {
		unsigned l, type;
		uint32_t i = item(s->nseqs, k, &l), run, len;
		uint32_t length15 = least(length[l], 15);

		run = symbol2(s, l, RUN_A + one[l] * 8 + at[l],
			      RUN_B + length15 * 16 + least(runs[l], 15));
		if (run == 15)
			run += number(s, l, RUN_MORE);
		at[l] = (at[l] + run) % 8;
		type = symbol2(
			s, l, TYPE_A + (one[l] * 8 + at[l]) * 2 + (run > 0),
			TYPE_B + (least(run, 7) * 16 + length15) * 4 + two[l]);
		type = least(type, 9);
		len = symbol2(s, l, LEN_A + type * 8 + at[l],
			      LEN_B + (least(run, 7) * 16 + length15) * 2 +
				      (type < 2));
		if (len == 15)
			len += number(s, l,
				      LEN_MORE + 16 * at[l] +
					      (type < 2 ? 0 : 128));
		len += 2;
		at[l] = (at[l] + len) % 8;
		two[l] = one[l];
		one[l] = type < 2 ? type + 1 : 3;
		s->run[i] = runs[l] = run;
		s->length[i] = length[l] = len;
		s->type[i] = type;
	}
}

static uint32_t
get_dist(struct slow *s, unsigned l, unsigned type, uint32_t len)
{
	unsigned log = symbol(s, l, DIST_LOG + type * 8 + least(len - 2, 7));
	unsigned m = type * 16 + log;
	uint32_t top, low;

	if (log == 15)
		log += bits(s, l, 3);
	if (log == 0)
		return 1;
	top = symbol(s, l, DIST_TOP + m);
	if (log <= 4)
		return 1u << log | (top & ((1u << log) - 1));
	low = symbol(s, l, DIST_LOW + m) & ((1u << least(log - 4, 4)) - 1);
	if (log > 8)
		low |= bits(s, l, log - 8) << 4;
	return 1u << log | top << (log - 4) | low;
}

static void
get_dists(struct slow *s)
{
	uint32_t whose[256], n = 0;

	for (uint32_t i = 0; i < s->nseqs; i++)
		if (s->type[i] < 2)
			whose[n++] = i;
	for (uint32_t k = 0; k < n; k++) {
		unsigned l;
		uint32_t i = whose[item(n, k, &l)];

		s->dist[i] = get_dist(s, l, s->type[i], s->length[i]) *
			     (s->type[i] == 0 ? 8 : 1);
	}
}

/* Where literals stand; -1: the chunk does not fit. */
static int
place(struct slow *s)
{
	uint64_t pos = s->pos;

	s->nlits = 0;
	for (uint32_t i = 0; i <= s->nseqs; i++) {
		if (s->run[i] > 65536 - s->nlits)
			return -1;
		for (uint32_t k = 0; k < s->run[i]; k++, pos++) {
			uint32_t after = s->run[i] - 1 - k;

			s->first[s->nlits] = k == 0;
			s->where[s->nlits++] =
				(uint8_t)(8 * least(after, 2) + pos % 8);
		}
		if (i < s->nseqs)
			pos += s->length[i];
		if (pos > s->out_len)
			return -1;
	}
	return pos > s->pos ? 0 : -1;
}

static void
get_lits(struct slow *s)
{
	unsigned set = s->plain ? PLAIN - HIGH_A : 0;

	for (uint32_t base = 0; base < s->nlits; base += 1024) {
		uint32_t n = least(s->nlits - base, 1024);
		unsigned before[4] = { 0 };

		for (uint32_t k = 0; k < n; k++) {
			unsigned l, high, low, m;
			uint32_t i = base + item(n, k, &l);
			unsigned where = s->where[i];

			m = before[l] + (where / 8 == 2 ? 256 : 0);
			if (s->first[i]) {
				high = symbol(s, l, set + HIGH_A + where);
				where = where * 16 + high;
				low = symbol(s, l, set + LOW_A + where);
			} else {
				high = symbol2(s, l, set + HIGH_B + m,
					       set + HIGH_A + where);
				where = where * 16 + high;
				low = symbol2(s, l, set + LOW_A + where,
					      set + LOW_B + m / 16 * 16 + high);
			}
			before[l] = high * 16 + low;
			s->lits[i] = (uint8_t)before[l];
		}
	}
}

/* What is added to a literal that is not plain. */
static uint8_t
byte_before(const struct slow *s, uint32_t d)
{
	return s->plain || d > s->pos ? 0 : s->out[s->pos - d];
}

static int
rebuild(struct slow *s)
{
	const uint8_t *lit = s->lits;

	for (uint32_t i = 0; i <= s->nseqs; i++) {
		uint32_t d = s->rep[0], from = 7;

		if (i < s->nseqs) {
			d = s->dist[i];
			if (s->type[i] >= 2) {
				from = s->type[i] - 2;
				d = s->rep[from];
			}
			memmove(s->rep + 1, s->rep, from * sizeof(*s->rep));
			s->rep[0] = d;
		}
		for (uint32_t k = 0; k < s->run[i]; k++, s->pos++)
			s->out[s->pos] = (uint8_t)(*lit++ + byte_before(s, d));
		if (i == s->nseqs)
			break;
		if (d > s->pos)
			return -1;
		for (uint32_t k = 0; k < s->length[i]; k++, s->pos++)
			s->out[s->pos] = s->out[s->pos - d];
	}
	return 0;
}

static int
decode(struct slow *s)
{
	for (unsigned l = 0; l < 4; l++)
		for (unsigned k = 0; k < 4; k++)
			s->x[l] |= (uint32_t)s->in[1 + 4 * l + k] << 8 * k;
	for (unsigned i = 0; i < 8; i++)
		s->rep[i] = 8 * (i + 1);
	s->at = 17;
	while (s->pos < s->out_len) {
		get_seqs(s);
		if (s->overrun)
			return -1;
		get_dists(s);
		if (s->overrun || place(s) < 0)
			return -1;
		get_lits(s);
		if (s->overrun || rebuild(s) < 0)
			return -1;
	}
	for (unsigned l = 0; l < 4; l++)
		if (s->x[l] != 65536)
			return -1;
	return s->at == s->len ? 0 : -1;
}

int
slow_page_decode(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	struct slow *s = calloc(1, sizeof(*s));
	int ret = -1;

	if (s && len >= 17 && len < out_len && len % 2 == 1 && in[0] / 2 == 3) {
		s->in = in;
		s->len = len;
		s->out = out;
		s->out_len = (uint32_t)out_len;
		s->two_models = in[0] % 2 == 1;
		models_begin(s);
		ret = decode(s);
	}
	free(s);
	return ret;
}
