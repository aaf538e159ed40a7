/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/make-dump.h"
#include "tests/memory-file.h"

static void
put_piece(uint64_t at, uint64_t first, uint64_t len)
{
	uint8_t head[32];

	make_lime(head, first, first + len - 1);
	write_at(at, head, sizeof(head));
}

static void
a_dump_has_its_pages_where_the_heads_say(void **state)
{
	(void)state;
	counting_file(0x20 + 0x1800 + 0x20 + 0x2000 + 0x20 + 0x1000);
	put_piece(0, 0x1000, 0x1800); /* not whole pages */
	put_piece(0x1820, 0x100000, 0x2000);
	put_piece(0x3840, 1ull << 32, 0x1000);
	open_file(NULL, 0);
	assert_string_equal(m.format, "lime");
	assert_int_equal(m.npages, 4);
	assert_page_at(0x1000, 0, 0x20);
	assert_no_page_at(0x2000);
	assert_page_at(0x101000, 2, 0x2840);
	assert_page_at(1ull << 32, 3, 0x3860);
	memory_close(&m);
}

static void
dumps_that_lie_are_refused(void **state)
{
	uint8_t head[32];

	(void)state;
	counting_file(0x2040);
	put_piece(0, 0, 0x1000);
	put_piece(0x1020, 0x1000, 0x1000);
	open_file(NULL, 0);
	memory_close(&m);
	write_at(0x1020, "EMiM", 4);
	open_fails(NULL, 0, ERR_CORRUPT, "at offset 0x1020: not the head");
	put_piece(0x1020, 0x1000, 0x1001);
	open_fails(NULL, 0, ERR_CORRUPT, "is not all there");
	make_lime(head, 0x2000, 0x1000);
	write_at(0x1020, head, sizeof(head));
	open_fails(NULL, 0, ERR_CORRUPT, "is not all there");
	make_lime(head, 0, UINT64_MAX);
	write_at(0x1020, head, sizeof(head));
	open_fails(NULL, 0, ERR_CORRUPT, "is not all there");
	for (uint64_t size = 4; size < 0x2040; size += 1 + size / 20) {
		if (size == 0x1020)
			continue;
		counting_file(0x2040);
		put_piece(0, 0, 0x1000);
		put_piece(0x1020, 0x1000, 0x1000);
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		open_fails(NULL, 0, ERR_CORRUPT, "a LiME dump, at offset 0x");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_has_its_pages_where_the_heads_say),
		cmocka_unit_test(dumps_that_lie_are_refused),
	};

	return cmocka_run_group_tests_name("lime", tests, setup, teardown);
}
