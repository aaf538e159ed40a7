/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/made-pe.h"
#include "tests/test.h"

#include "common/mem.h"
#include "common/page.h"
#include "dedup/held.h"
#include "dedup/pe.h"
#include "dedup/programs.h"

#define BASE_USER   UINT64_C(0x7ff800000000)
#define BASE_KERNEL UINT64_C(0xfffff80000000000)

static const uint8_t zeros[PAGE_BYTES];
static char dir[] = "/tmp/virt-mig-pe-XXXXXX", disk[64];
static struct err e;

/* The pages that pe_pages() gives. */
static uint8_t *got;
static size_t ngot;

static int
on_page(void *arg, const uint8_t page[4096], struct err *err)
{
	(void)arg;
	(void)err;
	got = reallocarray(got, ngot + 1, PAGE_BYTES);
	assert_non_null(got);
	memcpy(got + ngot++ * PAGE_BYTES, page, PAGE_BYTES);
	return 0;
}

static void
get_pages(const struct pe *pe)
{
	ngot = 0;
	assert_ok(pe_pages(pe->file, pe->len, on_page, NULL, &e), &e);
}

static bool
is_block(const struct pe *pe, const uint8_t *page)
{
	for (size_t at = 0; at + PAGE_BYTES <= pe->len; at += PAGE_BYTES)
		if (memcmp(pe->file + at, page, PAGE_BYTES) == 0)
			return true;
	return false;
}

/* Each page of the image at that base that no block of the file equals is
 * given, in order; some that one does equal may be, too.
 */
static void
check_pages(const struct pe *pe, uint64_t base)
{
	auto_free uint8_t *image = pe_load(pe, base);
	size_t k = 0, missing = 0, needed = 0;

	get_pages(pe);
	for (uint32_t at = 0; at < pe->image_len; at += PAGE_BYTES) {
		if (k < ngot &&
		    memcmp(got + k * PAGE_BYTES, image + at, PAGE_BYTES) == 0) {
			k++;
			needed++;
		} else if (memcmp(image + at, zeros, PAGE_BYTES) != 0 &&
			   !is_block(pe, image + at)) {
			missing++;
		}
	}
	assert_int_equal(missing, 0);
	assert_int_equal(k, ngot);
	assert_true(needed > 0);
}

static void
a_program_is_laid_out_as_in_memory(void **state)
{
	struct pe pe;

	(void)state;
	pe_make(&pe, 10, 4, false, 1);
	assert_int_equal(pe_file_bytes(pe.file) <= pe.len, true);
	assert_true(pe_file_bytes(pe.file) > 13 * PAGE_BYTES);
	check_pages(&pe, BASE_USER);
	assert_true(ngot >= 14); /* none of them is a block */
	pe.file[0x80 + 24 + 68] = 1;
	check_pages(&pe, BASE_KERNEL);
	pe_free(&pe);
}

static void
real_programs_are_laid_out_as_in_memory(void **state)
{
	struct pe pes[4];
	size_t n = pe_read_installed(pes, ARRAY_LEN(pes));

	(void)state;
	if (n == 0)
		skip();
	for (size_t i = 0; i < n; i++) {
		check_pages(&pes[i], BASE_USER);
		pe_free(&pes[i]);
	}
}

static void
pages_that_are_blocks_are_left_out(void **state)
{
	struct pe pe;
	uint8_t *h;

	(void)state;
	pe_make(&pe, 10, 4, false, 2);
	/* The code where it would be in a file of whole pages. */
	h = pe.file + 0x80 + 24 + 0xf0;
	memcpy(h + 20, &(uint32_t){ PAGE_BYTES }, 4);
	get_pages(&pe);
	assert_true(ngot >= 5 && ngot <= 8);
	pe_free(&pe);
}

