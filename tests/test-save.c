/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/make-stream.h"
#include "tests/memory-file.h"

/* Memory in migration streams and in libvirt's save files, which hold one. */
static struct buf s;

static void
put_file(void)
{
	empty_file(0);
	write_at(0, s.data, s.len);
}

static void
begin(void)
{
	buf_fini(&s);
	buf_init(&s, 1 << 20);
}

/* The page at gpa is filled with that byte. */
static void
assert_filled(uint64_t gpa, uint8_t fill)
{
	uint64_t n;

	assert_true(memory_page_at(&m, gpa, &n));
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(memory_page(&m, n)[i], fill);
}

/* What make_precopy() makes: the last page of vga.vram ends at DEVICES_END. */
#define VRAM 0xfebff000

static void
assert_precopy(void)
{
	assert_int_equal(m.npages, MAKE_PAGES + 1);
	assert_int_equal(m.nsegments, 3);
	assert_segment(0, 0, MAKE_PAGES * 4096, 0);
	assert_segment(1, MAKE_PAGES * 4096, 4096, VRAM);
	assert_filled(0, 0);
	assert_filled(0x1000, 1);
	assert_filled(0x2000, 0); /* never came */
	assert_filled(0xf000, 3);
	assert_filled(VRAM, 0); /* was 2 before */
}

static void
a_stream_is_laid_out_by_address(void **state)
{
	(void)state;
	begin();
	make_precopy(&s);
	put_file();
	open_file(NULL, 0);
	assert_string_equal(m.format, "qemu stream");
	assert_precopy();
	/* all that is no page is there, in its order */
	assert_int_equal(m.segments[2].len, s.len - 3 * 4096 - 65);
	assert_memory_equal(m.map.data + m.segments[2].offset, "QEVM", 4);
	assert_memory_equal(m.map.data + m.map.len - 2, "]}", 2);
	memory_close(&m);
}

static void
of_each_page_what_came_last_counts(void **state)
{
	(void)state;
	begin();
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
	make_page(&s, 3, "pc.ram", 7);
	make_zero(&s, 3, NULL);
	make_zero(&s, 4, NULL);
	make_page(&s, 4, NULL, 8);
	make_page(&s, 5, NULL, 8);
	make_page(&s, 5, NULL, 0);
	make_page(&s, 6, NULL, 9);
	make_page(&s, 6, NULL, 10);
	make_eos(&s);
	make_part(&s, 0x03, MAKE_RAM_ID);
	make_eos(&s);
	make_u8(&s, 0);
	put_file();
	open_file(NULL, 0);
	assert_filled(0x3000, 0);
	assert_filled(0x4000, 8);
	assert_filled(0x5000, 0);
	assert_filled(0x6000, 10);
	memory_close(&m);
}

/* A stream of blocks with only the last page of the first in it. */
static void
put_blocks(const char *machine, const char *const *names,
	   const uint64_t *lengths, unsigned n)
{
	uint64_t sum = 0;

	begin();
	make_be32(&s, 0x5145564d);
	make_be32(&s, 3);
	make_u8(&s, 0x07);
	make_be32(&s, (uint32_t)strlen(machine));
	make_bytes(&s, machine, strlen(machine));
	for (unsigned i = 0; i < n; i++)
		sum += lengths[i];
	make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(&s, sum | 0x04);
	for (unsigned i = 0; i < n; i++) {
		make_name(&s, names[i]);
		make_be64(&s, lengths[i]);
	}
	make_eos(&s);
	make_part(&s, 0x03, MAKE_RAM_ID);
	make_page(&s, (lengths[0] >> 12) - 1, names[0], 5);
	make_eos(&s);
	make_u8(&s, 0);
	put_file();
	open_file(NULL, 0);
}

#define GIB (1ull << 30)

static void
memory_above_4_gib_is_where_the_machine_has_it(void **state)
{
	static const char *const names[] = { "pc.ram", "vga.vram" };
	static const uint64_t lengths[] = { 5 * GIB, 16 << 20 };

	(void)state;
	put_blocks("pc-q35-7.2", names, lengths, 2);
	assert_segment(0, 0, 2 * GIB, 0);
	assert_segment(1, 2 * GIB, 3 * GIB, 4 * GIB);
	assert_segment(2, 5 * GIB, 16 << 20, 0xfec00000 - (16 << 20));
	assert_filled(7 * GIB - 4096, 5);
	memory_close(&m);
	put_blocks("pc-i440fx-7.2", names, lengths, 2);
	assert_segment(0, 0, 3 * GIB, 0);
	assert_segment(1, 3 * GIB, 2 * GIB, 4 * GIB);
	assert_filled(6 * GIB - 4096, 5);
	memory_close(&m);
}

