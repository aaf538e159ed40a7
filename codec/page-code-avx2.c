/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#ifdef __x86_64__

#include <immintrin.h>

/* The coder for CPUs with AVX2: a model is one register. */
#define CODE_TARGET __attribute__((target("avx2,bmi,bmi2")))
#define CODE_AVX2   1
#include "codec/page-code.h"

const struct page_code page_code_avx2 = CODE_FUNCTIONS;

#endif
