/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/stream-test.h"

static void
precopy_is_cut_into_pages_and_the_rest(void **state)
{
	(void)state;
	make_precopy(&s);
	assert_clear();
	assert_items(3, 2, 0);
	assert_int_equal(p.role, STREAM_MAIN);
	assert_true(p.ram_ended);
	assert_false(p.postcopy || p.postcopy_advised || p.coded);
	assert_string_equal(p.section, "timer");
	assert_string_equal(p.machine, "pc-i440fx-7.2");
	assert_int_equal(blocks.n, 2);
	assert_string_equal(blocks.list[1].name, "vga.vram");
	assert_int_equal(blocks.list[0].used, MAKE_PAGES * 4096);
}

static void
the_end_is_found_to_the_byte(void **state)
{
	size_t end;

	(void)state;
	make_header(&s);
	make_ram(&s);
	make_devices(&s);
	end = s.len;
	make_u8(&s, 0);
	assert_clear();
	assert_int_equal(w.eof, end);
	assert_int_equal(w.bytes[STREAM_EOF], 1);
	make_description(&s);
	for (size_t len = s.len; s.len > end; s.len--) {
		assert_clear();
		assert_int_equal(w.eof, end);
		assert_int_equal(w.bytes[STREAM_EOF], s.len - end);
		(void)len;
	}
}

static void
what_only_looks_like_the_end_is_not(void **state)
{
	size_t end;

	(void)state;
	make_header(&s);
	make_ram(&s);
	make_section(&s, 0x04, 5, "timer", 2);
	for (unsigned i = 0; i < 12; i++) { /* the mark, one byte of it wrong */
		uint8_t mark[] = "\x7e\0\0\0\x05\0\x06\0\0\0\x09{\"";

		if (i >= 1 && i <= 4)
			continue;
		mark[i] ^= i >= 8 && i <= 10 ? 0 : 0x80;
		make_bytes(&s, mark, i >= 8 && i <= 10 ? i : 13);
		make_bytes(&s, "x", 1);
	}
	make_footer(&s, 5);
	end = s.len;
	make_u8(&s, 0);
	make_description(&s);
	assert_clear();
	assert_int_equal(w.eof, end);
}

static void
a_stream_that_stops_in_a_device_has_no_end(void **state)
{
	(void)state;
	make_header(&s);
	make_ram(&s);
	make_section(&s, 0x04, 5, "timer", 2);
	make_bytes(&s, "\x7e\0\0\0\x05", 5);
	parse();
	assert_int_equal(w.items[STREAM_EOF], 0);
	assert_null(p.opaque);
}

/* So many bytes, and then all others. */
static size_t
once(void *arg)
{
	size_t *n = arg, now = *n;

	*n = SIZE_MAX;
	return now;
}

static void
pause_at(size_t at)
{
	stream_blocks_fini(&blocks);
	stream_parser_init(&p, &blocks);
	w = walk_pauses(&p, s.data, s.len, once, &at);
}

static void
a_pause_inside_of_a_page_costs_that_page(void **state)
{
	size_t page, pages[3];

	(void)state;
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
	for (unsigned i = 0; i < 3; i++) {
		make_page(&s, i, i == 2 ? NULL : "pc.ram", (uint8_t)i);
		pages[i] = s.len - PAGE_BYTES;
	}
	make_eos(&s);
	make_part(&s, 0x03, MAKE_RAM_ID);
	make_eos(&s);
	assert_clear();
	assert_items(3, 0, 0);
	/* The third says that it is of the block of the second. */
	for (size_t at = pages[1]; at < pages[1] + PAGE_BYTES; at += 777) {
		pause_at(at);
		assert_null(p.opaque);
		assert_true(p.ram_ended);
		assert_items(2, 0, 0);
	}
	buf_reset(&s);
	make_multifd_init(&s);
	make_packet(&s, 0, "pc.ram", 128, 0, 2, 0);
	page = s.len - 2 * PAGE_BYTES;
	make_packet(&s, 1, "", 0, 0, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		pause_at(page + i * PAGE_BYTES + 5);
		assert_null(p.opaque);
		assert_items(0, 0, 1);
	}
}

/* Wherever else QEMU stops for a while, no more than the record that it stops
 * in is passed on without being understood.
 */
