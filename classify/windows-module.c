/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "classify/guest-impl.h"
#include "classify/windows-impl.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

/* The kernel and its drivers stand in memory as they are mapped, often in
 * large pages, which have no section behind them.  What is loaded is a list:
 * PsLoadedModuleList.  Its head is exported by the kernel since Windows 10;
 * before, it is found from the kernel's own entry, the first of the list,
 * which names the base of the kernel.
 */
#define KERNELS_BEGIN UINT64_C(0xfffff80000000000)
#define KERNELS_END   UINT64_C(0xfffff80800000000)

#define LDR_BYTES 0x68
#define LDR_NEXT  0x00
#define LDR_PREV  0x08
#define LDR_BASE  0x30
#define LDR_SIZE  0x40
#define LDR_NAME  0x48

#define MODULES_MAX 4096
#define MODULE_MAX  (UINT64_C(1) << 30)

/* Longest name, in bytes of UTF-16. */
#define STRING_MAX 2048

/* 4 KiB pages that are looked at for the kernel, in one guest. */
#define SEARCH_MAX (1u << 22)

#define KERNEL_MAX (UINT64_C(64) << 20)

/* One character from UTF-16 units; what is none, or could steer a terminal,
 * becomes a question mark.
 */
static uint32_t
next_character(const uint8_t *utf16, size_t n, size_t *at)
{
	uint32_t c = load_le16(utf16 + *at), low;

	*at += 2;
	if (c >= 0xd800 && c < 0xdc00 && *at < n) {
		low = load_le16(utf16 + *at);
		if (low >= 0xdc00 && low < 0xe000) {
			*at += 2;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
		return '?';
	return c;
}

static char *
put_character(char *out, uint32_t c)
{
	unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t first[] = { 0, 0xc0, 0xe0, 0xf0 };

	*out++ = (char)(first[more] | c >> 6 * more);
	while (more-- > 0)
		*out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	return out;
}

char *
windows_string(const struct windows *w, uint64_t va)
{
	uint8_t head[16], utf16[STRING_MAX];
	char *text, *out;
	size_t n;

	if (!mmu_read(&w->mmu, va, head, sizeof(head)))
		return NULL;
	n = load_le16(head);
	if (n == 0 || n % 2 != 0 || n > sizeof(utf16) ||
	    !mmu_read(&w->mmu, load_le64(head + 8), utf16, n))
		return NULL;
	out = text = malloc(2 * n + 1); /* 4 bytes for 2 units, 3 for one */
	if (!text)
		return NULL;
	for (size_t at = 0; at < n;)
		out = put_character(out, next_character(utf16, n, &at));
	*out = '\0';
	return text;
}

/* The size of the image at va if it is the kernel, by a section that only the
 * kernel has; 0 if not.
 */
static uint64_t
kernel_size(const struct windows *w, uint64_t va)
{
	uint8_t page[PAGE_BYTES];
	uint32_t pe, nsections, optional, size;

	if (!mmu_read(&w->mmu, va, page, sizeof(page)) || page[0] != 'M' ||
	    page[1] != 'Z')
		return 0;
	pe = load_le32(page + 0x3c);
	if (pe > PAGE_BYTES - 0x108 || memcmp(page + pe, "PE\0", 4) != 0)
		return 0;
	nsections = load_le16(page + pe + 6);
	optional = load_le16(page + pe + 20);
	size = load_le32(page + pe + 24 + 56);
	for (uint32_t i = 0, at = pe + 24 + optional;
	     i < nsections && at + 40 <= PAGE_BYTES; i++, at += 40)
		if (memcmp(page + at, "POOLCODE", 8) == 0)
			return size <= KERNEL_MAX ? size : 0;
	return 0;
}

/* Looks at each page that is mapped where kernels are loaded. */
static bool
find_kernel(const struct windows *w, uint64_t *base, uint64_t *size)
{
	uint64_t va = KERNELS_BEGIN;

	for (unsigned looked = 0; va < KERNELS_END && looked < SEARCH_MAX;
	     looked++) {
		struct mmu_walk at;
		uint16_t mark;

		if (!mmu_walk(&w->mmu, va, &at)) {
			va = (va | (at.size - 1)) + 1;
			continue;
		}
		if (physical_read(w->memory, at.physical, &mark, 2) &&
		    mark == 0x5a4d) {
			*base = va;
			*size = kernel_size(w, va);
			if (*size > 0)
				return true;
		}
		va += PAGE_BYTES;
	}
	return false;
}

static bool
is_kernel_address(uint64_t va)
{
	return va >> 47 == 0x1ffff && va % 8 == 0;
}

/* The head of the list: two words in the kernel that lead to the kernel's own
 * entry, which leads back.
 */
static uint64_t
find_head(const struct windows *w, uint64_t base, uint64_t size)
{
	uint8_t page[PAGE_BYTES], entry[LDR_BYTES];

	for (uint64_t at = 0; at < size; at += PAGE_BYTES) {
		if (!mmu_read(&w->mmu, base + at, page, sizeof(page)))
			continue;
		for (unsigned i = 0; i + 16 <= PAGE_BYTES; i += 8)
			if (is_kernel_address(load_le64(page + i)) &&
			    is_kernel_address(load_le64(page + i + 8)) &&
			    mmu_read(&w->mmu, load_le64(page + i), entry,
				     sizeof(entry)) &&
			    load_le64(entry + LDR_PREV) == base + at + i &&
			    load_le64(entry + LDR_BASE) == base)
				return base + at + i;
	}
	return 0;
}

static int
add_module(struct windows *w, struct guest *g, const uint8_t *entry,
	   uint64_t at, struct err *e)
{
	struct windows_module *m = &w->modules[w->nmodules];
	struct guest_file f = { .id = at };

	memset(m, 0, sizeof(*m));
	m->base = load_le64(entry + LDR_BASE);
	m->len = load_le64(entry + LDR_SIZE) & UINT32_MAX;
	if (m->base >> 47 != 0x1ffff || m->base % PAGE_BYTES != 0 ||
	    m->len > MODULE_MAX || m->len > -m->base)
		return 0;
	f.size = m->len;
	f.base = m->base;
	f.name = windows_string(w, at + LDR_NAME);
	m->file = guest_add_file(g, &f, e);
	if (m->file == 0) {
		free(f.name);
		return -1;
	}
	w->nmodules++;
	return 0;
}

static int
module_order(const void *a, const void *b)
{
	const struct windows_module *x = a, *y = b;

	return (x->base > y->base) - (x->base < y->base);
}

int
windows_find_modules(struct windows *w, struct guest *g, bool *sound,
		     struct err *e)
{
	uint64_t base, size, head, at, last;
	uint8_t entry[LDR_BYTES];

	free(w->modules);
	w->nmodules = 0;
	w->modules = calloc(MODULES_MAX, sizeof(*w->modules));
	*sound = false;
	if (!w->modules)
		return err_sys(e, "the modules of the guest");
	if (!find_kernel(w, &base, &size))
		return 0;
	head = last = find_head(w, base, size);
	if (head == 0 || !mmu_read_u64(&w->mmu, head, &at))
		return 0;
	for (size_t i = 0; at != head && i < MODULES_MAX; i++) {
		if (!mmu_read(&w->mmu, at, entry, sizeof(entry)) ||
		    load_le64(entry + LDR_PREV) != last)
			break;
		if (add_module(w, g, entry, at, e) < 0)
			return -1;
		last = at;
		at = load_le64(entry + LDR_NEXT);
	}
	*sound = at == head;
	qsort(w->modules, w->nmodules, sizeof(*w->modules), module_order);
	return 0;
}

const struct windows_module *
windows_module_at(const struct windows *w, uint64_t va)
{
	size_t low = 0, high = w->nmodules;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (w->modules[mid].base <= va)
			low = mid;
		else
			high = mid;
	}
	if (w->nmodules == 0 ||
	    va - w->modules[low].base >= w->modules[low].len)
		return NULL;
	return &w->modules[low];
}
