/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/make-linux.h"

#include "classify/guest.h"

/* A small Linux guest in which the input changes words: three bytes say where,
 * eight to what.  Whatever its tables then say, they are read to an end, and
 * what they say is in range.
 */
#define PATCH 11

static uint8_t mem[LINUX_BYTES];

static const uint8_t *
made_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	if (gpa >= LINUX_BYTES)
		return NULL;
	memcpy(scratch, mem + gpa, PAGE_BYTES);
	return scratch;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct memory_run runs[] = {
		{ 0, 48, 0 },
		{ 48 * PAGE_BYTES, LINUX_NPAGES - 48, 48 },
	};
	const struct physical p = { .page = made_page,
				    .runs = runs,
				    .nruns = 2,
				    .npages = LINUX_NPAGES };
	struct guest g;
	struct err e;

	linux_make(mem);
	for (; size >= PATCH; data += PATCH, size -= PATCH) {
		uint32_t at = data[0] | (uint32_t)data[1] << 8 |
			      (uint32_t)data[2] << 16;

		memcpy(mem + at % (LINUX_BYTES - 7), data + 3, 8);
	}
	if (guest_open(&g, &p, &e) < 0)
		return 0;
	for (uint64_t n = 0; g.pages && n < LINUX_NPAGES; n++) {
		const struct page_info *i = &g.pages[n];

		fuzz_check(i->class < CLASS__MAX);
		fuzz_check(i->file < g.nfiles);
		fuzz_check(g.files[i->file].volume < g.nvolumes);
		fuzz_check(!guest_drops(&g, n) ||
			   (i->class == CLASS_FREE && guest_is_sound(&g)));
	}
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
		patch(out, AT_PAGES + PFN_FREE * 64 + 40, 9);
		patch(out, AT_PAGES + PFN_FILE * 64 + 24, 1);
		return "pages";
	case 2:
		patch(out, AT_IMAGE_2 + 64, AT_IMAGE_2 | 1);
		patch(out, AT_TOP + 8 * 273, AT_TOP | 1);
		return "tables";
	case 3:
		patch(out, AT_TYPES + 16, 0xffffffff);
		patch(out, AT_TYPES + 32, 0x0500ffff);
		return "types";
	case 4:
		patch(out, AT_FILE + 40, MADE_DIRECT + LINUX_BYTES - 4);
		patch(out, AT_SECTIONS, MADE_DIRECT + 0x7f0f);
		return "files";
	default:
		return NULL;
	}
}
