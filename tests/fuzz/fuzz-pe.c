/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/made-pe.h"

#include "common/mem.h"
#include "common/page.h"
#include "dedup/pe.h"

/* Any file as a program: no more pages come out than it says it has. */
static int
on_page(void *arg, const uint8_t page[4096], struct err *e)
{
	size_t *n = arg;

	(void)e;
	fuzz_check(page[0] <= UINT8_MAX && page[PAGE_BYTES - 1] <= UINT8_MAX);
	fuzz_check(++*n <= PE_BYTES_MAX / PAGE_BYTES);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[PAGE_BYTES] = { 0 };
	struct err e;
	size_t n = 0;

	memcpy(head, data, MIN(size, sizeof(head)));
	fuzz_check(pe_file_bytes(head) <= PE_BYTES_MAX);
	fuzz_ok(pe_pages(data, size, on_page, &n, &e), &e);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "code", "tables", "kernel" };
	struct pe pe;
	struct err e;

	if (i >= ARRAY_LEN(names))
		return NULL;
	pe_make(&pe, i == 1 ? 1 : 2, i == 1 ? 2 : 0, i == 2, i);
	fuzz_ok(buf_put(out, pe.file, pe.len, &e), &e);
	pe_free(&pe);
	return names[i];
}
