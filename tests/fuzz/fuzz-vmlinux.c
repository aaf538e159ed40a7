/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/page.h"
#include "dedup/vmlinux-run.h"
#include "dedup/vmlinux.h"

/* Any bytes as a kernel's file: refused, or a memory of one segment, whose
 * pages can be made as they run.  The payload, whose packing the compression
 * libraries answer for, may stand unpacked behind a made-up header, or the
 * bytes be pages and table as they were kept: the first byte says.
 */
#define ROOM (64 * 1024)

/* Every page that can be made as it runs that way. */
static void
check_running(const struct memory *m, unsigned way)
{
	uint8_t page[PAGE_BYTES];
	unsigned found;

	fuzz_check(vmlinux_run_pages(m) <= m->npages);
	for (uint64_t n = 0; n < m->npages; n++) {
		if (!vmlinux_run_has(m, way * m->npages + n))
			continue;
		fuzz_check(n < vmlinux_run_pages(m));
		vmlinux_run_make(m, way * m->npages + n, page);
		found = vmlinux_run_way(m, n, page);
		fuzz_check(found < VMLINUX_WAYS);
	}
}

static void
check_kept(const uint8_t *data, size_t size)
{
	struct memory_segment s = { .is_pages = true };
	struct memory_run run = { .npages = size / PAGE_BYTES };
	struct memory m = { .map = { data, size, -1 },
			    .segments = &s,
			    .nsegments = 1,
			    .npages = run.npages,
			    .by_gpa = &run,
			    .nruns = 1 };

	s.len = run.npages * PAGE_BYTES;
	if (m.npages > 0)
		check_running(&m, 1 + data[0] * 4u % (VMLINUX_WAYS - 1));
}

static void
check_kernel(const uint8_t *file, size_t len)
{
	struct memory m;
	struct err e;
	unsigned sum = 0;

	if (vmlinux_make(&m, file, len, &e) < 0) {
		fuzz_check(e.code != ERR_NONE);
		return;
	}
	fuzz_check(m.npages > 0 && m.nsegments == 1);
	for (uint64_t n = 0; n < m.npages; n++)
		sum += memory_page(&m, n)[0];
	fuzz_check(sum <= m.npages * UINT8_MAX);
	for (unsigned way = 0; way < 4; way++)
		check_running(&m, way * 77);
	memory_close(&m);
}

/* A bzImage whose lz4 payload is one block of literals: the rest of data. */
static size_t
wrap(const uint8_t *data, size_t size, uint8_t *file)
{
	uint32_t payload = 0, block, len, unpacked = (uint32_t)size;
	uint8_t *at = file + 5 * 512 + 8;
	size_t more = size >= 15 ? size - 15 : 0;

	memset(file, 0, 5 * 512);
	memcpy(file + 5 * 512, "\x02\x21\x4c\x18", 4);
	*at++ = (uint8_t)((size < 15 ? size : 15) << 4);
	for (; size >= 15 && more >= 255; more -= 255)
		*at++ = 255;
	if (size >= 15)
		*at++ = (uint8_t)more;
	memcpy(at, data, size);
	at += size;
	block = (uint32_t)(at - file) - 5 * 512 - 8;
	memcpy(file + 5 * 512 + 4, &block, 4);
	memcpy(at, &unpacked, 4);
	len = 8 + block + 4;
	file[0x1f1] = 4;
	file[0x1fe] = 0x55;
	file[0x1ff] = 0xaa;
	memcpy(file + 0x202, "HdrS", 4);
	memcpy(file + 0x248, &payload, 4);
	memcpy(file + 0x24c, &len, 4);
	return 5 * 512 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[ROOM + 8192];

	if (size == 0 || size > ROOM)
		return 0;
	if (data[0] & 2)
		check_kept(data + 1, size - 1);
	else if (data[0] & 1)
		check_kernel(data + 1, size - 1);
	else
		check_kernel(file, wrap(data + 1, size - 1, file));
	return 0;
}

#define SEED_ELF (2 * PAGE_BYTES + 100)

/* A kernel of two pages. */
static size_t
seed_elf(uint8_t *elf)
{
	Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				      ELFCLASS64, ELFDATA2LSB },
			 .e_machine = EM_X86_64,
			 .e_phoff = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1 };
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = 100,
			 .p_filesz = 2 * PAGE_BYTES,
			 .p_vaddr = 0xffffffff81000000,
			 .p_paddr = 0x1000000 };

	memcpy(elf, &h, sizeof(h));
	memcpy(elf + sizeof(h), &p, sizeof(p));
	return SEED_ELF;
}

/* The same with a section of return sites, and relocations behind it. */
static size_t
seed_running(uint8_t *elf)
{
	static const char names[] = "\0.return_sites";
	static const uint32_t relocations[] = {
		0, 0x81000100, 0x81000ffc, 0, 0x81000200, 0, 0x81000300
	};
	Elf64_Shdr s[2] = { { .sh_offset = SEED_ELF, .sh_size = sizeof(names) },
			    { .sh_name = 1,
			      .sh_addr = 0xffffffff81000400,
			      .sh_offset = SEED_ELF + 16,
			      .sh_size = 4 } };
	size_t at = seed_elf(elf);
	Elf64_Ehdr h;

	memcpy(&h, elf, sizeof(h));
	h.e_shoff = at + 20;
	h.e_shnum = 2;
	h.e_shentsize = sizeof(*s);
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + at, names, sizeof(names));
	memcpy(elf + at + 16, "\x10\0\0", 4);
	elf[100 + 0x410] = 0xe9;
	memcpy(elf + at + 20, s, sizeof(s));
	memcpy(elf + at + 20 + sizeof(s), relocations, sizeof(relocations));
	return at + 20 + sizeof(s) + sizeof(relocations);
}

/* A page of a kernel, and its table. */
static size_t
seed_kept(uint8_t *pages)
{
	static const uint32_t sites[] = { 0x100, 0x8000200, 0x10000300,
					  0x18000400, 0x20000500 };
	static const uint32_t end[] = { 1, ARRAY_LEN(sites), 1 };
	uint8_t *at = pages + 2 * PAGE_BYTES - VMLINUX_RUN_ROOM;

	memcpy(pages + PAGE_BYTES, sites, sizeof(sites));
	memcpy(at, "virt-mig kernel", 16);
	memcpy(at + 16, end, sizeof(end));
	return 2 * PAGE_BYTES;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct {
		const char *name;
		uint8_t how;
		size_t (*make)(uint8_t *bytes);
	} seeds[] = { { "elf", 0, seed_elf },
		      { "bzimage", 1, seed_elf },
		      { "running", 0, seed_running },
		      { "kept", 2, seed_kept } };
	uint8_t bytes[3 * PAGE_BYTES] = { 0 }, file[5 * PAGE_BYTES];
	struct err e;
	size_t n;

	if (i >= ARRAY_LEN(seeds))
		return NULL;
	n = seeds[i].make(bytes);
	fuzz_ok(buf_put_u8(out, seeds[i].how, &e), &e);
	if (seeds[i].how != 1) {
		fuzz_ok(buf_put(out, bytes, n, &e), &e);
	} else {
		n = wrap(bytes, n, file);
		fuzz_ok(buf_put(out, file, n, &e), &e);
	}
	return seeds[i].name;
}
