/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_KERNEL_H
#define MIG_MADE_KERNEL_H

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/test.h"

#include "common/mem.h"
#include "common/page.h"

/* A kernel of random pages as an ELF file, and that packed into a bzImage. */
#define NPAGES    200 /* of the kernel */
#define ELF_BYTES ((NPAGES + 1) * PAGE_BYTES)
#define ELF_MAX   (ELF_BYTES + 64 * PAGE_BYTES)
#define FILE_MAX  (2 * ELF_MAX)
#define FIRST     0x1000000 /* where it would run */
#define ADDRESS   0xffffffff81000000

static uint8_t elf[ELF_MAX], bzimage[FILE_MAX];
static size_t elf_len;
static uint8_t *const kernel = elf + PAGE_BYTES;

/* A kernel of two parts that it loads, one after the other. */
static void
make_elf(void)
{
	Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				      ELFCLASS64, ELFDATA2LSB },
			 .e_machine = EM_X86_64,
			 .e_phoff = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3 };
	uint64_t seed = 9, half = NPAGES / 2 * PAGE_BYTES;
	Elf64_Phdr p[3] = {
		{ .p_type = PT_LOAD,
		  .p_offset = PAGE_BYTES,
		  .p_filesz = half,
		  .p_vaddr = 0xffffffff81000000,
		  .p_paddr = 0x1000000 },
		{ .p_type = PT_LOAD,
		  .p_offset = PAGE_BYTES,
		  .p_filesz = 99,
		  .p_vaddr = 0,
		  .p_paddr = 0x9000000 }, /* per CPU: not it */
		{ .p_type = PT_LOAD,
		  .p_offset = PAGE_BYTES + half,
		  .p_filesz = half,
		  .p_vaddr = 0xffffffff81000000 + half,
		  .p_paddr = 0x1000000 + half },
	};

	elf_len = ELF_BYTES;
	for (size_t i = PAGE_BYTES; i < elf_len; i++)
		elf[i] = (uint8_t)(test_random(&seed) >> 60);
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + sizeof(h), p, sizeof(p));
}

static size_t
pack_gzip(uint8_t *out)
{
	z_stream z = { .next_in = elf,
		       .avail_in = (unsigned)elf_len,
		       .next_out = out,
		       .avail_out = FILE_MAX - 8192 };

	assert_int_equal(
		deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static size_t
pack_xz(uint8_t *out)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, elf,
						 elf_len, out, &n,
						 FILE_MAX - 8192),
			 LZMA_OK);
	return n;
}

static size_t
pack_zstd(uint8_t *out)
{
	return ZSTD_compress(out, FILE_MAX - 8192, elf, elf_len, 1);
}

static size_t
pack_lz4(uint8_t *out)
{
	uint32_t n = (uint32_t)LZ4_compress_default(
		(const char *)elf, (char *)out + 8, (int)elf_len,
		FILE_MAX - 9000);

	memcpy(out, "\x02\x21\x4c\x18", 4);
	memcpy(out + 4, &n, 4);
	return 8 + n;
}

static size_t (*const packings[])(uint8_t *out) = { pack_gzip, pack_xz,
						    pack_zstd, pack_lz4 };

/* Returns the bytes of the bzImage in 'bzimage'. */
static size_t
make_file(size_t (*pack)(uint8_t *out))
{
	uint32_t len, size = (uint32_t)elf_len, offset = 300;

	memset(bzimage, 0, sizeof(bzimage));
	len = (uint32_t)pack(bzimage + 5 * 512 + offset);
	memcpy(bzimage + 5 * 512 + offset + len, &size, 4);
	len += 4;
	bzimage[0x1f1] = 4;
	bzimage[0x1fe] = 0x55;
	bzimage[0x1ff] = 0xaa;
	memcpy(bzimage + 0x202, "HdrS", 4);
	memcpy(bzimage + 0x248, &offset, 4);
	memcpy(bzimage + 0x24c, &len, 4);
	return 5 * 512 + offset + len;
}

#endif
