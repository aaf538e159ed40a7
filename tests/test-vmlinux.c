/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/made-kernel.h"
#include "tests/made-memory.h"
#include "tests/test.h"

#include "common/mem.h"
#include "dedup/held.h"
#include "dedup/vmlinux-run.h"
#include "dedup/vmlinux.h"
#include "sender/encode.h"

static void
all_packings_unpack(void **state)
{
	struct memory m;
	struct err e;

	(void)state;
	make_elf();
	for (size_t i = 0; i < ARRAY_LEN(packings); i++) {
		size_t len = make_file(packings[i]);

		assert_ok(vmlinux_make(&m, bzimage, len, &e), &e);
		assert_int_equal(m.npages, NPAGES);
		assert_int_equal(m.segments[0].gpa, 0x1000000);
		assert_memory_equal(m.map.data, kernel, NPAGES * PAGE_BYTES);
		memory_close(&m);
		assert_err(vmlinux_make(&m, bzimage, len - 1, &e), &e,
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
			uint8_t was = bzimage[at];

			bzimage[at] ^= (uint8_t)(1u << k % 8);
			if (vmlinux_make(&m, bzimage, len, &e) == 0)
				memory_close(&m);
			bzimage[at] = was;
		}
	}
	make_elf();
	elf[18] = EM_386; /* e_machine */
	assert_err(vmlinux_make(&m, bzimage, make_file(pack_lz4), &e), &e,
		   ERR_CORRUPT);
	memset(bzimage + 5 * 512 + 300, 0, 8);
	assert_err(vmlinux_make(&m, bzimage, FILE_MAX, &e), &e, ERR_USAGE);
}

/* What is done where in each page of a kernel that knows how it runs. */
#define EACH_ADD64  12
#define EACH_TRACED 2 /* which the first of these point at */
#define EACH_ADD32  3
#define EACH_SUB32  2
#define EACH_RETURN 6
#define STRADDLES   (NPAGES / 2 * PAGE_BYTES - 3) /* an ADD64 */

static size_t
site(size_t page, unsigned i)
{
	return page * PAGE_BYTES + 40 + 150 * (size_t)i;
}

enum {
	ADD64 = 0,
	TRACED = ADD64 + EACH_ADD64,
	ADD32 = TRACED + EACH_TRACED,
	SUB32 = ADD32 + EACH_ADD32,
	RETURN = SUB32 + EACH_SUB32
};

static void
put64(size_t at, uint64_t v)
{
	memcpy(kernel + at, &v, sizeof(v));
}

static void
put_jump(size_t at, uint8_t code, size_t to)
{
	int32_t by = (int32_t)(to - at - 5);

	kernel[at] = code;
	memcpy(kernel + at + 1, &by, sizeof(by));
}

static void
put_sites(void)
{
	for (size_t p = 0; p < NPAGES; p++) {
		for (unsigned i = 0; i < EACH_ADD64; i++)
			put64(site(p, ADD64 + i),
			      ADDRESS + (i < EACH_TRACED ? site(p, TRACED + i)
							 : p * i));
		for (unsigned i = 0; i < EACH_TRACED; i++)
			put_jump(site(p, TRACED + i), 0xe8, 77);
		for (unsigned i = 0; i < EACH_RETURN; i++)
			put_jump(site(p, RETURN + i), 0xe9, 99);
	}
	put64(STRADDLES, ADDRESS + 0x7fffff);
}

static size_t
put_u32(size_t at, uint64_t v)
{
	uint32_t low = (uint32_t)v;

	memcpy(elf + at, &low, sizeof(low));
	return at + sizeof(low);
}

static size_t
put_group(size_t at, unsigned first, unsigned n)
{
	at = put_u32(at, 0);
	for (size_t p = 0; p < NPAGES; p++)
		for (unsigned i = 0; i < n; i++)
			at = put_u32(at, ADDRESS + site(p, first + i));
	return at;
}

/* Sections and, behind the ELF file, relocations; ngroups as of old kernels or
 * of new ones.
 */
