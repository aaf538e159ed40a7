/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_LINUX_H
#define MIG_MAKE_LINUX_H

#include <stdint.h>
#include <string.h>

#include "tests/make-types.h"

#include "common/page.h"

/* A guest of 64 pages with all the tables of a Linux kernel that are read: no
 * kernel was ever so small, but its tables say so.
 */
#define LINUX_NPAGES 64
#define LINUX_BYTES  (LINUX_NPAGES * PAGE_BYTES)

/* Physical, of the tables; all is mapped from these two on. */
enum made_place {
	AT_TOP = 0x1000,
	AT_IMAGE_3 = 0x2000,
	AT_IMAGE_2 = 0x3000,
	AT_DIRECT_3 = 0x4000,
	AT_PAGES = 0x8000, /* struct page */
	AT_ROOTS = 0x9000,
	AT_SECTIONS = 0xa000,
	AT_TEXT = 0xb000,
	AT_UTS = 0xc000,
	AT_NODES = 0xd000,
	AT_NODE = 0xe000,
	AT_FILE = 0xf000,
	AT_SHARED = 0xf400,
	AT_SUPER = 0xf800,
	AT_PERCPU = 0xfc00,
	AT_TYPES = 0x10000,
};

#define MADE_IMAGE  UINT64_C(0xffffffff81000000)
#define MADE_DIRECT UINT64_C(0xffff888000000000)

/* What each page is. */
enum made_pfn {
	PFN_FREE = 32,   /* eight of them */
	PFN_PERCPU = 40, /* free, in a list of a CPU */
	PFN_ANON,
	PFN_FILE, /* two */
	PFN_SLAB = 44,
	PFN_TABLE,
	PFN_OFFLINE,
	PFN_RESERVED,
	PFN_DIRTY,
	PFN_SHMEM,
	PFN_BEHIND, /* the end of its file */
	PFN_LOOSE,  /* nobody uses it, and it is in no list */
};

static inline void
linux_put(uint8_t *mem, uint64_t at, uint64_t word)
{
	memcpy(mem + at, &word, 8);
}

static const char linux_text[] =
	"OSRELEASE=6.1.0-made\nBUILD-ID=00\nPAGESIZE=4096\n"
	"SYMBOL(init_uts_ns)=ffffffff8100c000\n"
	"SYMBOL(swapper_pg_dir)=ffffffff81001000\n"
	"SYMBOL(_stext)=ffffffff81000000\n"
	"SYMBOL(mem_section)=ffff888000009000\nLENGTH(mem_section)=4\n"
	"SIZE(mem_section)=16\nOFFSET(mem_section.section_mem_map)=0\n"
	"NUMBER(SECTION_SIZE_BITS)=27\nSIZE(page)=64\nSIZE(zone)=512\n"
	"SIZE(free_area)=24\nOFFSET(page.flags)=0\nOFFSET(page.lru)=8\n"
	"OFFSET(page.mapping)=24\nOFFSET(page.private)=40\n"
	"OFFSET(page._mapcount)=48\nOFFSET(page._refcount)=52\n"
	"OFFSET(page.compound_head)=8\nOFFSET(pglist_data.node_zones)=0\n"
	"OFFSET(pglist_data.nr_zones)=2048\nOFFSET(zone.free_area)=64\n"
	"LENGTH(zone.free_area)=11\nNUMBER(PG_slab)=9\n"
	"NUMBER(PG_head_mask)=65536\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
	"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n"
	"NUMBER(phys_base)=-16777216\nNUMBER(pgtable_l5_enabled)=0\n"
	"SYMBOL(node_data)=ffffffff8100d000\nLENGTH(node_data)=2\n"
	"KERNELOFFSET=0\nNUMBER(sme_mask)=0\n";

static inline void
linux_page(uint8_t *mem, unsigned pfn, uint64_t flags, uint64_t mapping,
	   uint64_t index, uint32_t type, uint32_t refcount)
{
	uint64_t at = AT_PAGES + 64 * (uint64_t)pfn;

	linux_put(mem, at, flags);
	linux_put(mem, at + 24, mapping);
	linux_put(mem, at + 32, index);
	memcpy(mem + at + 48, &type, 4);
	memcpy(mem + at + 52, &refcount, 4);
}

