/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "codec/page-impl.h"

/* Every symbol keeps this much of the range. */
#define LEAST 4u

/* The square root of 2, to the power of the letter. */
static uint32_t
weight(char letter)
{
	unsigned n = (unsigned)(letter - 'a');

	return (n % 2 ? 181u : 128u) << n / 2;
}

static void
model_init(uint16_t sum[16], const char letters[16])
{
	uint64_t total = 0, before = 0;

	for (unsigned s = 0; s < 16; s++)
		total += weight(letters[s]);
	for (unsigned s = 0; s < 16; s++) {
		sum[s] = (uint16_t)(LEAST * s +
				    before * (32768 - 16 * LEAST) / total);
		before += weight(letters[s]);
	}
}

void
page_models_init(struct page_models *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < MODELS_ALL; i++)
		model_init(m->sum[i], page_priors + 16 * i);
	for (unsigned s = 0; s < 16; s++)
		for (unsigned i = 0; i < 16; i++)
			m->target[s][i] =
				(int16_t)(i <= s ? LEAST * i
						 : 32768 - LEAST * (16 - i));
}