static void
make_running_elf(unsigned ngroups)
{
	static const char names[] = "\0.return_sites\0.shstrtab";
	Elf64_Shdr sections[3] = { { 0 } };
	size_t at = ELF_BYTES, where = at;
	Elf64_Ehdr h;

	make_elf();
	put_sites();
	for (size_t p = 0; p < NPAGES; p++)
		for (unsigned i = 0; i < EACH_RETURN; i++, at += 4)
			put_u32(at, FIRST + site(p, RETURN + i) -
					    (0x5000000 + at - where));
	sections[1] = (Elf64_Shdr){ .sh_name = 1,
				    .sh_addr = 0xffffffff85000000,
				    .sh_offset = where,
				    .sh_size = at - where };
	sections[2] = (Elf64_Shdr){ .sh_name = 15,
				    .sh_offset = at,
				    .sh_size = sizeof(names) };
	memcpy(elf + at, names, sizeof(names));
	at = (at + sizeof(names) + 7) & ~(size_t)7;
	memcpy(&h, elf, sizeof(h));
	h.e_shoff = at;
	h.e_shentsize = sizeof(Elf64_Shdr);
	h.e_shnum = 3;
	h.e_shstrndx = 2;
	memcpy(elf, &h, sizeof(h));
	memcpy(elf + at, sections, sizeof(sections));
	at = put_group(at + sizeof(sections), ADD64, EACH_ADD64);
	at = put_u32(at, ADDRESS + STRADDLES);
	if (ngroups == 3)
		at = put_group(at, SUB32, EACH_SUB32);
	at = put_group(at, ADD32, EACH_ADD32);
	assert_true(at <= sizeof(elf));
	elf_len = at;
}

static void
add(uint8_t *at, size_t n, uint64_t by)
{
	uint64_t v = 0;

	memcpy(&v, at, n);
	v += by;
	memcpy(at, &v, n);
}

/* The kernel's pages as they stand in the memory of a guest that runs it. */
static void
run_kernel(uint8_t *pages, uint64_t slide, unsigned ngroups, bool returns)
{
	memcpy(pages, kernel, NPAGES * PAGE_BYTES);
	for (size_t p = 0; p < NPAGES; p++) {
		for (unsigned i = 0; i < EACH_ADD64; i++)
			add(pages + site(p, ADD64 + i), 8, slide);
		for (unsigned i = 0; i < EACH_ADD32; i++)
			add(pages + site(p, ADD32 + i), 4, slide);
		for (unsigned i = 0; i < EACH_SUB32 && ngroups == 3; i++)
			add(pages + site(p, SUB32 + i), 4, -slide);
		for (unsigned i = 0; i < EACH_TRACED; i++)
			memcpy(pages + site(p, TRACED + i),
			       "\x0f\x1f\x44\x00\x00", 5);
		for (unsigned i = 0; i < EACH_RETURN && returns; i++)
			memcpy(pages + site(p, RETURN + i),
			       "\xc3\xcc\xcc\xcc\xcc", 5);
	}
	add(pages + STRADDLES, 8, slide);
}

static void
a_kernel_is_made_as_it_runs(void **state)
{
	static const uint64_t slides[] = { 0, 2u << 20, 0x38200000,
					   (1u << 30) - (2u << 20) };
	uint8_t *pages = malloc(NPAGES * PAGE_BYTES), page[PAGE_BYTES];
	struct memory m;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_LEN(slides); i++) {
		unsigned ngroups = i & 1 ? 3 : 2, way;
		bool returns = i & 2;

		make_running_elf(ngroups);
		assert_ok(vmlinux_make(&m, bzimage, make_file(pack_zstd), &e),
			  &e);
		assert_true(m.npages > NPAGES);
		assert_int_equal(vmlinux_run_pages(&m), NPAGES);
		run_kernel(pages, slides[i / 4], ngroups, returns);
		way = vmlinux_run_way(&m, 7, pages + 7 * PAGE_BYTES);
		assert_int_equal(way, 1 + slides[i / 4] / VMLINUX_SLIDE * 2 +
					      returns);
		for (uint64_t n = 0; n < NPAGES; n++) {
			assert_true(vmlinux_run_has(&m, way * m.npages + n));
			vmlinux_run_make(&m, way * m.npages + n, page);
			assert_memory_equal(page, pages + n * PAGE_BYTES,
					    PAGE_BYTES);
		}
		/* Another page does not tell, the table is no page. */
		assert_int_equal(vmlinux_run_way(&m, 7, kernel - PAGE_BYTES),
				 0);
		assert_false(vmlinux_run_has(&m, way * m.npages + NPAGES));
		assert_false(vmlinux_run_has(&m, VMLINUX_WAYS * m.npages));
		memory_close(&m);
	}
	free(pages);
}

