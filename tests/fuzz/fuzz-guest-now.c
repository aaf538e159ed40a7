/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/make-linux.h"

#include "classify/guest-now.h"

/* A small Linux guest that runs: the input changes words, three bytes say where
 * and eight to what, one more of them each time that the memory is read anew.
 * What is said to be free is a page of it.
 */
#define PATCH 11
#define CLOCK 0x3c008

static uint8_t mem[LINUX_BYTES];
static const uint8_t *patches;
static size_t left;

static const uint8_t *
made_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	if (gpa >= LINUX_BYTES)
		return NULL;
	memcpy(scratch, mem + gpa, PAGE_BYTES);
	return scratch;
}

static void
forget(void *arg)
{
	uint32_t at;

	(void)arg;
	if (left < PATCH)
		return;
	at = patches[0] | (uint32_t)patches[1] << 8 |
	     (uint32_t)patches[2] << 16;
	memcpy(mem + at % (LINUX_BYTES - 7), patches + 3, 8);
	patches += PATCH;
	left -= PATCH;
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
	patches = data;
	left = size;
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

static void
patch(struct buf *out, uint32_t at, uint64_t word)
{
	uint8_t bytes[PATCH] = { (uint8_t)at, (uint8_t)(at >> 8),
				 (uint8_t)(at >> 16) };
	struct err e;

	memcpy(bytes + 3, &word, 8);
	fuzz_ok(buf_put(out, bytes, sizeof(bytes), &e), &e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		return "sound";
	case 1:
		for (uint64_t k = 0; k < 20; k++)
			patch(out, AT_PAGES + PFN_FREE * 64 + 40, k % 5);
		return "orders";
	case 2:
		for (uint64_t k = 0; k < 20; k++)
			patch(out, AT_PAGES + PFN_ANON * 64 + 48,
			      k % 2 ? 0xffffff7f : 0x1ffffff7f);
		return "types";
	case 3:
		patch(out, AT_SECTIONS, MADE_DIRECT + 0x7f0f);
		patch(out, CLOCK, 1);
		return "sections";
	default:
		return NULL;
	}
}