static void
a_pause_anywhere_costs_one_record(void **state)
{
	static void (*const make[])(struct buf * out) = { make_precopy,
							  make_postcopy,
							  make_bitmaps };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		uint64_t all, eof;

		buf_reset(&s);
		make[i](&s);
		parse();
		assert_null(p.opaque);
		all = w.items[STREAM_PAGE] + w.items[STREAM_ZERO];
		eof = w.eof;
		for (size_t at = 1; at < s.len; at++) {
			pause_at(at);
			assert_null(p.opaque);
			assert_true(p.ram_ended);
			/* What may be the end of it all is taken for that. */
			assert_true(w.eof <= eof);
			assert_true(w.items[STREAM_PAGE] +
					    w.items[STREAM_ZERO] + 1 >=
				    all);
		}
	}
}

/* And so it may go on: bytes that come one by one are understood. */
static size_t
one_by_one(void *arg)
{
	(void)arg;
	return 1;
}

static void
pauses_after_each_byte_lose_pages_and_nothing_else(void **state)
{
	uint64_t eof;

	(void)state;
	make_precopy(&s);
	parse();
	eof = w.eof;
	stream_blocks_fini(&blocks);
	stream_parser_init(&p, &blocks);
	w = walk_pauses(&p, s.data, s.len, one_by_one, NULL);
	assert_null(p.opaque);
	assert_true(p.ram_ended && w.eof <= eof);
	assert_items(0, 0, 0);
	buf_reset(&s);
	make_multifd_init(&s);
	make_packet(&s, 0, "pc.ram", 128, 0, 2, 0);
	make_packet(&s, 1, "", 0, 0, 0, 0);
	stream_blocks_fini(&blocks);
	stream_parser_init(&p, &blocks);
	w = walk_pauses(&p, s.data, s.len, one_by_one, NULL);
	assert_null(p.opaque);
	assert_int_equal(p.role, STREAM_MULTIFD);
}

static void
postcopy_is_parsed_to_its_end(void **state)
{
	(void)state;
	make_postcopy(&s);
	assert_clear();
	assert_items(1, 1, 0);
	assert_true(p.postcopy && p.postcopy_advised && p.ram_ended);
	assert_int_equal(w.eof, s.len - 1);
}

static void
dirty_bitmaps_do_not_hide_what_follows(void **state)
{
	(void)state;
	make_bitmaps(&s);
	assert_clear();
	assert_items(2, 0, 0);
	assert_false(p.postcopy_advised);
	assert_true(w.items[STREAM_EOF] > 0);
	buf_reset(&s);
	make_header(&s);
	make_section(&s, 0x01, 3, "dirty-bitmap", 1);
	make_u8(&s, 0x81);
	assert_opaque("unknown dirty bitmaps");
}

static void
coded_pages_do_not_hide_the_others(void **state)
{
	(void)state;
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
	make_head(&s, 0x40, 1, "pc.ram");
	make_u8(&s, 1);
	make_be16(&s, 5);
	make_bytes(&s, "delta", 5);
	make_page(&s, 2, NULL, 2);
	make_head(&s, 0x100, 3, NULL);
	make_be32(&s, 9);
	make_bytes(&s, "squeezed!", 9);
	make_head(&s, 0x40, 1, NULL);
	make_u8(&s, 1);
	make_be16(&s, 0);
	make_head(&s, 0x02, 4, NULL);
	make_u8(&s, 0xaa); /* not a zero page */
	make_be64(&s, 0x200);
	make_zero(&s, 5, NULL);
	make_eos(&s);
	assert_clear();
	assert_items(1, 1, 0);
	assert_true(p.coded);
}

static void
every_part_of_the_configuration_is_known(void **state)
{
	(void)state;
	make_header(&s);
	make_subsection(&s, "configuration/target-page-bits");
	make_be32(&s, 12);
	make_subsection(&s, "configuration/capabilities");
	make_be32(&s, 1);
	make_name(&s, "x-ignore-shared");
	make_subsection(&s, "configuration/uuid");
	make_bytes(&s, "0123456789abcdef", 16);
	make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(&s, 2 * 4096 | 0x04);
	make_name(&s, "pc.ram");
	make_be64(&s, 4096);
	make_be64(&s, 0);
	make_name(&s, "pc.rom");
	make_be64(&s, 4096);
	make_be64(&s, 0xc0000);
	make_zero(&s, 0, "pc.rom");
	make_eos(&s);
	assert_clear();
	assert_items(0, 1, 0);
	assert_int_equal(blocks.n, 2);
}

