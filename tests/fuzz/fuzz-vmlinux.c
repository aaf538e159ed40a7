/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "common/page.h"
#include "dedup/vmlinux.h"

/* Any bytes as a kernel's file: refused, or a memory of one segment.  The
 * payload, whose packing the compression libraries answer for, may stand
 * unpacked behind a made-up header: the first byte says.
 */
#define ROOM (64 * 1024)

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
	if (data[0] & 1)
		check_kernel(data + 1, size - 1);
	else
		check_kernel(file, wrap(data + 1, size - 1, file));
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const char *const names[] = { "elf", "bzimage" };
	uint8_t elf[2 * PAGE_BYTES + 100] = { 0 }, file[4 * PAGE_BYTES];
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
	struct err e;
	size_t n;

	if (i >= 2)
		return NULL;
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + sizeof(h), &p, sizeof(p));
	fuzz_ok(buf_put_u8(out, (uint8_t)i, &e), &e);
	n = wrap(elf, sizeof(elf), file);
	if (i == 0)
		fuzz_ok(buf_put(out, elf, sizeof(elf), &e), &e);
	else
		fuzz_ok(buf_put(out, file, n, &e), &e);
	return names[i];
}
