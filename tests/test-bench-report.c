/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/load.h"
#include "common/mem.h"
#include "tests/test.h"
#include "tools/bench-map.h"
#include "tools/bench-report.h"
#include "tools/bench-summary.h"
#include "tools/format.h"

#define NPAGES 4096u

/* A path that does what it can to get out of a terminal, a page or JSON. */
#define EVIL "/tmp/<script>alert(1)</script>\"&\x1b[31m\xff\n.ram"

struct fixture {
	struct bench_report r;
	struct bench_image image;
	struct bench_capture captures[2];
};

static void
set_result(struct bench_result *r, const char *name, uint64_t bytes, double cpu)
{
	struct bench_sample s = { cpu, cpu / 4, cpu * 2 };

	*r = (struct bench_result){ .wire_bytes = bytes, .verified = true };
	snprintf(r->name, sizeof(r->name), "%s", name);
	bench_result_add(r, &s);
}

static void
set_tier(struct bench_tier *t, const char *name, uint64_t bytes, double cpu)
{
	set_result(&t->result, name, bytes, cpu);
	t->npages = NPAGES;
	t->plan = malloc(NPAGES);
	assert_non_null(t->plan);
	for (unsigned i = 0; i < NPAGES; i++) {
		t->plan[i] = (uint8_t)(i / 512 % PLAN_BYTES);
		t->pages[t->plan[i]]++;
	}
	t->wire[STREAM_DATA] = bytes - 100;
	t->raw[STREAM_DATA] = bytes * 3;
	t->frame_bytes = 100;
	t->stages[t->nstages++] =
		(struct bench_stage){ "scan", NPAGES * 4096u, cpu, false };
	t->classes[t->nclasses++] = (struct bench_class){ "text", 300, 200 };
}

static void
set_capture(struct bench_capture *c, const char *path, unsigned factor)
{
	*c = (struct bench_capture){ .path = path,
				     .format = "raw",
				     .file_bytes = NPAGES * 4096u,
				     .npages = NPAGES,
				     .ntiers = 2,
				     .npeers = 2 };
	c->tiers = calloc(2, sizeof(*c->tiers));
	c->peers = calloc(2, sizeof(*c->peers));
	assert_non_null(c->tiers);
	assert_non_null(c->peers);
	set_tier(&c->tiers[0], "virt-mig-strong", 100000 * factor, 3);
	set_tier(&c->tiers[1], "virt-mig-fast", 200000 * factor, 1);
	set_result(&c->peers[0], "gzip-6", 400000, 4);
	set_result(&c->peers[1], "zstd-3", 390000, 2);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->image = (struct bench_image){ .path = EVIL,
					 .format = "raw",
					 .bytes = 1 << 20 };
	set_capture(&f->captures[0], EVIL, 1);
	set_capture(&f->captures[1], "/two.ram", 2);
	f->r = (struct bench_report){ .version = "0",
				      .cpu = "a <cpu>",
				      .kernel = "Linux",
				      .threads = 2,
				      .cores = 2,
				      .images = &f->image,
				      .nimages = 1,
				      .nlinks = 1,
				      .links = { { "100M", 1e8 } },
				      .captures = f->captures,
				      .ncaptures = 2 };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++)
			bench_tier_fini(&f->captures[i].tiers[k]);
		free(f->captures[i].tiers);
		free(f->captures[i].peers);
	}
	free(f);
	return 0;
}

/* The report in one of its forms; the caller frees it. */
static char *
text_of(const struct bench_report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err e;

	assert_non_null(out);
	assert_ok(bench_report_text(r, out, &e), &e);
	fclose(out);
	return text;
}

static char *
html_of(const struct bench_report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err e;
	json_t *json = bench_report_json(r, &e);

	assert_non_null(out);
	assert_non_null(json);
	assert_ok(bench_report_html(r, json, out, &e), &e);
	fclose(out);
	json_decref(json);
	return text;
}

