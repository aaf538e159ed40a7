/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/made-memory.h"
#include "tests/test.h"

#include "common/mem.h"
#include "dedup/held.h"
#include "dedup/vmlinux.h"
#include "sender/encode.h"

#define NPAGES    200 /* of the kernel */
#define ELF_BYTES ((NPAGES + 1) * PAGE_BYTES)
#define FILE_MAX  (2 * ELF_BYTES)

static uint8_t elf[ELF_BYTES], file[FILE_MAX];
static const uint8_t *const kernel = elf + PAGE_BYTES;

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

	for (size_t i = PAGE_BYTES; i < sizeof(elf); i++)
		elf[i] = (uint8_t)(test_random(&seed) >> 60);
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + sizeof(h), p, sizeof(p));
}

static size_t
pack_gzip(uint8_t *out)
{
	z_stream z = { .next_in = elf,
		       .avail_in = ELF_BYTES,
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
						 ELF_BYTES, out, &n,
						 FILE_MAX - 8192),
			 LZMA_OK);
	return n;
}

static size_t
pack_zstd(uint8_t *out)
{
	return ZSTD_compress(out, FILE_MAX - 8192, elf, ELF_BYTES, 1);
}

static size_t
pack_lz4(uint8_t *out)
{
	uint32_t n = (uint32_t)LZ4_compress_default(
		(const char *)elf, (char *)out + 8, ELF_BYTES, FILE_MAX - 9000);

	memcpy(out, "\x02\x21\x4c\x18", 4);
	memcpy(out + 4, &n, 4);
	return 8 + n;
}

static size_t (*const packings[])(uint8_t *out) = { pack_gzip, pack_xz,
						    pack_zstd, pack_lz4 };

/* Returns the bytes of the bzImage in 'file'. */
static size_t
make_file(size_t (*pack)(uint8_t *out))
{
	uint32_t len, size = ELF_BYTES, offset = 300;

	memset(file, 0, sizeof(file));
	len = (uint32_t)pack(file + 5 * 512 + offset);
	memcpy(file + 5 * 512 + offset + len, &size, 4);
	len += 4;
	file[0x1f1] = 4;
	file[0x1fe] = 0x55;
	file[0x1ff] = 0xaa;
	memcpy(file + 0x202, "HdrS", 4);
	memcpy(file + 0x248, &offset, 4);
	memcpy(file + 0x24c, &len, 4);
	return 5 * 512 + offset + len;
}

static void
all_packings_unpack(void **state)
{
	struct memory m;
	struct err e;

	(void)state;
	make_elf();
	for (size_t i = 0; i < ARRAY_LEN(packings); i++) {
		size_t len = make_file(packings[i]);

		assert_ok(vmlinux_make(&m, file, len, &e), &e);
		assert_int_equal(m.npages, NPAGES);
		assert_int_equal(m.segments[0].gpa, 0x1000000);
		assert_memory_equal(m.map.data, kernel, NPAGES * PAGE_BYTES);
		memory_close(&m);
		assert_err(vmlinux_make(&m, file, len - 1, &e), &e,
			   ERR_CORRUPT);
	}
}

static void
damage_is_an_error(void **state)
{
	struct memory m;
	struct err e;
	uint64_t seed = 4;

	(void)state;
	make_elf();
	for (size_t i = 0; i < ARRAY_LEN(packings); i++) {
		size_t len = make_file(packings[i]);

		for (unsigned k = 0; k < 300; k++) {
			size_t at = test_random(&seed) %
				    (k % 2 ? len : (size_t)6000);
			uint8_t was = file[at];

			file[at] ^= (uint8_t)(1u << k % 8);
			if (vmlinux_make(&m, file, len, &e) == 0)
				memory_close(&m);
			file[at] = was;
		}
	}
	make_elf();
	elf[18] = EM_386; /* e_machine */
	assert_err(vmlinux_make(&m, file, make_file(pack_lz4), &e), &e,
		   ERR_CORRUPT);
	memset(file + 5 * 512 + 300, 0, 8);
	assert_err(vmlinux_make(&m, file, FILE_MAX, &e), &e, ERR_USAGE);
}