/* A base of which only some regions are shared has no other ways. */
static void
only_a_whole_kernel_runs(void **state)
{
	uint8_t regions[] = { 0xff }, scratch[PAGE_BYTES];
	struct memory m;
	struct base b;
	struct err e;

	(void)state;
	make_running_elf(3);
	assert_ok(vmlinux_make(&m, bzimage, make_file(pack_zstd), &e), &e);
	b = (struct base){ .kind = BASE_KERNEL,
			   .npages = m.npages,
			   .memory = &m };
	assert_true(base_shares(&b, 3 * m.npages + 5));
	assert_non_null(base_page(&b, 3 * m.npages + 5, scratch, &e));
	assert_false(base_shares(&b, UINT64_MAX));
	b.regions = regions;
	assert_true(base_shares(&b, 5));
	assert_false(base_shares(&b, 3 * m.npages + 5));
	b.regions = NULL;
	b.kind = BASE_MEMORY;
	assert_false(base_shares(&b, 3 * m.npages + 5));
	memory_close(&m);
}

/* Where the file says nothing of sense, the kernel is good as it is. */
static void
a_table_without_sense_is_left_out(void **state)
{
	uint64_t seed = 5;
	struct memory m;
	struct err e;
	Elf64_Ehdr h;

	(void)state;
	make_running_elf(3);
	elf_len = put_u32(elf_len, 0); /* a fourth group */
	assert_ok(vmlinux_make(&m, bzimage, make_file(pack_zstd), &e), &e);
	assert_int_equal(m.npages, NPAGES);
	assert_memory_equal(memory_page(&m, 0), kernel, NPAGES * PAGE_BYTES);
	memory_close(&m);
	for (unsigned k = 0; k < 60; k++) {
		size_t at;

		make_running_elf(2 + k % 2);
		memcpy(&h, elf, sizeof(h));
		at = k % 4 ? h.e_shoff +
				     test_random(&seed) % (elf_len - h.e_shoff)
			   : test_random(&seed) % sizeof(h);
		elf[at] ^= (uint8_t)(1u << test_random(&seed) % 8);
		if (vmlinux_make(&m, bzimage, make_file(pack_lz4), &e) < 0)
			continue;
		for (uint64_t n = 0; n < m.npages; n++)
			if (vmlinux_run_has(&m, 9 * m.npages + n))
				vmlinux_run_make(&m, 9 * m.npages + n, bzimage);
		memory_close(&m);
	}
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
	assert_int_equal(pwrite(fd, bzimage, len, 3 * PAGE_BYTES), len);
	close(fd);
}

/* A guest that has it in memory, moved up by 6 MiB: as it was laid out, some
 * words of each page patched, or as it runs.
 */
static void
make_guest(struct memory *m, bool runs)
{
	size_t npages = (0x1000000 + (8u << 20)) / PAGE_BYTES + NPAGES;
	struct memory_region r = { 0, 0, npages * PAGE_BYTES };
	uint8_t *pages = calloc(npages, PAGE_BYTES);
	uint8_t *there = pages + 0x1000000 + (6u << 20);

	if (runs)
		run_kernel(there, 0x1200000, 3, true);
	else
		memcpy(there, kernel, NPAGES * PAGE_BYTES);
	for (size_t i = 0; i < NPAGES && !runs; i++)
		for (size_t w = 0; w < (i % 4) * 20; w++)
			there[i * PAGE_BYTES + w * 40] ^= 0xff;
	made_open(m, pages, npages * PAGE_BYTES, &r);
	free(pages);
}

