/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/memory.h"
#include "tests/make-windump.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return check_file(data, size);
}

static void
put_dump(struct buf *out, enum windump_type type)
{
	static const struct windump_run runs[] = { { 1, 1 }, { 16, 1 } };
	size_t n = windump_head_bytes(type, runs, ARRAY_LEN(runs));

	put_zeros(out, n + 2 * PAGE_BYTES);
	make_windump(out->data, type, runs, ARRAY_LEN(runs));
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct {
		enum windump_type type;
		const char *name;
	} seeds[] = {
		{ WINDUMP_FULL, "full" },
		{ WINDUMP_BITMAP, "bitmap" },
		{ WINDUMP_ACTIVE, "active" },
		{ WINDUMP_TRIAGE, "triage" },
	};

	if (i >= ARRAY_LEN(seeds))
		return NULL;
	put_dump(out, seeds[i].type);
	return seeds[i].name;
}
