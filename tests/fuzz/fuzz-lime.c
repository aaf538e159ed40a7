/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/memory.h"
#include "tests/make-dump.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return check_file(data, size);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	if (i > 0)
		return NULL;
	put_zeros(out, 2 * 32 + 4096 + 100);
	make_lime(out->data, 0x1000, 0x1fff);
	make_lime(out->data + 32 + 4096, 1ull << 32, (1ull << 32) + 99);
	return "two";
}
