/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/stream-test.h"

static void
what_is_no_migration_is_opaque(void **state)
{
	(void)state;
	make_bytes(&s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
	assert_opaque("TLS");
	assert_int_equal(p.role, STREAM_OPAQUE);
	buf_reset(&s);
	make_bytes(&s, "GET / HTTP/1.1\r\n", 16);
	assert_opaque("not the beginning");
	buf_reset(&s);
	make_bytes(&s, "QEVM\0\0\0\2rest", 12);
	assert_opaque("version");
	buf_reset(&s);
	make_multifd_init(&s);
	s.data[7] = 2;
	assert_opaque("version of multifd");
}

static void
begin_section(const char *name, uint32_t version)
{
	buf_reset(&s);
	make_header(&s);
	make_start(&s);
	make_section(&s, 0x01, 9, name, version);
	make_bytes(&s, "whatever", 8);
	make_part(&s, 0x02, MAKE_RAM_ID);
	make_page(&s, 0, "pc.ram", 0);
}

static void
an_unknown_section_makes_the_rest_opaque(void **state)
{
	(void)state;
	begin_section("0000:00:05.0/vf\nio", 1);
	assert_opaque("unknown section");
	assert_string_equal(p.section, "0000:00:05.0/vf?io");
	assert_items(0, 0, 0);
	begin_section("ram", 5);
	assert_opaque("unknown section");
	begin_section("dirty-bitmap", 2);
	assert_opaque("unknown section");
}

/* Free pages are left out only where no device writes unseen (guest-now.h):
 * whoever teaches the parser this section has to see to that.
 */
static void
no_page_is_known_with_a_device_of_the_host(void **state)
{
	(void)state;
	begin_section("0000:00:05.0/vfio", 1);
	assert_opaque("unknown section");
	assert_items(0, 0, 0);
}

/* After the list of blocks. */
static void
begin_records(void)
{
	buf_reset(&s);
	make_header(&s);
	make_start(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
}

static void
unknown_records_make_the_rest_opaque(void **state)
{
	static const struct {
		uint64_t flags;
		const char *why;
	} cases[] = {
		{ 0x80, "RDMA" },        { 0x01, "RAM record" },
		{ 0x400, "RAM record" }, { 0x0a, "RAM record" },
		{ 0x30, "RAM record" },  { 0x220, "RAM record" },
		{ 0, "RAM record" },     { 0x1004, "list of RAM blocks" },
		{ 0x28, "outside" }, /* of no block so far */
		{ 0x3002, "outside" },
	};
	static const uint8_t types[] = { 0x05, 0x06, 0x7e, 0x09, 0xff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin_records();
		make_be64(&s, cases[i].flags);
		make_name(&s, "no such block");
		make_page(&s, 0, "pc.ram", 1);
		assert_opaque(cases[i].why);
		assert_items(0, 0, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		begin_records();
		make_eos(&s);
		make_u8(&s, types[i]);
		make_bytes(&s, "and so on", 9);
		assert_opaque("unknown record");
	}
	begin_records();
	make_page(&s, MAKE_PAGES, "pc.ram", 1);
	assert_opaque("outside");
	begin_records();
	make_be64(&s, 0x10);
	make_footer(&s, MAKE_RAM_ID + 1);
	assert_opaque("without its end");
	begin_records();
	make_be64(&s, 0x10);
	make_part(&s, 0x02, MAKE_RAM_ID);
	assert_opaque("without its end");
	begin_records();
	make_eos(&s);
	make_part(&s, 0x02, MAKE_RAM_ID + 1);
	assert_opaque("unknown section");
	begin_records();
	make_eos(&s);
	make_section(&s, 0x04, 1, "virtio-mem-early", 1);
	assert_opaque("device state before RAM");
	buf_reset(&s);
	make_header(&s);
	make_ram(&s);
	make_part(&s, 0x02, MAKE_RAM_ID);
	assert_opaque("unknown section");
}

static void
unknown_commands_make_the_rest_opaque(void **state)
{
	static const struct {
		uint16_t command, len;
		const char *why;
	} cases[] = {
		{ 0, 0, "unknown command" },
		{ 12, 0, "unknown command" },
		{ 8, 0, "COLO" },
		{ 7, 3, "unknown package" },
	};

	(void)state;
	for (uint16_t command = 1; command <= 11; command++) {
		buf_reset(&s);
		make_header(&s);
		if (command != 7 && command != 8)
			make_command(&s, command, "", 0);
		make_ram(&s);
		assert_clear();
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&s);
		make_header(&s);
		make_command(&s, cases[i].command, "abc", cases[i].len);
		make_ram(&s);
		assert_opaque(cases[i].why);
	}
}

static void
unknown_configurations_make_the_rest_opaque(void **state)
{
	static const struct {
		const char *name, *why;
		uint32_t value;
	} cases[] = {
		{ "configuration/target-page-bits", "4096 bytes", 14 },
		{ "configuration/capabilities", "capabilities", 9 },
		{ "configuration/new", "unknown configuration", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&s);
		make_header(&s);
		make_subsection(&s, cases[i].name);
		make_be32(&s, cases[i].value);
		make_ram(&s);
		assert_opaque(cases[i].why);
	}
	buf_reset(&s);
	make_header(&s);
	make_subsection(&s, "configuration/capabilities");
	make_be32(&s, 1);
	make_name(&s, "mapped-ram");
	make_ram(&s);
	assert_opaque("mapped-ram");
	buf_reset(&s);
	make_bytes(&s, "QEVM\0\0\0\3\7\0\0\x10\0", 13);
	make_ram(&s);
	assert_opaque("machine name");
}

static void
lists_of_blocks_that_lie_make_the_rest_opaque(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		buf_reset(&s);
		make_header(&s);
		make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
		make_be64(&s, (i == 3 ? 0 : 3 * 4096) | 0x04);
		make_name(&s, "pc.ram");
		make_be64(&s, i == 0 ? 4 * 4096 : i == 1 ? 4095 : 4096);
		make_name(&s, "pc.ram");
		make_be64(&s, 8192);
		assert_opaque("list of RAM blocks");
	}
	buf_reset(&s); /* more blocks than anybody has */
	make_header(&s);
	make_section(&s, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(&s, (1ull << 40) | 0x04);
	for (unsigned i = 0; i <= STREAM_BLOCKS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "block%u", i);
		make_name(&s, name);
		make_be64(&s, 4096);
	}
	w = parse_again(all_of_it, NULL);
	assert_non_null(strstr(p.opaque, "list of RAM blocks"));
	assert_int_equal(blocks.n, STREAM_BLOCKS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(what_is_no_migration_is_opaque),
		sentence(an_unknown_section_makes_the_rest_opaque),
		sentence(no_page_is_known_with_a_device_of_the_host),
		sentence(unknown_records_make_the_rest_opaque),
		sentence(unknown_commands_make_the_rest_opaque),
		sentence(unknown_configurations_make_the_rest_opaque),
		sentence(lists_of_blocks_that_lie_make_the_rest_opaque),
	};

	return cmocka_run_group_tests_name("stream-opaque", tests, NULL, NULL);
}