static void
memory_of_numa_nodes_is_one_after_the_other(void **state)
{
	static const char *const names[] = { "/objects/ram-node0", "vga.vram",
					     "/objects/ram-node1" };
	static const uint64_t lengths[] = { 1 * GIB, 16 << 20, 3 * GIB };

	(void)state;
	put_blocks("pc-q35-7.2", names, lengths, 3);
	assert_segment(0, 0, 1 * GIB, 0);
	assert_segment(1, 1 * GIB, 16 << 20, 0xfec00000 - (16 << 20));
	assert_segment(2, 1 * GIB + (16 << 20), 1 * GIB, 1 * GIB);
	assert_segment(3, 2 * GIB + (16 << 20), 2 * GIB, 4 * GIB);
	assert_filled(1 * GIB - 4096, 5);
	memory_close(&m);
}

static void
devices_with_more_memory_than_the_hole_go_above_all(void **state)
{
	static const char *const names[] = { "m0", "huge", "rom" };
	static const uint64_t lengths[] = { 3 * GIB, 2 * GIB, 4096 };

	(void)state;
	put_blocks("pc-q35-7.2", names, lengths, 3);
	assert_segment(0, 0, 2 * GIB, 0);
	/* after the memory, so one piece with it */
	assert_segment(1, 2 * GIB, 3 * GIB + 4096, 4 * GIB);
	memory_close(&m);
}

static void
sent_as_a_file_it_is_what_it_is(void **state)
{
	(void)state;
	begin();
	make_precopy(&s);
	put_file();
	assert_ok(memory_open_file(&m, path, NULL, 0, &e), &e);
	check_tiles();
	assert_string_equal(m.format, "raw");
	assert_int_equal(m.map.len, s.len);
	assert_memory_equal(m.map.data, s.data, s.len);
	memory_close(&m);
}

static void
a_stream_cut_short_is_refused(void **state)
{
	size_t end;

	(void)state;
	begin();
	make_header(&s);
	make_ram(&s);
	make_devices(&s);
	end = s.len;
	for (s.len = 4; s.len <= end; s.len += 1 + s.len / 40) {
		put_file();
		open_fails(NULL, 0, ERR_CORRUPT, "cut off at offset 0x");
	}
}

static void
what_is_not_in_a_stream_is_not_made_up(void **state)
{
	(void)state;
	begin(); /* pages that cannot be decoded */
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
	make_page(&s, 1, "pc.ram", 1);
	make_head(&s, 0x40, 1, NULL);
	make_u8(&s, 1);
	make_be16(&s, 0);
	put_file();
	open_fails(NULL, 0, ERR_USAGE, "xbzrle");
	begin(); /* a section that nobody knows */
	make_header(&s);
	make_start(&s);
	make_section(&s, 0x01, 9, "vfio", 1);
	put_file();
	open_fails(NULL, 0, ERR_USAGE, "unknown section (section 'vfio')");
	begin(); /* memory that stays where it is */
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x03, MAKE_RAM_ID);
	make_eos(&s);
	make_u8(&s, 0);
	put_file();
	open_fails(NULL, 0, ERR_USAGE, "without the guest's memory");
	begin(); /* more of it than there is anywhere */
	make_header(&s);
	make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(&s, (1ull << 45) | 0x04);
	make_name(&s, "pc.ram");
	make_be64(&s, 1ull << 45);
	make_zero(&s, 0, "pc.ram");
	put_file();
	open_fails(NULL, 0, ERR_USAGE, "4 TiB");
}

/* ---- save files ---- */

