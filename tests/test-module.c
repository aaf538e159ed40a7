/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/make-module.h"
#include "tests/test.h"

#include "dedup/held.h"
#include "dedup/module.h"
#include "dedup/modules.h"

static struct made_module made;
static char dir[] = "/tmp/virt-mig-module-XXXXXX", disk[64];
static struct err e;

static uint64_t
word(const struct module *m, size_t at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, m->bytes + at, n);
	return v;
}

static void
a_module_is_laid_out_as_the_kernel_does(void **state)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0, 0 };
	static const uint8_t ret[] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };
	const uint8_t *text = made.file + sizeof(Elf64_Ehdr);
	struct module m;

	(void)state;
	module_make(&made);
	assert_int_equal(module_file_bytes(made.file, 64), made.len - 11);
	assert_ok(module_lay_out(&m, made.file, made.len, &e), &e);
	assert_int_equal(m.npages, MODULE_PAGES);
	assert_memory_equal(m.bytes, text, 0x10);
	assert_memory_equal(m.bytes + 0x10, nop, 5);
	assert_memory_equal(m.bytes + 0x20, ret, 5);
	assert_int_equal(word(&m, 0x30, 4),
			 (uint32_t)(MODULE_BASE + MODULE_RODATA + 8));
	assert_int_equal(word(&m, 0x40, 4), MODULE_DATA + 4 - 0x40);
	assert_memory_equal(m.bytes + 0x50, text + 0x50, 16); /* not its own */
	assert_int_equal(word(&m, 0x60, 4), 0xfc - 0x60);
	assert_int_equal(word(&m, 0x70, 4), 0x1235);
	assert_int_equal(word(&m, MODULE_RODATA, 8), MODULE_BASE + 0x10);
	assert_int_equal(word(&m, MODULE_RODATA + 16, 8),
			 MODULE_DATA - MODULE_RODATA - 16);
	assert_int_equal(word(&m, MODULE_RODATA + 4990, 8),
			 MODULE_BASE + MODULE_DATA);
	assert_memory_equal(m.bytes + MODULE_JUMPS,
			    made.file + made.sections[15].sh_offset, 16);
	assert_memory_equal(m.bytes + MODULE_DATA,
			    made.file + made.sections[3].sh_offset, 5000);
	free(m.bytes);
}

static void
the_table_for_stack_traces_is_sorted(void **state)
{
	/* What is needed once only comes last, whatever the file says. */
	static const uint32_t ips[] = { 0x100, 0x100, 0x300,
					(MODULE_PAGES + 1) * PAGE_BYTES };
	struct module m;

	(void)state;
	module_make(&made);
	assert_ok(module_lay_out(&m, made.file, made.len, &e), &e);
	assert_memory_equal(m.bytes + MODULE_ORC, "bbbbbbddddddaaaaaacccccc",
			    24);
	for (unsigned i = 0; i < 4; i++) {
		size_t at = MODULE_ORC_IP + 4 * (size_t)i;

		assert_int_equal((uint32_t)(word(&m, at, 4) + at), ips[i]);
	}
	free(m.bytes);
}

/* The same for any bytes of the tables that are wrong, and for any end. */
static void
nonsense_is_passed_over(void **state)
{
	static const uint8_t wrong[] = { 0, 1, 0x7f, 0xff };
	struct module m;

	(void)state;
	module_make(&made);
	for (size_t i = made.len - 11 - made.n * sizeof(Elf64_Shdr), n = 0;
	     n < made.n * sizeof(Elf64_Shdr) + sizeof(Elf64_Ehdr); n++, i++) {
		size_t at = n < made.n * sizeof(Elf64_Shdr)
				    ? i
				    : n - made.n * sizeof(Elf64_Shdr);
		uint8_t was = made.file[at];

		for (unsigned k = 0; k < ARRAY_LEN(wrong); k++) {
			made.file[at] = wrong[k];
			assert_ok(module_lay_out(&m, made.file, made.len, &e),
				  &e);
			assert_true(m.npages <= MODULE_PAGES_MAX);
			free(m.bytes);
		}
		made.file[at] = was;
	}
	for (size_t len = 0; len + 11 < made.len; len += 97) {
		assert_ok(module_lay_out(&m, made.file, len, &e), &e);
		assert_int_equal(m.npages, 0);
		free(m.bytes);
	}
}

/* Modules of an image of 4 MiB with the mark of ext4: packed in each way, in
 * block 256, 512 and 768, and as it is in block 128.
 */
static void
make_disk(void)
{
	auto_fd int fd = open(disk, O_RDWR | O_CREAT | O_TRUNC, 0600);
	static uint8_t packed[2 * MODULE_ROOM];
	z_stream z = { .next_in = made.file,
		       .avail_in = (uInt)made.len,
		       .next_out = packed,
		       .avail_out = sizeof(packed) };
	size_t n = 0;

	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_int_equal(pwrite(fd, "\x53\xef", 2, 1080), 2);
	assert_int_equal(pwrite(fd, made.file, made.len, 128 << 12), made.len);
	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL,
						 made.file, made.len, packed,
						 &n, sizeof(packed)),
			 LZMA_OK);
	assert_int_equal(pwrite(fd, packed, n, 256 << 12), n);
	n = ZSTD_compress(packed, sizeof(packed), made.file, made.len, 3);
	assert_int_equal(pwrite(fd, packed, n, 512 << 12), n);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(pwrite(fd, packed, z.total_out, 768 << 12),
			 z.total_out);
	deflateEnd(&z);
}

