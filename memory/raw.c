/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* How QEMU's PCs put memory below 4 GiB: machines with 'from' bytes or more
 * end their low memory at 'low', the rest begins at 4 GiB.
 */
#define GIB      (1ull << 30)
#define Q35_FROM (0xb0ull << 24)
#define Q35_LOW  (2 * GIB)
#define PC_FROM  (0xe0ull << 24)
#define PC_LOW   (3 * GIB)

/* Where a PC BIOS leaves the pointer to the ACPI tables. */
#define RSDP_BEGIN 0xe0000
#define RSDP_END   0x100000
#define RSDP_BYTES 20

uint64_t
memory_low_end(bool q35, uint64_t len)
{
	if (len < Q35_FROM)
		return len;
	if (q35)
		return Q35_LOW;
	return len < PC_FROM ? len : PC_LOW;
}

/* The address of the ACPI root table, which SeaBIOS puts at the end of low
 * memory; 0 when there is none: a guest that UEFI started, or no guest.
 */
static uint32_t
find_rsdt(const struct map *map)
{
	for (size_t at = RSDP_BEGIN; at < RSDP_END && at < map->len; at += 16) {
		struct span s = span_of(map->data + at, map->len - at);
		uint8_t rsdp[RSDP_BYTES], sum = 0;
		uint32_t rsdt;
		struct err e;

		if (span_get(&s, rsdp, sizeof(rsdp), &e) < 0 ||
		    memcmp(rsdp, "RSD PTR ", 8) != 0)
			continue;
		for (size_t i = 0; i < sizeof(rsdp); i++)
			sum = (uint8_t)(sum + rsdp[i]);
		s = span_of(rsdp + 16, 4);
		if (sum == 0 && span_get_u32(&s, &rsdt, &e) == 0)
			return rsdt;
	}
	return 0;
}

/* The file of a memory backend has the PC's memory without the hole below
 * 4 GiB.  Where that begins depends on the machine: a BIOS that put tables
 * above 2 GiB ran on a "pc"; all else of that size is taken for a "q35".
 */
static int
raw_lay_out(struct memory *m, struct err *e)
{
	uint64_t low = memory_low_end(find_rsdt(&m->map) < Q35_LOW, m->map.len);
	struct memory_region regions[] = {
		{ .gpa = 0, .offset = 0, .len = low },
		{ .gpa = 4 * GIB, .offset = low, .len = m->map.len - low },
	};

	return memory_lay_out(m, regions, ARRAY_LEN(regions), ERR_CORRUPT, e);
}

int
memory_raw_regions(struct memory *m, const struct memory_region *regions,
		   size_t nregions, struct err *e)
{
	auto_free struct memory_region *copy =
		calloc(nregions, sizeof(*regions));

	if (!copy)
		return err_sys(e, "a list of %zu regions", nregions);
	for (size_t i = 0; i < nregions; i++) {
		copy[i] = regions[i];
		if ((copy[i].gpa | copy[i].len) % PAGE_BYTES != 0)
			return err_set(e, ERR_USAGE,
				       "the region 0x%" PRIx64 ":0x%" PRIx64
				       ":0x%" PRIx64 " is not whole pages",
				       copy[i].gpa, copy[i].offset,
				       copy[i].len);
	}
	return memory_lay_out(m, copy, nregions, ERR_USAGE, e);
}

const struct memory_format memory_raw = {
	.name = "raw",
	.lay_out = raw_lay_out,
};
