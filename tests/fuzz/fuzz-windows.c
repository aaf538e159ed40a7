/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/made-windows-impl.h"

#include "classify/guest.h"
#include "common/mem.h"
#include "common/page.h"

/* A SYNTHETIC Windows guest with some of its bytes replaced, whichever they
 * are: its tables are read to the end, and what they say keeps the promises
 * of guest.h.  The input is a byte that chooses the guest, then patches:
 * address (4 bytes), length - 1 (1 byte), bytes.
 */
#define PATCHES_MAX 256

static const unsigned builds[] = {
	7601, 9600, 10240, 14393, 17763, 19041, 26100
};
static struct made_windows guests[ARRAY_LEN(builds)];

struct patch {
	uint8_t *at;
	uint8_t len, was[256];
};

static struct made_windows *
guest_of(uint8_t chosen)
{
	size_t i = chosen % ARRAY_LEN(builds);
	struct made_config c = { .build = builds[i],
				 .bytes = 8 << 20,
				 .seed = 2 * i };

	if (!guests[i].ram)
		made_windows_init(&guests[i], &c);
	return &guests[i];
}

static size_t
apply(const struct made_windows *w, struct span *s, struct patch *p)
{
	const uint8_t *bytes;
	size_t n = 0;
	uint32_t at;
	uint8_t len;
	struct err e;

	for (; n < PATCHES_MAX && span_get_u32(s, &at, &e) == 0 &&
	       span_get_u8(s, &len, &e) == 0 &&
	       span_take(s, len + 1u, &bytes, &e) == 0;
	     n++) {
		at %= (uint32_t)w->config.bytes - UINT8_MAX;
		p[n].at = w->ram + at;
		p[n].len = len;
		memcpy(p[n].was, p[n].at, len + 1u);
		memcpy(p[n].at, bytes, len + 1u);
	}
	return n;
}

static const uint8_t *
ram_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	const struct made_windows *w = arg;

	(void)scratch;
	return gpa < w->config.bytes ? w->ram + gpa : NULL;
}

static void
check_guest(struct made_windows *w)
{
	struct memory_run all = { 0, w->high, 0 };
	struct physical p = { .page = ram_page,
			      .arg = w,
			      .runs = &all,
			      .nruns = 1,
			      .npages = w->high };
	struct guest g;
	struct err e;
	size_t dropped = 0;

	fuzz_ok(guest_open(&g, &p, &e), &e);
	for (uint64_t n = 0; g.pages && n < w->high; n++) {
		fuzz_check(g.pages[n].class < CLASS__MAX);
		fuzz_check(g.pages[n].file < g.nfiles);
		fuzz_check(g.pages[n].priority < 8);
		dropped += guest_drops(&g, n);
	}
	fuzz_check(dropped == 0 || guest_is_sound(&g));
	for (size_t i = 1; i < g.nfiles; i++)
		fuzz_check(!g.files[i].name || strlen(g.files[i].name) < 4096);
	guest_close(&g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct patch patches[PATCHES_MAX];
	struct span s = span_of(data, size);
	struct made_windows *w;
	uint8_t chosen;
	size_t n;
	struct err e;

	if (span_get_u8(&s, &chosen, &e) < 0)
		return 0;
	w = guest_of(chosen);
	n = apply(w, &s, patches);
	check_guest(w);
	while (n-- > 0)
		memcpy(patches[n].at, patches[n].was, patches[n].len + 1u);
	return 0;
}

/* What stands at a virtual address, once more. */
static void
put_patch(struct buf *out, struct made_windows *w, uint64_t va, uint8_t len)
{
	uint64_t page = made_translate(w, va), in = va % PAGE_BYTES;
	struct err e;

	fuzz_ok(buf_put_u32(out, (uint32_t)(page * PAGE_BYTES + in), &e), &e);
	fuzz_ok(buf_put_u8(out, (uint8_t)(len - 1), &e), &e);
	fuzz_ok(buf_put(out, made_page(w, page) + in, len, &e), &e);
}

/* One seed a build, which patches nothing but names the places that matter:
 * entries of the database, the module list, sections and their files, the
 * version.
 */
const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "7601",  "9600",  "10240", "14393",
					     "17763", "19041", "26100" };
	struct made_windows *w;
	struct err e;

	if (i >= ARRAY_LEN(names))
		return NULL;
	w = guest_of((uint8_t)i);
	fuzz_ok(buf_put_u8(out, (uint8_t)i, &e), &e);
	for (uint64_t n = 1; n < w->high; n += 97)
		if (w->entries[n].exists)
			put_patch(out, w, w->pfn_base + n * 0x30, 8);
	put_patch(out, w, w->modules, 16);
	put_patch(out, w, w->pool_end - PAGE_BYTES, 128);
	put_patch(out, w, UINT64_C(0xfffff78000000260), 32);
	return names[i];
}
