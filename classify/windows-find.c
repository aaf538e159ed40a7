/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "classify/windows-impl.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

/* A top table of Windows maps itself: one entry of its kernel half names the
 * page that it stands in, and so every PTE has a virtual address.  It also
 * maps KUSER_SHARED_DATA, always at the same address, which says the version.
 */
#define KUSER       UINT64_C(0xfffff78000000000)
#define KUSER_ROOT  0x30 /* L"C:\Windows" */
#define KUSER_BUILD 0x260
#define KUSER_MAJOR 0x26c
#define KUSER_MINOR 0x270
#define KUSER_BYTES 0x274
#define KUSER_TOP   0x1ef /* its entry in the top table */

#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_LARGE   UINT64_C(0x80)
#define ENTRY_FRAME   UINT64_C(0x000ffffffffff000)

/* The slot of the top table that names its own page; 0 when none does. */
static unsigned
self_slot(const uint8_t *page, uint64_t gpa)
{
	uint64_t e = page_word(page, KUSER_TOP);

	/* Most pages are no top tables, and end here. */
	if (!(e & ENTRY_PRESENT) || (e & ENTRY_LARGE))
		return 0;
	for (unsigned i = PAGE_WORDS / 2; i < PAGE_WORDS; i++) {
		e = page_word(page, i);
		if ((e & ENTRY_PRESENT) && !(e & ENTRY_LARGE) &&
		    (e & ENTRY_FRAME) == gpa)
			return i;
	}
	return 0;
}

static bool
is_windows_folder(const uint8_t *utf16)
{
	static const char after[] = { 0, ':', 0, '\\', 0 };

	return (utf16[0] | 32) >= 'a' && (utf16[0] | 32) <= 'z' &&
	       memcmp(utf16 + 1, after, sizeof(after)) == 0;
}

static bool
read_version(struct windows *w)
{
	uint8_t k[KUSER_BYTES];

	if (!mmu_read(&w->mmu, KUSER, k, sizeof(k)) ||
	    !is_windows_folder(k + KUSER_ROOT))
		return false;
	w->major = load_le32(k + KUSER_MAJOR);
	w->minor = load_le32(k + KUSER_MINOR);
	w->build = 0;
	if (w->major == 6)
		return w->minor >= 1 && w->minor <= 3;
	w->build = load_le32(k + KUSER_BUILD) & 0xffff;
	return w->major == 10 && w->minor == 0 && w->build >= 10240;
}

static bool
try_root(struct windows *w, const uint8_t *page, uint64_t gpa)
{
	unsigned slot = self_slot(page, gpa);

	if (slot == 0)
		return false;
	w->mmu = (struct mmu){ .memory = w->memory, .root = gpa, .levels = 4 };
	w->pte_base = UINT64_C(0xffff) << 48 | (uint64_t)slot << 39;
	return read_version(w);
}

bool
windows_find_root(struct windows *w, uint64_t *from)
{
	uint8_t scratch[PAGE_BYTES];

	for (size_t i = 0; i < w->memory->nruns; i++) {
		const struct memory_run *r = &w->memory->runs[i];
		uint64_t end = r->gpa + r->npages * PAGE_BYTES;

		for (uint64_t gpa = MAX(r->gpa, *from); gpa < end;
		     gpa += PAGE_BYTES) {
			const uint8_t *page =
				w->memory->page(w->memory->arg, gpa, scratch);

			if (!page || !try_root(w, page, gpa))
				continue;
			*from = gpa + PAGE_BYTES;
			return true;
		}
	}
	return false;
}

uint64_t
windows_pte_of(const struct windows *w, uint64_t va)
{
	return w->pte_base + (va >> 9 & UINT64_C(0x7ffffffff8));
}

bool
windows_is_pte(const struct windows *w, uint64_t pte)
{
	return pte - w->pte_base < WINDOWS_PTES_BYTES;
}

/* 48 bits of address, of which the highest is repeated. */
uint64_t
windows_va_of(const struct windows *w, uint64_t pte)
{
	return (uint64_t)((int64_t)((pte - w->pte_base) << 25) >> 16);
}