static void
assert_planned(const struct memory *guest, const struct base *kernel_base,
	       bool live, unsigned nrefs)
{
	struct base bases[] = {
		{ .kind = BASE_HISTORY, .npages = guest->npages }, *kernel_base
	};
	struct planner_config c = { .memory = guest,
				    .bases = bases,
				    .nbases = 2 };
	struct planner_limits limits = { .keep = true, .block_bytes = 1 << 20 };
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
	assert_int_equal(pages[PLAN_REF], nrefs);
	assert_int_equal(pages[PLAN_DELTA], NPAGES - nrefs);
	assert_int_equal(pages[PLAN_DATA], 0);
	plan_writer_fini(&w);
	planner_free(p);
	if (live)
		shadow_close(&shadow);
	free(out);
	free(b);
}

/* Opens, as a base, the kernel of a disk made for that. */
static void
open_kernel(struct held *disk, struct held *k, char path[64])
{
	static const struct index_how how = { .threads = 1 };
	struct digest first;
	struct err e;

	make_disk(path);
	assert_ok(held_open_image(disk, path, NULL, &how, &e), &e);
	assert_ok(held_open_kernel(k, disk, 0, &e), &e);
	assert_string_equal(k->memory.format, "vmlinux");
	first = k->root;
	held_close(k);
	assert_ok(held_open_kernel(k, disk, 0, &e), &e);
	assert_string_equal(k->memory.format, "elf"); /* the kept one */
	assert_memory_equal(k->root.b, first.b, DIGEST_BYTES);
}

static void
close_kernel(struct held *disk, struct held *k, const char *path)
{
	struct err e;

	held_close(k);
	assert_err(held_open_kernel(k, disk, 1, &e), &e, ERR_USAGE);
	held_close(disk);
	unlink(path);
}

static void
a_running_kernel_is_sent_as_changed_words(void **state)
{
	struct held disk, k;
	struct memory guest;
	char path[64];

	(void)state;
	make_elf();
	open_kernel(&disk, &k, path);
	make_guest(&guest, false);
	assert_planned(&guest, &k.base, false, NPAGES / 4);
	/* Live, where the memory comes to be known page by page. */
	assert_planned(&guest, &k.base, true, NPAGES / 4);
	memory_close(&guest);
	close_kernel(&disk, &k, path);
}

static void
a_kernel_that_tells_how_it_runs_is_not_sent(void **state)
{
	struct held disk, k;
	struct memory guest;
	char path[64];

	(void)state;
	make_running_elf(3);
	open_kernel(&disk, &k, path);
	make_guest(&guest, true);
	assert_planned(&guest, &k.base, true, NPAGES);
	memory_close(&guest);
	close_kernel(&disk, &k, path);
}

/* Where indexes and kernels are kept. */
static int
make_folder(void **state)
{
	static char dir[] = "/tmp/test-vmlinux-dir-XXXXXX";

	*state = mkdtemp(dir);
	return *state ? setenv("VIRT_MIG_INDEX_DIR", dir, 1) : -1;
}

static int
remove_folder(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_packings_unpack),
		cmocka_unit_test(damage_is_an_error),
		cmocka_unit_test(a_kernel_is_made_as_it_runs),
		cmocka_unit_test(only_a_whole_kernel_runs),
		cmocka_unit_test(a_table_without_sense_is_left_out),
		cmocka_unit_test(a_running_kernel_is_sent_as_changed_words),
		cmocka_unit_test(a_kernel_that_tells_how_it_runs_is_not_sent),
	};

	return cmocka_run_group_tests_name("vmlinux", tests, make_folder,
					   remove_folder);
}
