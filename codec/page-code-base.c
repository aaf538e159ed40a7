/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* The coder for any CPU. */
#define CODE_TARGET
#define CODE_AVX2 0
#include "codec/page-code.h"

const struct page_code page_code_base = CODE_FUNCTIONS;

const struct page_code *
page_code_best(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		return &page_code_avx2;
#endif
	return &page_code_base;
}