static void
the_text_opens_with_the_number_that_matters(void **state)
{
	struct fixture *f = *state;
	struct bench_report one = f->r;
	auto_free char *all = text_of(&f->r);
	const char *lines = "Moving these 2 VMs: 146 KiB each on average, "
			    "3.00x fewer bytes than gzip -6,\n"
			    "in none under 2.00x (virt-mig-strong)\n";
	const char *line = "Moving this VM: 16.0 MiB -> 97.7 KiB, 4.00x fewer "
			   "bytes than gzip -6 with 0.75 of its CPU time "
			   "(virt-mig-strong)\n";

	auto_free char *text = NULL;

	one.ncaptures = 1;
	text = text_of(&one);
	assert_memory_equal(text, line, strlen(line));
	assert_memory_equal(all, lines, strlen(lines));
}

static void
nothing_from_outside_gets_through(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = text_of(&f->r);
	auto_free char *html = html_of(&f->r);

	assert_null(strchr(text, 0x1b));
	assert_null(strchr(text, 0xff));
	assert_non_null(strstr(text, "\\x1b[31m\\xff\\x0a.ram"));
	assert_null(strstr(html, "<script>alert"));
	assert_null(strstr(html, "</script>\""));
	assert_null(strchr(html, 0x1b));
	assert_non_null(strstr(html, "&lt;script&gt;alert"));
	assert_non_null(strstr(html, "\\u003cscript>alert"));
	assert_non_null(strstr(html, "a &lt;cpu&gt;"));
}

static const json_t *
member(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		fail_msg("there is no %s", key);
	return v;
}

static void
json_lists_every_result_with_every_figure(void **state)
{
	static const char *const figures[] = { "name", "wire_bytes",
					       "encode_cpu_s", "decode_cpu_s",
					       "wall_s" };
	struct fixture *f = *state;
	struct err e;
	json_t *json = bench_report_json(&f->r, &e);
	const json_t *results = member(json, "results");
	const json_t *first = json_array_get(member(json, "captures"), 0);

	assert_int_equal(json_array_size(results), 4);
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < ARRAY_LEN(figures); k++)
			(void)member(json_array_get(results, i), figures[k]);
	/* The mean of 100000 and 200000. */
	assert_int_equal(json_integer_value(member(json_array_get(results, 0),
						   "wire_bytes")),
			 150000);
	assert_int_equal(json_integer_value(member(
				 json_array_get(member(first, "results"), 0),
				 "wire_bytes")),
			 100000);
	assert_int_equal(json_array_size(member(
				 json_array_get(member(first, "results"), 0),
				 "samples")),
			 1);
	assert_int_equal(strlen(json_string_value(member(first, "sha256"))),
			 64);
	json_decref(json);
}

static void
the_headline_is_the_smallest_that_gzip_can_afford(void **state)
{
	struct fixture *f = *state;
	struct bench_capture *c = &f->captures[0];
	struct bench_result was = c->tiers[0].result;
	struct bench_headline h;

	bench_headline_of(c, &h);
	assert_string_equal(h.tier->result.name, "virt-mig-strong");
	set_result(&c->tiers[0].result, "virt-mig-strong", 100000, 4.5);
	bench_headline_of(c, &h);
	assert_string_equal(h.tier->result.name, "virt-mig-fast");
	/* Nobody to compare with: the smallest. */
	c->npeers = 0;
	bench_headline_of(c, &h);
	assert_string_equal(h.tier->result.name, "virt-mig-strong");
	assert_null(h.baseline);
	c->npeers = 2;
	c->tiers[0].result = was;
}

/* The cells that the PNG's one IDAT chunk holds, filter bytes and all. */
static void
unpack(const struct buf *png, uint8_t *rows, size_t len)
{
	uLongf n = len;

	for (size_t at = 8; at + 12 <= png->len;) {
		const uint8_t *c = png->data + at;
		size_t size = load_be32(c);
		uLong crc = crc32(0, c + 4, (uInt)size + 4);

		assert_true(at + 12 + size <= png->len);
		assert_int_equal(load_be32(c + 8 + size), crc);
		if (memcmp(c + 4, "IDAT", 4) == 0)
			assert_int_equal(uncompress(rows, &n, c + 8, size),
					 Z_OK);
		at += 12 + size;
	}
	assert_int_equal(n, len);
}