static void
what_is_no_program_is_told(void **state)
{
	static const struct {
		size_t at;
		uint8_t bytes[4];
		size_t n;
	} cases[] = {
		{ 0, { 'Z', 'M' }, 2 },
		{ 0x3c, { 0x84 }, 1 },               /* not at 8 bytes */
		{ 0x3c, { 0, 0x20, 0, 0 }, 4 },      /* beyond the block */
		{ 0x80, { 'N', 'E' }, 2 },           /* 16 bits */
		{ 0x84, { 0x4c, 1 }, 2 },            /* 32 bits */
		{ 0x86, { 0, 0 }, 2 },               /* no sections */
		{ 0x86, { 97, 0 }, 2 },              /* too many */
		{ 0x94, { 8, 0 }, 2 },               /* no room for its head */
		{ 0x94, { 0, 0x10 }, 2 },            /* sections elsewhere */
		{ 0x98 + 56, { 0, 0, 0, 0 }, 4 },    /* nothing in memory */
		{ 0x98 + 56, { 0, 0, 0, 0x10 }, 4 }, /* 256 MiB */
		{ 0x98 + 0xf0 + 20, { 0, 0, 0, 0x10 }, 4 }, /* of file */
	};
	struct pe pe;

	(void)state;
	assert_int_equal(pe_file_bytes(zeros), 0);
	pe_make(&pe, 3, 1, false, 3);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t head[PAGE_BYTES];

		memcpy(head, pe.file, sizeof(head));
		assert_true(pe_file_bytes(head) > 0);
		memcpy(head + cases[i].at, cases[i].bytes, cases[i].n);
		assert_int_equal(pe_file_bytes(head), 0);
	}
	pe_free(&pe);
}

static void
a_table_that_lies_moves_what_it_can(void **state)
{
	static const uint32_t words[] = { 0, 7, 8, 0xffff, UINT32_MAX };
	struct pe pe;
	size_t at;

	(void)state;
	pe_make(&pe, 3, 2, false, 4);
	at = pe.sections[2].offset;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (size_t k = 0; k < 16; k += 4) {
			uint32_t was;

			memcpy(&was, pe.file + at + k, 4);
			memcpy(pe.file + at + k, &words[i], 4);
			get_pages(&pe);
			assert_true(ngot > 0);
			memcpy(pe.file + at + k, &was, 4);
		}
	for (size_t len = 0; len < pe.len; len += 333) {
		ngot = 0;
		assert_ok(pe_pages(pe.file, len, on_page, NULL, &e), &e);
	}
	pe_free(&pe);
}

/* A disk with that program twice; ntfs: which says so. */
static void
make_disk(const struct pe *pe, bool ntfs)
{
	auto_fd int fd = open(disk, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	if (ntfs)
		assert_int_equal(pwrite(fd, "\353R\220NTFS    ", 11, 1 << 20),
				 11);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			pwrite(fd, pe->file, pe->len, (off_t)(i + 2) << 20),
			pe->len);
}

static int
kept(struct memory *m, const struct digest *root,
     const volatile sig_atomic_t *cancelled)
{
	struct index_how how = { .cancelled = cancelled };
	struct image *img = image_open(disk, &e);
	int ret;

	assert_non_null(img);
	ret = programs_kept(m, img, root, &how, &e);
	image_close(img);
	return ret;
}

static size_t
nfiles(glob_t *g)
{
	char pattern[80];

	snprintf(pattern, sizeof(pattern), "%s/*.programs", dir);
	return glob(pattern, 0, NULL, g) == 0 ? g->gl_pathc : 0;
}

