/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/patched-linux.h"

#include "classify/guest-now.h"

/* The guest runs: one more word of it changes each time that its memory is read
 * anew.  What is said to be free is a page of it.
 */
#define CLOCK 0x3c008

static struct span patches;

static void
forget(void *arg)
{
	(void)arg;
	(void)patch_next(&patches);
}

static void
ask(struct guest_now *n)
{
	for (uint64_t i = 0; i < 2 * LINUX_NPAGES; i++) {
		if (i % 16 == 0)
			(void)!guest_now_look(n);
		fuzz_check(!guest_now_is_free(n, i) || i < LINUX_NPAGES);
	}
	(void)guest_now_runs(n, AT_TOP);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct memory_run run = { 0, LINUX_NPAGES, 0 };
	const struct physical p = { .page = made_page,
				    .forget = forget,
				    .runs = &run,
				    .nruns = 1,
				    .npages = LINUX_NPAGES };
	struct guest_now *n;
	struct guest g;
	struct err e;

	linux_make(mem);
	linux_put(mem, AT_IMAGE_2 + 8 * 8, 0x83 | UINT64_C(1) << 63);
	linux_put(mem, CLOCK, UINT64_C(0xfffedb08));
	patches = span_of(data, size);
	if (guest_open(&g, &p, &e) < 0)
		return 0;
	/* Even in a guest that no check would pass. */
	g.drops = g.os == GUEST_LINUX;
	n = guest_now_open(&g, &e);
	if (n) {
		(void)guest_now_ticks(n, 1000000000);
		linux_put(mem, CLOCK, UINT64_C(0xfffedb08) + 250);
		if (guest_now_ticks(n, 2000000000))
			ask(n);
	}
	guest_now_close(n);
	guest_close(&g);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		return "sound";
	case 1:
		for (uint64_t k = 0; k < 20; k++)
			patch_put(out, AT_PAGES + PFN_FREE * 64 + 40, k % 5);
		return "orders";
	case 2:
		for (uint64_t k = 0; k < 20; k++)
			patch_put(out, AT_PAGES + PFN_ANON * 64 + 48,
				  k % 2 ? 0xffffff7f : 0x1ffffff7f);
		return "types";
	case 3:
		patch_put(out, AT_SECTIONS, MADE_DIRECT + 0x7f0f);
		patch_put(out, CLOCK, 1);
		return "sections";
	default:
		return NULL;
	}
}