static void
open_disk(struct held *image, struct held *programs)
{
	static const struct index_how how = { .threads = 1 };

	assert_ok(held_open_image(image, disk, "raw", &how, &e), &e);
	assert_ok(held_open_programs(programs, image, &how, &e), &e);
}

static void
the_modules_of_a_disk_are_made_when_asked_for(void **state)
{
	struct held image, programs;
	uint8_t page[PAGE_BYTES];
	struct module m;
	const struct base *b = &programs.base;

	(void)state;
	module_make(&made);
	make_disk();
	assert_ok(module_lay_out(&m, made.file, made.len, &e), &e);
	open_disk(&image, &programs);
	assert_int_equal(b->npages, 1); /* the list */
	assert_non_null(b->modules);
	assert_int_equal(modules_npages(b->modules), 4 * MODULE_PAGES);
	for (uint32_t n = 0; n < 4 * MODULE_PAGES; n++) {
		const uint8_t *want = m.bytes + n % MODULE_PAGES * PAGE_BYTES;

		assert_true(base_shares(b, b->npages + n));
		assert_non_null(base_page(b, b->npages + n, page, &e));
		assert_memory_equal(page, want, PAGE_BYTES);
		for (unsigned k = 0; k < MODULES_LINES; k++)
			assert_int_equal(modules_line_of(b->modules, n, k),
					 modules_line(want, k));
	}
	assert_false(base_shares(b, b->npages + 4 * MODULE_PAGES));
	assert_false(base_shares(b, UINT64_MAX));
	programs.base.regions = (const uint8_t *)"\xff"; /* not all of it */
	assert_false(base_shares(b, b->npages));
	held_close(&programs);
	held_close(&image);
	free(m.bytes);
}

/* Whoever writes to an image while it is a base. */
static void
an_image_that_changed_has_no_such_module(void **state)
{
	struct held image, programs;
	uint8_t page[PAGE_BYTES];
	auto_fd int fd = -1;

	(void)state;
	module_make(&made);
	make_disk();
	open_disk(&image, &programs);
	fd = open(disk, O_RDWR);
	assert_int_equal(pwrite(fd, "no", 2, 128 << 12), 2);
	assert_int_equal(pwrite(fd, "no", 2, (256 << 12) + 100), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_null(base_page(&programs.base, 1 + i * MODULE_PAGES,
				      page, &e));
		assert_int_equal(e.code, ERR_CORRUPT);
	}
	assert_non_null(
		base_page(&programs.base, 1 + 2 * MODULE_PAGES, page, &e));
	held_close(&programs);
	held_close(&image);
}

/* The list may come from anywhere: numbers in it that cannot be are no list. */
static void
a_list_that_lies_is_none(void **state)
{
	static const uint32_t numbers[] = { 0,    1,     3,     5,
					    1000, 65536, 65537, UINT32_MAX };
	struct held image, programs;
	static uint8_t file[2 * PAGE_BYTES], *list = file + PAGE_BYTES;
	struct memory m;
	struct memory_run run;

	(void)state;
	module_make(&made);
	make_disk();
	open_disk(&image, &programs);
	memcpy(list, memory_page(&programs.memory, 0), PAGE_BYTES);
	m = programs.memory;
	run = m.by_gpa[0];
	m.by_gpa = &run;
	m.map.data = file; /* where the header page is */
	for (unsigned at = 16; at < 24; at += 4)
		for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
			memcpy(list + PAGE_BYTES - 32 + at, &numbers[i], 4);
			assert_null(modules_new(&m, image.image));
			memcpy(list, memory_page(&programs.memory, 0),
			       PAGE_BYTES);
		}
	memcpy(list + 8, &numbers[7], 4); /* pages of the first */
	assert_null(modules_new(&m, image.image));
	held_close(&programs);
	held_close(&image);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(disk, sizeof(disk), "%s/disk.img", dir);
	return setenv("VIRT_MIG_INDEX_DIR", dir, 1);
}

static int
teardown(void **state)
{
	char command[80];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_is_laid_out_as_the_kernel_does),
		cmocka_unit_test(the_table_for_stack_traces_is_sorted),
		cmocka_unit_test(nonsense_is_passed_over),
		cmocka_unit_test(the_modules_of_a_disk_are_made_when_asked_for),
		cmocka_unit_test(an_image_that_changed_has_no_such_module),
		cmocka_unit_test(a_list_that_lies_is_none),
	};

	return cmocka_run_group_tests_name("module", tests, setup, teardown);
}