static void
page_sizes_of_blocks_are_told_from_what_follows(void **state)
{
	static const uint64_t sizes[] = { 4096, 4096 | 2 << 20, 2 << 20 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_reset(&s);
		make_header(&s);
		make_advise(&s, sizes[i]);
		make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
		make_be64(&s, ((4 << 20) + 4096) | 0x04);
		make_name(&s, "pc.ram");
		make_be64(&s, 2 << 20);
		if (sizes[i] != 4096)
			make_be64(&s, 2 << 20);
		make_name(&s, "pc.rom");
		make_be64(&s, 4096);
		make_name(&s, "mem1");
		make_be64(&s, 2 << 20);
		if (sizes[i] == 2 << 20)
			make_be64(&s, 2 << 20);
		make_eos(&s);
		make_part(&s, 0x02, MAKE_RAM_ID);
		make_page(&s, 511, "mem1", 1);
		make_eos(&s);
		assert_clear();
		assert_items(1, 0, 0);
		assert_int_equal(blocks.n, 3);
	}
}

static void
multifd_packets_are_cut_into_pages(void **state)
{
	size_t len;

	(void)state;
	make_multifd_init(&s);
	make_packet(&s, 0, "pc.ram", 128, 1, 3, 0);
	make_packet(&s, 0, "pc.ram", 128, 4, 1, 2);
	make_packet(&s, 1, "", 0, 0, 0, 0);
	make_packet(&s, 1, "", 128, 0, 0, 0);
	make_packet(&s, 0, "vga.vram", 128, 0, 2, 0);
	assert_clear();
	assert_items(0, 0, 6);
	assert_int_equal(p.role, STREAM_MULTIFD);
	len = s.len;
	make_packet(&s, 1 << 1, "pc.ram", 128, 1, 3, 0);
	assert_opaque("multifd-compression");
	assert_true(p.coded);
	assert_items(0, 0, 6);
	s.len = len;
	make_packet(&s, 0x40, "", 128, 0, 0, 0);
	assert_opaque("devices");
	assert_false(p.coded);
	s.len = len;
	make_packet(&s, 0, "", 64, 0, 0, 0);
	assert_opaque("unknown packet");
	s.len = len;
	make_packet(&s, 0, "", 0, 0, 2, 0);
	assert_opaque("unknown packet");
}

static void
multifd_pages_know_their_block_once_it_is_listed(void **state)
{
	struct stream_parser channel;
	struct stream_item it;
	size_t at, want;

	(void)state;
	make_header(&s);
	make_start(&s);
	assert_clear();
	buf_reset(&s);
	make_multifd_init(&s);
	make_packet(&s, 0, "vga.vram", 128, 0, 2, 0);
	make_packet(&s, 0, "other", 128, 0, 1, 0);
	stream_parser_init(&channel, &blocks);
	for (at = 0; at < s.len; at += it.len) {
		assert_int_equal(stream_next(&channel, s.data + at, s.len - at,
					     &it, &want),
				 1);
		if (it.kind != STREAM_BARE)
			continue;
		assert_int_equal(it.block, w.items[STREAM_BARE] == 0
						   ? 1
						   : STREAM_NO_BLOCK);
		w.items[STREAM_BARE]++; /* the second is beyond its block */
	}
	assert_int_equal(w.items[STREAM_BARE], 3);
}

/* Any damage to a stream leaves the bytes as they are: walk_stream() checks.
 */
static void
damage_changes_what_is_said_and_never_the_bytes(void **state)
{
	static void (*const makers[])(
		struct buf *) = { make_precopy, make_postcopy, make_bitmaps };
	uint64_t seed = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		buf_reset(&s);
		makers[i](&s);
		for (unsigned k = 0; k < 2000; k++) {
			size_t at = test_random(&seed) % s.len;
			uint8_t flip = (uint8_t)(1 << test_random(&seed) % 8);

			s.data[at] ^= flip;
			(void)parse_again(all_of_it, NULL);
			s.data[at] ^= flip;
		}
		for (size_t n = s.len, k = 0; k < n; k += 1 + k / 50) {
			s.len = k;
			(void)parse_again(all_of_it, NULL);
			s.len = n;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(precopy_is_cut_into_pages_and_the_rest),
		sentence(the_end_is_found_to_the_byte),
		sentence(what_only_looks_like_the_end_is_not),
		sentence(a_stream_that_stops_in_a_device_has_no_end),
		sentence(a_pause_inside_of_a_page_costs_that_page),
		sentence(a_pause_anywhere_costs_one_record),
		sentence(pauses_after_each_byte_lose_pages_and_nothing_else),
		sentence(postcopy_is_parsed_to_its_end),
		sentence(dirty_bitmaps_do_not_hide_what_follows),
		sentence(coded_pages_do_not_hide_the_others),
		sentence(every_part_of_the_configuration_is_known),
		sentence(page_sizes_of_blocks_are_told_from_what_follows),
		sentence(multifd_packets_are_cut_into_pages),
		sentence(multifd_pages_know_their_block_once_it_is_listed),
		sentence(damage_changes_what_is_said_and_never_the_bytes),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
