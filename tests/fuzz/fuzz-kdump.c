/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/memory.h"
#include "tests/make-kdump.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	setenv("TMPDIR", "/dev/shm", 1);
	return check_file(data, size);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static uint8_t dump[MAKE_KDUMP_MAX], flat[MAKE_KDUMP_MAX + 8192];
	size_t n = make_kdump(dump, 4096);
	struct err e;

	switch (i) {
	case 0:
		fuzz_ok(buf_put(out, dump, n, &e), &e);
		return "compressed";
	case 1:
		n = make_flat(flat, dump, n);
		fuzz_ok(buf_put(out, flat, n, &e), &e);
		return "flattened";
	default:
		return NULL;
	}
}
