/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"
#include "tests/made-heap.h"

/* A block of the page codec as it is said to be so long (two bytes): every
 * coder makes the same of it.
 */
static void *base, *best;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	auto_free uint8_t *one = NULL, *two = NULL;
	uint16_t len;
	struct err e;
	int ret;

	if (!base) {
		base = codec_page.ctx_new();
		best = codec_page.ctx_new();
		fuzz_check(base && best);
		page_use_code(base, &page_code_base);
	}
	if (span_get_u16(&in, &len, &e) < 0)
		return 0;
	one = calloc(1, MAX(len, 1));
	two = calloc(1, MAX(len, 1));
	fuzz_check(one && two);
	ret = codec_page.decode(best, in.at, in.left, one, len, &e);
	fuzz_check(ret == 0 || e.code == ERR_PROTOCOL);
	fuzz_check(codec_page.decode(base, in.at, in.left, two, len, &e) ==
		   ret);
	fuzz_check(memcmp(one, two, len) == 0);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "level-0", "level-1", "level-2" };
	static uint8_t plain[12000], coded[12000];
	void *ctx = codec_page.ctx_new();
	struct err e;
	size_t n;

	static_assert(ARRAY_LEN(names) == CODEC_PAGE_LEVELS, "one each");
	fuzz_check(ctx != NULL);
	if (i < CODEC_PAGE_LEVELS) {
		made_heap(plain, sizeof(plain), i + 1);
		fuzz_ok(codec_page.encode(ctx, (int)i, plain, sizeof(plain),
					  coded, sizeof(coded), &n, &e),
			&e);
		fuzz_ok(buf_put_u16(out, sizeof(plain), &e), &e);
		fuzz_ok(buf_put(out, coded, n, &e), &e);
	}
	codec_page.ctx_free(ctx);
	return i < CODEC_PAGE_LEVELS ? names[i] : NULL;
}