static void
put_le32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void
put_save(uint32_t version, uint32_t format, const void *stream, size_t n)
{
	static const char xml[] = "<domain type='kvm'/>\n";
	uint8_t h[92] = "LibvirtQemudSave";

	put_le32(h + 16, version);
	put_le32(h + 20, sizeof(xml));
	put_le32(h + 28, format);
	empty_file(0);
	write_at(0, h, sizeof(h));
	write_at(sizeof(h), xml, sizeof(xml));
	write_at(sizeof(h) + sizeof(xml), stream, n);
}

static size_t
squeeze(unsigned format, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = s.data,
		       .avail_in = (uInt)s.len,
		       .next_out = out,
		       .avail_out = (uInt)room };
	size_t n = 0;

	if (format == 1) {
		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8,
					      Z_DEFAULT_STRATEGY),
				 Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		deflateEnd(&z);
		return z.total_out;
	}
	if (format == 3) {
		assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32,
							 NULL, s.data, s.len,
							 out, &n, room),
				 LZMA_OK);
		return n;
	}
	if (format == 5)
		return ZSTD_compress(out, room, s.data, s.len, 3);
	memcpy(out, s.data, s.len);
	return s.len;
}

static void
save_files_are_decompressed(void **state)
{
	static const unsigned formats[] = { 0, 1, 3, 5 };
	static uint8_t out[1 << 17];

	(void)state;
	begin();
	make_precopy(&s);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		size_t n = squeeze(formats[i], out, sizeof(out));

		put_save(2, formats[i], out, n);
		open_file(NULL, 0);
		assert_string_equal(m.format, "libvirt save");
		assert_precopy();
		memory_close(&m);
		for (size_t cut = n / 2; formats[i] && cut < n;
		     cut += 1 + n / 40) {
			put_save(1, formats[i], out, cut);
			open_fails(NULL, 0, ERR_CORRUPT, "cut off");
		}
		if (formats[i] == 0)
			continue;
		out[n / 2] ^= 0xff;
		put_save(2, formats[i], out, n);
		assert_int_equal(memory_open(&m, path, NULL, 0, &e), -1);
	}
}

static void
save_files_that_cannot_be_read_say_why(void **state)
{
	uint8_t h[116];

	(void)state;
	begin();
	make_precopy(&s);
	put_save(2, 2, s.data, s.len);
	open_fails(NULL, 0, ERR_USAGE, "format bzip2; not supported");
	put_save(2, 4, s.data, s.len);
	open_fails(NULL, 0, ERR_USAGE, "format lzop; not supported");
	put_save(2, 6, s.data, s.len);
	open_fails(NULL, 0, ERR_USAGE, "format sparse; not supported");
	put_save(2, 7, s.data, s.len);
	open_fails(NULL, 0, ERR_USAGE, "format 7; not supported");
	put_save(3, 0, s.data, s.len);
	open_fails(NULL, 0, ERR_USAGE, "version 3; not supported");
	put_save(2, 0, s.data, s.len);
	assert_int_equal(pread(fd, h, sizeof(h), 0), sizeof(h));
	for (size_t n = 16; n < sizeof(h) - 2; n += 7) {
		empty_file(0);
		write_at(0, h, n);
		open_fails(NULL, 0, ERR_CORRUPT, "cut off in its header");
	}
	put_save(2, 0, "not a stream", 12);
	open_fails(NULL, 0, ERR_USAGE, "not the beginning of a migration");
	memcpy(h, "LibvirtQemudPart", 16);
	write_at(0, h, sizeof(h));
	open_fails(NULL, 0, ERR_USAGE, "an incomplete libvirt save file");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_laid_out_by_address),
		cmocka_unit_test(of_each_page_what_came_last_counts),
		cmocka_unit_test(
			memory_above_4_gib_is_where_the_machine_has_it),
		cmocka_unit_test(memory_of_numa_nodes_is_one_after_the_other),
		cmocka_unit_test(
			devices_with_more_memory_than_the_hole_go_above_all),
		cmocka_unit_test(sent_as_a_file_it_is_what_it_is),
		cmocka_unit_test(a_stream_cut_short_is_refused),
		cmocka_unit_test(what_is_not_in_a_stream_is_not_made_up),
		cmocka_unit_test(save_files_are_decompressed),
		cmocka_unit_test(save_files_that_cannot_be_read_say_why),
	};
	int failed =
		cmocka_run_group_tests_name("save", tests, setup, teardown);

	buf_fini(&s);
	return failed;
}