/* A disk with the kernel's file at block 3. */
static void
make_disk(char path[64])
{
	size_t len = make_file(pack_zstd);
	int fd;

	strcpy(path, "/tmp/test-vmlinux-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_int_equal(pwrite(fd, file, len, 3 * PAGE_BYTES), len);
	close(fd);
}

/* A guest that runs it: moved up by 6 MiB, some words of each page patched. */
static void
make_guest(struct memory *m)
{
	size_t npages = (0x1000000 + (8u << 20)) / PAGE_BYTES + NPAGES;
	struct memory_region r = { 0, 0, npages * PAGE_BYTES };
	uint8_t *pages = calloc(npages, PAGE_BYTES);
	uint8_t *there = pages + 0x1000000 + (6u << 20);

	memcpy(there, kernel, NPAGES * PAGE_BYTES);
	for (size_t i = 0; i < NPAGES; i++)
		for (size_t w = 0; w < (i % 4) * 20; w++)
			there[i * PAGE_BYTES + w * 40] ^= 0xff;
	made_open(m, pages, npages * PAGE_BYTES, &r);
	free(pages);
}

static void
assert_planned(const struct memory *guest, const struct base *kernel_base,
	       bool live)
{
	struct base bases[] = {
		{ .kind = BASE_HISTORY, .npages = guest->npages }, *kernel_base
	};
	struct planner_config c = { .memory = guest,
				    .bases = bases,
				    .nbases = 2 };
	struct planner_limits limits = { false, 1 << 20 };
	struct planned *out = calloc(1, sizeof(*out));
	struct batch *b = calloc(1, sizeof(*b));
	struct source_cursor at = { 0 };
	unsigned pages[PLAN__MAX] = { 0 };
	struct shadow shadow = { .data = NULL };
	struct plan_writer w;
	struct planner *p;
	struct err e;

	if (live) {
		assert_ok(
			shadow_open(&shadow, -1, guest->npages, UINT64_MAX, &e),
			&e);
		c.shadow = &shadow;
		c.memory = &shadow.memory;
	}
	p = planner_new(&c, &e);
	assert_non_null(p);
	plan_writer_init(&w, base_guest_like(bases, 2));
	do {
		source_fill(guest, &at, UINT32_MAX, UINT32_MAX, b);
		assert_ok(planner_frame(p, &limits, b, &w, out, &e), &e);
		source_advance(guest, &at, b->npages, b->nbytes);
		for (uint32_t i = 0; i < b->npages; i++)
			pages[out->codes[i]]++;
	} while (b->npages > 0);
	assert_int_equal(pages[PLAN_REF], NPAGES / 4);
	assert_int_equal(pages[PLAN_DELTA], NPAGES * 3 / 4);
	assert_int_equal(pages[PLAN_DATA], 0);
	plan_writer_fini(&w);
	planner_free(p);
	if (live)
		shadow_close(&shadow);
	free(out);
	free(b);
}

static void
a_running_kernel_is_sent_as_changed_words(void **state)
{
	static const struct index_how how = { .threads = 1 };
	char dir[] = "/tmp/test-vmlinux-dir-XXXXXX", path[64], command[128];
	struct held disk, k;
	struct memory guest;
	struct digest first;
	struct err e;

	(void)state;
	make_elf();
	make_disk(path);
	assert_non_null(mkdtemp(dir));
	setenv("VIRT_MIG_INDEX_DIR", dir, 1);
	assert_ok(held_open_image(&disk, path, NULL, &how, &e), &e);
	assert_ok(held_open_kernel(&k, &disk, 0, &e), &e);
	assert_string_equal(k.memory.format, "vmlinux");
	first = k.root;
	held_close(&k);
	assert_ok(held_open_kernel(&k, &disk, 0, &e), &e);
	assert_string_equal(k.memory.format, "elf"); /* the kept one */
	assert_memory_equal(k.root.b, first.b, DIGEST_BYTES);
	make_guest(&guest);
	assert_planned(&guest, &k.base, false);
	/* Live, where the memory comes to be known page by page. */
	assert_planned(&guest, &k.base, true);
	memory_close(&guest);
	held_close(&k);
	assert_err(held_open_kernel(&k, &disk, 1, &e), &e, ERR_USAGE);
	held_close(&disk);
	unlink(path);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_packings_unpack),
		cmocka_unit_test(damage_is_an_error),
		cmocka_unit_test(a_running_kernel_is_sent_as_changed_words),
	};

	return cmocka_run_group_tests_name("vmlinux", tests, NULL, NULL);
}