static void
the_map_shows_every_page_in_its_place(void **state)
{
	static const uint32_t colours[PLAN__MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct fixture *f = *state;
	const struct bench_tier *t = &f->captures[0].tiers[0];
	struct bench_map m;
	struct buf png;
	uint8_t *rows;
	struct err e;

	buf_init(&png, 1 << 20);
	assert_ok(bench_map_init(&m, t, &e), &e);
	assert_int_equal(m.cell_pages, 1);
	assert_int_equal((uint64_t)m.width * m.height, NPAGES);
	assert_ok(bench_map_png(&m, colours, &png, &e), &e);
	rows = malloc((size_t)(m.width + 1) * m.height);
	assert_non_null(rows);
	unpack(&png, rows, (size_t)(m.width + 1) * m.height);
	for (unsigned i = 0; i < NPAGES; i++)
		assert_int_equal(
			rows[i / m.width * (m.width + 1) + 1 + i % m.width],
			t->plan[i]);
	free(rows);
	buf_fini(&png);
	bench_map_fini(&m);
}

static void
a_cell_of_many_pages_is_what_most_of_them_are(void **state)
{
	size_t n = 3 * (size_t)BENCH_MAP_CELLS - 1;
	struct bench_tier t = { .npages = n, .plan = malloc(n) };
	struct bench_map m;
	struct err e;

	(void)state;
	assert_non_null(t.plan);
	memset(t.plan, PLAN_DATA, n);
	t.plan[0] = t.plan[2] = PLAN_REF;
	t.plan[3] = PLAN_ZERO;
	assert_ok(bench_map_init(&m, &t, &e), &e);
	assert_int_equal(m.cell_pages, 3);
	assert_int_equal(m.width * m.height, BENCH_MAP_CELLS);
	assert_int_equal(m.cells[0], PLAN_REF);
	assert_int_equal(m.cells[1], PLAN_DATA);
	assert_int_equal(m.cells[BENCH_MAP_CELLS - 1], PLAN_DATA);
	bench_map_fini(&m);
	bench_tier_fini(&t);
}

static void
numbers_are_written_for_people(void **state)
{
	char out[FORMAT_LEN];

	(void)state;
	assert_string_equal(format_bytes(out, 999), "999 B");
	assert_string_equal(format_bytes(out, 2147483648u), "2.00 GiB");
	assert_string_equal(format_bytes(out, 102970163), "98.2 MiB");
	assert_string_equal(format_count(out, 0), "0");
	assert_string_equal(format_count(out, 524288), "524,288");
	assert_string_equal(format_count(out, 1000000), "1,000,000");
	assert_string_equal(format_time(out, 0.0123), "12.3 ms");
	assert_string_equal(format_time(out, 8.236), "8.24 s");
	assert_string_equal(format_time(out, 119.6), "2m00s");
	assert_string_equal(format_time(out, 3599.6), "1h00m");
	assert_string_equal(format_time(out, 7260), "2h01m");
	assert_string_equal(format_age(out, 0), "0s");
	assert_string_equal(format_age(out, 59), "59s");
	assert_string_equal(format_age(out, 60), "1m00s");
	assert_string_equal(format_ratio(out, 4.618), "4.62x");
}

static void
text_that_is_harmless_stays_as_it_is(void **state)
{
	auto_free char *same = format_printable("a \xc3\xbc \xe2\x82\xac b");
	auto_free char *cut = format_printable("\xc3");
	auto_free char *control = format_printable("\xc2\x9b\x7f");
	auto_free char *turned = format_printable("\xe2\x80\xae");
	auto_free char *overlong = format_printable("\xe0\x80\xaf");

	(void)state;
	assert_string_equal(same, "a \xc3\xbc \xe2\x82\xac b");
	assert_string_equal(cut, "\\xc3");
	assert_string_equal(control, "\\xc2\\x9b\\x7f");
	assert_string_equal(turned, "\\xe2\\x80\\xae");
	assert_string_equal(overlong, "\\xe0\\x80\\xaf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_opens_with_the_number_that_matters),
		cmocka_unit_test(nothing_from_outside_gets_through),
		cmocka_unit_test(json_lists_every_result_with_every_figure),
		cmocka_unit_test(
			the_headline_is_the_smallest_that_gzip_can_afford),
		cmocka_unit_test(the_map_shows_every_page_in_its_place),
		cmocka_unit_test(a_cell_of_many_pages_is_what_most_of_them_are),
		cmocka_unit_test(numbers_are_written_for_people),
		cmocka_unit_test(text_that_is_harmless_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
