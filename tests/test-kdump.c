/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <zstd.h>

#include "tests/make-kdump.h"
#include "tests/memory-file.h"

static uint8_t dump[MAKE_KDUMP_MAX], flat[MAKE_KDUMP_MAX + 8192];
static size_t len, flat_len;

static void
make(uint32_t page_bytes)
{
	len = make_kdump(dump, page_bytes);
	flat_len = make_flat(flat, dump, len);
}

static void
put_file(const uint8_t *bytes, size_t n)
{
	empty_file(0);
	write_at(0, bytes, n);
}

static void
assert_pages(void)
{
	static const uint8_t gpas[] = { 1, 2, 5 };

	assert_string_equal(m.format, "kdump");
	assert_int_equal(m.npages, 3);
	assert_segment(0, 0, 2 * 4096, 0x1000);
	assert_segment(1, 2 * 4096, 4096, 0x5000);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t n;

		assert_true(memory_page_at(&m, gpas[i] << 12, &n));
		assert_int_equal(n, i);
		for (unsigned k = 0; k < PAGE_BYTES; k++)
			assert_int_equal(memory_page(&m, n)[k], gpas[i]);
	}
	assert_no_page_at(0);
	assert_no_page_at(0x3000);
}

static void
the_pages_of_a_dump_are_where_they_were(void **state)
{
	(void)state;
	make(4096);
	put_file(dump, len);
	open_file(NULL, 0);
	assert_pages();
	memory_close(&m);
	put_file(flat, flat_len);
	open_file(NULL, 0);
	assert_pages();
	memory_close(&m);
}

static void
sent_as_a_file_it_is_what_it_is(void **state)
{
	(void)state;
	make(4096);
	put_file(flat, flat_len);
	assert_ok(memory_open_file(&m, path, NULL, 0, &e), &e);
	assert_string_equal(m.format, "raw");
	assert_int_equal(m.map.len, flat_len);
	memory_close(&m);
}

static void
dumps_that_are_damaged_are_refused(void **state)
{
	(void)state;
	make(4096);
	for (size_t n = 16; n < flat_len; n += 1 + n / 20) {
		put_file(flat, n);
		open_fails(NULL, 0, ERR_CORRUPT, "flattened kdump file");
	}
	for (size_t n = 16; n < len; n += 1 + n / 20) {
		put_file(dump, n);
		open_fails(NULL, 0, ERR_CORRUPT, "a kdump file");
	}
	dump[5 * 4096 + 3] ^= 0xff; /* in the compressed page */
	put_file(dump, len);
	open_fails(NULL, 0, ERR_CORRUPT, "cannot be unpacked");
	flat[31] = 2;
	put_file(flat, flat_len);
	open_fails(NULL, 0, ERR_USAGE, "version 2; not supported");
	flat[31] = 1;
	flat[4096] = 0x80; /* offset of the first piece */
	put_file(flat, flat_len);
	open_fails(NULL, 0, ERR_CORRUPT, "a piece of 0x1000 bytes");
}

static void
what_is_not_read_is_said(void **state)
{
	(void)state;
	make(4096);
	dump[2 * 4096] |= 1;
	put_file(dump, len);
	open_file(NULL, 0);
	assert_string_equal(m.format, "kdump, some pages left out");
	memory_close(&m);
	make_kdump_u32(dump + 4096 + 12, 1);
	put_file(dump, len);
	open_fails(NULL, 0, ERR_USAGE, "split; not supported");
	make(8192);
	put_file(dump, len);
	open_fails(NULL, 0, ERR_USAGE, "pages of 4 KiB; not supported");
	make(4096);
	make_kdump_u32(dump + 8, 5);
	put_file(dump, len);
	open_fails(NULL, 0, ERR_USAGE, "version 5; not supported");
	make(4096);
	make_kdump_u64(dump + 4096 + 96, 8ull * 4096 + 8);
	put_file(dump, len);
	open_fails(NULL, 0, ERR_CORRUPT, "with a map for fewer");
	flat_len = make_flat(flat, (const uint8_t *)dump + 8, len - 8);
	put_file(flat, flat_len);
	open_fails(NULL, 0, ERR_USAGE, "not a kdump; not supported");
}

/* A page by each of the compressions that makedumpfile knows. */
static void
every_compression_is_known(void **state)
{
	static uint8_t out[8192], work[LZO1X_1_MEM_COMPRESS];
	uint8_t page[4096];

	(void)state;
	memset(page, 9, sizeof(page));
	for (unsigned how = 1; how <= 0x40; how *= 2) {
		uint8_t *about = dump + 4ul * 4096;
		size_t n = sizeof(out);
		lzo_uint lzo = 0;

		make(4096);
		if (how == 0x02) {
			assert_int_equal(
				lzo1x_1_compress(page, 4096, out, &lzo, work),
				LZO_E_OK);
			n = lzo;
		} else if (how == 0x04) {
			assert_int_equal(snappy_compress((char *)page, 4096,
							 (char *)out, &n),
					 SNAPPY_OK);
		} else if (how == 0x20) {
			n = ZSTD_compress(out, sizeof(out), page, 4096, 1);
		} else if (how != 0x01) {
			make_kdump_u32(about + 12, how);
			put_file(dump, len);
			open_fails(NULL, 0, ERR_CORRUPT, "cannot be unpacked");
			continue;
		}
		if (how != 0x01) {
			memcpy(dump + len, out, n);
			make_kdump_u64(about, len);
			make_kdump_u32(about + 8, (uint32_t)n);
			make_kdump_u32(about + 12, how);
			len += n;
		}
		put_file(dump, len);
		open_file(NULL, 0);
		assert_int_equal(memory_page(&m, 0)[4095], how == 0x01 ? 1 : 9);
		memory_close(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pages_of_a_dump_are_where_they_were),
		cmocka_unit_test(sent_as_a_file_it_is_what_it_is),
		cmocka_unit_test(dumps_that_are_damaged_are_refused),
		cmocka_unit_test(what_is_not_read_is_said),
		cmocka_unit_test(every_compression_is_known),
	};

	return cmocka_run_group_tests_name("kdump", tests, setup, teardown);
}
