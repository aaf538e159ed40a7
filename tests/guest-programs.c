/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Part of the program of the guest of linux-guest.sh: Windows' programs, put
 * into its memory as Windows' loader does it, but for the addresses of what
 * they import.  Says which pages they have.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest-programs.h"
#include "tests/made-pe.h"

#include "common/page.h"

/* Where Windows puts libraries, at multiples of 64 KiB. */
#define LOW   UINT64_C(0x00007ff800000000)
#define STEPS 0x70000

static uint64_t
next_random(void)
{
	static uint64_t x;

	if (x == 0)
		memcpy(&x, (const void *)getauxval(AT_RANDOM), sizeof(x));
	x = x * 6364136223846793005u + 1442695040888963407u;
	return x >> 32;
}

/* Where nothing is yet; NULL if all is full. */
static uint8_t *
reserve(size_t len)
{
	for (unsigned i = 0; i < 100; i++) {
		uint64_t base = LOW + next_random() % STEPS * 0x10000;
		void *at =
			mmap((void *)base, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);

		if (at != MAP_FAILED)
			return at;
	}
	return NULL;
}

/* "program KIND FRAME": what the page has that is not in the file where the
 * program would stand at the address that it was linked for.
 */
static void
say_page(int pagemap, const uint8_t *page, const uint8_t *linked)
{
	static const uint8_t zeros[PAGE_BYTES];
	uint64_t entry = 0;

	if (memcmp(page, zeros, PAGE_BYTES) == 0)
		return;
	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)page / 512)) != 8)
		return;
	printf("program %s %llu\n",
	       memcmp(page, linked, PAGE_BYTES) == 0 ? "as-linked"
						     : "relocated",
	       (unsigned long long)(entry & ((UINT64_C(1) << 55) - 1)));
}

static void
map_part(int pagemap, uint8_t *at, const uint8_t *image, const uint8_t *linked,
	 uint32_t pages)
{
	for (size_t i = 0; i < (size_t)pages * PAGE_BYTES; i += PAGE_BYTES) {
		memcpy(at + i, image + i, PAGE_BYTES);
		say_page(pagemap, at + i, linked + i);
	}
}

static void
map_program(const struct pe *pe, int pagemap)
{
	uint8_t *at = reserve(pe->image_len), *image, *linked;

	if (!at)
		return;
	image = pe_load(pe, (uint64_t)(uintptr_t)at);
	linked = pe_load(pe, pe->base);
	map_part(pagemap, at, image, linked, 1);
	/* Nobody looks at the others once the program is there. */
	for (size_t i = 0; i < pe->nsections; i++)
		if (!pe->sections[i].discardable)
			map_part(pagemap, at + pe->sections[i].rva,
				 image + pe->sections[i].rva,
				 linked + pe->sections[i].rva,
				 pe->sections[i].pages);
	free(image);
	free(linked);
}

void
map_programs(const char *folder)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		struct pe pe;
		char path[300];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (!pe_read(&pe, path))
			continue;
		map_program(&pe, pagemap);
		pe_free(&pe);
	}
	close(pagemap);
}
