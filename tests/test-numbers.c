/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/page.h"
#include "stream/numbers.h"
#include "tests/test.h"

static struct stream_blocks blocks;
static struct stream_numbers numbers;
static struct err e;

static int
setup(void **state)
{
	(void)state;
	stream_blocks_init(&blocks);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stream_numbers_fini(&numbers);
	stream_blocks_fini(&blocks);
	return 0;
}

static void
block(const char *name, uint64_t used)
{
	assert_ok(stream_blocks_add(&blocks, name, (uint8_t)strlen(name), used,
				    &e),
		  &e);
}

static void
assert_page(uint32_t at, uint64_t offset, uint64_t number)
{
	uint64_t page, back;
	uint32_t found;

	assert_true(stream_number_of(&numbers, at, offset, &page));
	assert_int_equal(page, number);
	assert_true(stream_number_find(&numbers, number, &found, &back));
	assert_int_equal(found, at);
	assert_int_equal(back, offset & ~(uint64_t)(PAGE_BYTES - 1));
}

static void
pages_are_numbered_block_after_block(void **state)
{
	uint64_t page, offset;
	uint32_t at;

	(void)state;
	block("pc.ram", 10 * PAGE_BYTES);
	block("vga.vram", 3 * PAGE_BYTES);
	block("bios", PAGE_BYTES);
	assert_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	assert_int_equal(numbers.npages, 14);
	assert_page(0, 0, 0);
	assert_page(0, 9 * PAGE_BYTES, 9);
	assert_page(1, 0, 10);
	assert_page(1, 2 * PAGE_BYTES + 5, 12);
	assert_page(2, 0, 13);
	/* Beyond a block, and beyond all of them. */
	assert_false(stream_number_of(&numbers, 0, 10 * PAGE_BYTES, &page));
	assert_false(stream_number_of(&numbers, 2, UINT64_MAX, &page));
	assert_false(stream_number_of(&numbers, 3, 0, &page));
	assert_false(stream_number_find(&numbers, 14, &at, &offset));
	assert_false(stream_number_find(&numbers, UINT64_MAX, &at, &offset));
}

static void
a_block_ends_with_a_whole_page(void **state)
{
	(void)state;
	block("a", 1);
	block("b", PAGE_BYTES + 1);
	assert_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	assert_int_equal(numbers.npages, 3);
	assert_page(0, 0, 0);
	assert_page(1, PAGE_BYTES, 2);
}

/* Blocks without memory have no page, wherever they stand. */
static void
an_empty_block_has_no_page(void **state)
{
	uint64_t page;

	(void)state;
	block("none", 0);
	block("a", 2 * PAGE_BYTES);
	block("no", 0);
	block("nor", 0);
	block("b", PAGE_BYTES);
	block("last", 0);
	assert_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	assert_int_equal(numbers.npages, 3);
	assert_false(stream_number_of(&numbers, 0, 0, &page));
	assert_false(stream_number_of(&numbers, 2, 0, &page));
	assert_false(stream_number_of(&numbers, 5, 0, &page));
	assert_page(1, 0, 0);
	assert_page(1, PAGE_BYTES, 1);
	assert_page(4, 0, 2);
}

static void
there_may_be_nothing(void **state)
{
	uint64_t page, offset;
	uint32_t at;

	(void)state;
	assert_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	assert_int_equal(numbers.npages, 0);
	assert_false(stream_number_of(&numbers, 0, 0, &page));
	assert_false(stream_number_find(&numbers, 0, &at, &offset));
}

static void
more_than_can_be_numbered_is_refused(void **state)
{
	(void)state;
	block("a", (uint64_t)(UINT32_MAX - 1) * PAGE_BYTES);
	assert_ok(stream_numbers_init(&numbers, &blocks, &e), &e);
	assert_page(0, (uint64_t)(UINT32_MAX - 2) * PAGE_BYTES, UINT32_MAX - 2);
	stream_numbers_fini(&numbers);
	block("b", PAGE_BYTES);
	assert_err(stream_numbers_init(&numbers, &blocks, &e), &e, ERR_LIMIT);
	block("c", UINT64_MAX);
	assert_err(stream_numbers_init(&numbers, &blocks, &e), &e, ERR_LIMIT);
	assert_int_equal(numbers.npages, 0);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(pages_are_numbered_block_after_block),
		sentence(a_block_ends_with_a_whole_page),
		sentence(an_empty_block_has_no_page),
		sentence(there_may_be_nothing),
		sentence(more_than_can_be_numbered_is_refused),
	};

	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
