/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/patched-linux.h"

#include "classify/guest.h"

/* Whatever the guest's tables say, they are read to an end, and what they say
 * is in range.
 */

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
	struct span patches = span_of(data, size);
	struct guest g;
	struct err e;

	linux_make(mem);
	while (patch_next(&patches))
		;
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

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		return "sound";
	case 1:
		patch_put(out, AT_PAGES + PFN_FREE * 64 + 40, 9);
		patch_put(out, AT_PAGES + PFN_FILE * 64 + 24, 1);
		return "pages";
	case 2:
		patch_put(out, AT_IMAGE_2 + 64, AT_IMAGE_2 | 1);
		patch_put(out, AT_TOP + 8 * 273, AT_TOP | 1);
		return "tables";
	case 3:
		patch_put(out, AT_TYPES + 16, 0xffffffff);
		patch_put(out, AT_TYPES + 32, 0x0500ffff);
		return "types";
	case 4:
		patch_put(out, AT_FILE + 40, MADE_DIRECT + LINUX_BYTES - 4);
		patch_put(out, AT_SECTIONS, MADE_DIRECT + 0x7f0f);
		return "files";
	default:
		return NULL;
	}
}
