/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/fuzz.h"
#include "tests/make-dump.h"

#include "memory/vmware.h"

/* Any state file. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_region regions[VMWARE_REGIONS_MAX];
	struct err e;
	size_t n;

	if (vmware_regions(span_of(data, size), regions, &n, &e) < 0)
		fuzz_check(e.code == ERR_CORRUPT || e.code == ERR_USAGE);
	else
		fuzz_check(n <= VMWARE_REGIONS_MAX);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	uint8_t state[1024];
	struct err e;
	size_t n;

	if (i > 1)
		return NULL;
	n = make_vmware(state, i == 0 ? 0xbed2bed2 : 0xbed2bed0, true);
	fuzz_ok(buf_put(out, state, n, &e), &e);
	return i == 0 ? "wide" : "narrow";
}