static inline void
linux_make_pages(uint8_t *mem)
{
	const uint64_t file = MADE_DIRECT + AT_FILE + 256, up = 1 << 2;
	const uint64_t area = AT_NODE + 64 + 3 * 24;
	const uint64_t free = AT_PAGES + PFN_FREE * 64;

	for (unsigned i = 0; i < LINUX_NPAGES; i++)
		linux_page(mem, i, 0, 0, 0, UINT32_MAX, 1);
	for (unsigned i = 0; i < 8; i++)
		linux_page(mem, PFN_FREE + i, 0, 0, 0, UINT32_MAX, 0);
	linux_page(mem, PFN_FREE, 0, 0, 0, (uint32_t)-129, 0);
	linux_put(mem, free + 40, 3);
	linux_put(mem, free + 8, MADE_DIRECT + area);
	linux_put(mem, free + 16, MADE_DIRECT + area);
	linux_put(mem, area, MADE_DIRECT + free + 8);
	linux_put(mem, area + 8, MADE_DIRECT + free + 8);
	linux_put(mem, area + 16, 1);
	linux_page(mem, PFN_LOOSE, 0, 0, 0, UINT32_MAX, 0);
	linux_page(mem, PFN_PERCPU, 0, 0, 0, UINT32_MAX, 0);
	mem[AT_PERCPU + 4] = 1;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t list = AT_PERCPU + 16 + 16 * i, at = MADE_DIRECT;

		at += i == 1 ? AT_PAGES + PFN_PERCPU * 64 + 8 : list;
		linux_put(mem, list, at);
		linux_put(mem, list + 8, at);
	}
	linux_put(mem, AT_PAGES + PFN_PERCPU * 64 + 8,
		  MADE_DIRECT + AT_PERCPU + 32);
	linux_put(mem, AT_PAGES + PFN_PERCPU * 64 + 16,
		  MADE_DIRECT + AT_PERCPU + 32);
	linux_page(mem, PFN_ANON, up, MADE_DIRECT + AT_UTS + 1, 5, 0, 2);
	linux_page(mem, PFN_FILE, up | 1 << 16, file, 7, UINT32_MAX, 3);
	linux_page(mem, PFN_FILE + 1, 0, 0, 0, 0, 0);
	linux_put(mem, AT_PAGES + (PFN_FILE + 1) * 64 + 8,
		  MADE_DIRECT + AT_PAGES + PFN_FILE * 64 + 1);
	linux_page(mem, PFN_SLAB, 1 << 9, 0, 0, UINT32_MAX, 1);
	linux_page(mem, PFN_TABLE, 0, 0, 0, ~(1u << 9), 1);
	linux_page(mem, PFN_OFFLINE, 0, 0, 0, (uint32_t)-257, 1);
	linux_page(mem, PFN_RESERVED, 1 << 12, 0, 0, UINT32_MAX, 1);
	linux_page(mem, PFN_DIRTY, up | 1 << 3, file, 2, 0, 2);
	linux_page(mem, PFN_SHMEM, up, MADE_DIRECT + AT_SHARED + 256, 1, 0, 2);
	linux_page(mem, PFN_BEHIND, up, file, 99, UINT32_MAX, 2);
}

static inline void
linux_make_files(uint8_t *mem)
{
	static const uint64_t magics[] = { 0xef53, 0x01021994 };

	for (unsigned i = 0; i < 2; i++) {
		uint64_t inode = AT_FILE + i * (AT_SHARED - AT_FILE);
		uint64_t super = AT_SUPER + i * 0x200;

		linux_put(mem, inode + 40, MADE_DIRECT + super);
		linux_put(mem, inode + 64, 4711 + i);
		linux_put(mem, inode + 80, 50000);
		linux_put(mem, inode + 256, MADE_DIRECT + inode);
		linux_put(mem, super + 16, 254 << 20 | 1);
		linux_put(mem, super + 40, MADE_DIRECT + AT_UTS + 0x800);
		linux_put(mem, super + 96, magics[i]);
		strcpy((char *)mem + super + 128, "vda1");
		memset(mem + super + 160, 0xab, 16);
	}
	linux_put(mem, AT_UTS + 0x800, MADE_DIRECT + AT_UTS + 0x900);
	strcpy((char *)mem + AT_UTS + 0x900, "ext4");
}

static inline void
linux_make(uint8_t mem[LINUX_BYTES])
{
	memset(mem, 0, LINUX_BYTES);
	linux_put(mem, AT_TOP + 8 * 511, AT_IMAGE_3 | 1);
	linux_put(mem, AT_IMAGE_3 + 8 * 510, AT_IMAGE_2 | 1);
	linux_put(mem, AT_IMAGE_2 + 8 * 8, 0x81);
	linux_put(mem, AT_TOP + 8 * 273, AT_DIRECT_3 | 1);
	linux_put(mem, AT_DIRECT_3, 0x81);
	linux_put(mem, AT_ROOTS, MADE_DIRECT + AT_SECTIONS);
	linux_put(mem, AT_SECTIONS, (MADE_DIRECT + AT_PAGES) | 0xf);
	strcpy((char *)mem + AT_TEXT + 24, linux_text);
	strcpy((char *)mem + AT_UTS + 130, "6.1.0-made");
	linux_put(mem, AT_NODES, MADE_DIRECT + AT_NODE);
	mem[AT_NODE + 2048] = 1;
	linux_make_files(mem);
	linux_make_types(mem + AT_TYPES + 8);
	linux_make_pages(mem);
}

#endif