static void
the_programs_of_a_disk_are_found_once_and_kept(void **state)
{
	static const volatile sig_atomic_t cancelled = 1;
	struct digest root = { { 1 } }, next = { { 2 } };
	struct memory m;
	struct pe pe;
	glob_t g;

	(void)state;
	pe_make(&pe, 10, 4, false, 5);
	get_pages(&pe);
	make_disk(&pe, false);
	assert_ok(kept(&m, &root, NULL), &e);
	assert_int_equal(m.npages, 0);
	memory_close(&m);
	make_disk(&pe, true);
	assert_err(kept(&m, &next, &cancelled), &e, ERR_CANCELLED);
	assert_ok(kept(&m, &root, NULL), &e);
	assert_int_equal(m.npages, 0); /* as long as the root is that */
	memory_close(&m);
	root = next;
	assert_ok(kept(&m, &root, NULL), &e);
	assert_int_equal(m.npages, ngot); /* not twice as many */
	for (size_t i = 0; i < ngot; i++)
		assert_memory_equal(memory_page(&m, i), got + i * PAGE_BYTES,
				    PAGE_BYTES);
	memory_close(&m);
	assert_int_equal(nfiles(&g), 1);
	/* Not looked for again, unless what was kept is no more. */
	assert_ok(kept(&m, &root, &cancelled), &e);
	assert_int_equal(m.npages, ngot);
	memory_close(&m);
	assert_int_equal(truncate(g.gl_pathv[0], 5000), 0);
	globfree(&g);
	assert_ok(kept(&m, &root, NULL), &e);
	assert_int_equal(m.npages, ngot);
	memory_close(&m);
	pe_free(&pe);
}

/* To a process that can open nothing. */
static void
lent_programs_are_the_same(const struct held *image, const struct held *kept)
{
	struct held_loan loan;
	struct held lent;

	assert_ok(held_lend(&loan, disk, "raw", &e), &e);
	assert_true(loan.programs >= 0);
	assert_ok(held_take_programs(&lent, image, dup(loan.programs), &e), &e);
	assert_memory_equal(&lent.root, &kept->root, sizeof(lent.root));
	assert_int_equal(lent.base.kind, BASE_PROGRAMS);
	assert_int_equal(lent.base.npages, kept->base.npages);
	held_close(&lent);
	assert_err(held_take_programs(&lent, image, dup(loan.index), &e), &e,
		   ERR_CORRUPT);
	held_loan_close(&loan);
}

static void
programs_are_a_base_of_their_own(void **state)
{
	struct index_how how = { .threads = 1 };
	struct held image, programs;
	struct pe pe;

	(void)state;
	pe_make(&pe, 10, 4, false, 6);
	make_disk(&pe, true);
	assert_ok(held_open_image(&image, disk, "raw", &how, &e), &e);
	assert_ok(held_open_programs(&programs, &image, &how, &e), &e);
	assert_int_equal(programs.base.kind, BASE_PROGRAMS);
	assert_int_equal(programs.base.npages, ngot);
	assert_int_equal(programs.nregions, 1);
	lent_programs_are_the_same(&image, &programs);
	held_close(&programs);
	held_close(&image);
	make_disk(&pe, false);
	assert_ok(held_open_image(&image, disk, "raw", &how, &e), &e);
	assert_err(held_open_programs(&programs, &image, &how, &e), &e,
		   ERR_USAGE);
	held_close(&image);
	pe_free(&pe);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(disk, sizeof(disk), "%s/disk", dir);
	return setenv("VIRT_MIG_INDEX_DIR", dir, 1);
}

static int
teardown(void **state)
{
	char pattern[80];
	glob_t g;

	(void)state;
	free(got);
	snprintf(pattern, sizeof(pattern), "%s/*", dir);
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_laid_out_as_in_memory),
		cmocka_unit_test(real_programs_are_laid_out_as_in_memory),
		cmocka_unit_test(pages_that_are_blocks_are_left_out),
		cmocka_unit_test(what_is_no_program_is_told),
		cmocka_unit_test(a_table_that_lies_moves_what_it_can),
		cmocka_unit_test(
			the_programs_of_a_disk_are_found_once_and_kept),
		cmocka_unit_test(programs_are_a_base_of_their_own),
	};

	return cmocka_run_group_tests_name("pe", tests, setup, teardown);
}
