/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "stream/cpu-state.h"

/* Any bytes as what QEMU writes behind a guest's RAM: each CPU that is found
 * is further on, and inside.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	size_t left = in.left;
	struct cpu_state c;

	while (cpu_state_next(&in, &c)) {
		fuzz_check(in.left < left);
		fuzz_check(in.at + in.left == data + size);
		left = in.left;
	}
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const uint8_t head[] = { 4, 0, 0, 0, 6, 3, 'c', 'p', 'u',
					0, 0, 0, 1, 0, 0, 0,   12 };
	static uint8_t rest[520];
	struct err e;

	if (i > 1)
		return NULL;
	memset(rest, 0x33, sizeof(rest));
	for (unsigned n = 0; n <= i; n++) {
		fuzz_ok(buf_put(out, head, sizeof(head), &e), &e);
		fuzz_ok(buf_put(out, rest, sizeof(rest), &e), &e);
	}
	return i ? "two" : "one";
}
