/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/made-memory.h"
#include "tests/make-linux.h"
#include "tests/test.h"

#include "classify/btf.h"
#include "classify/guest.h"
#include "classify/vmcoreinfo.h"
#include "sender/planner.h"
#include "sender/source.h"

/* All that is here is made up; linux-guest.sh reads real guests. */
static uint8_t mem[LINUX_BYTES];
static struct memory_run run = { 0, LINUX_NPAGES, 0 };

static const uint8_t *
linux_page_at(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	(void)scratch;
	return gpa < LINUX_BYTES ? mem + gpa : NULL;
}

static const struct physical memory = {
	.page = linux_page_at, .runs = &run, .nruns = 1, .npages = LINUX_NPAGES
};

static struct guest
open_guest(void)
{
	struct guest g;
	struct err e;

	assert_ok(guest_open(&g, &memory, &e), &e);
	return g;
}

static void
every_class_is_found(void **state)
{
	struct guest g;
	const struct page_info *p;

	(void)state;
	linux_make(mem);
	g = open_guest();
	assert_int_equal(g.os, GUEST_LINUX);
	assert_string_equal(g.release, "6.1.0-made");
	for (size_t i = 0; i < g.nchecks; i++)
		if (!g.checks[i].passed)
			fail_msg("%s", g.checks[i].what);
	assert_true(guest_is_sound(&g));
	for (unsigned i = 0; i < 8; i++)
		assert_true(guest_drops(&g, PFN_FREE + i));
	assert_int_equal(guest_class(&g, PFN_FREE - 1), CLASS_KERNEL);
	assert_int_equal(guest_class(&g, PFN_LOOSE), CLASS_UNKNOWN);
	assert_true(guest_drops(&g, PFN_PERCPU));
	assert_int_equal(g.pages[PFN_PERCPU].flags, PAGE_PERCPU);
	assert_int_equal(guest_class(&g, PFN_ANON), CLASS_ANON);
	assert_int_equal(guest_class(&g, PFN_SLAB), CLASS_SLAB);
	assert_int_equal(guest_class(&g, PFN_TABLE), CLASS_TABLE);
	assert_int_equal(guest_class(&g, PFN_OFFLINE), CLASS_OFFLINE);
	assert_int_equal(guest_class(&g, PFN_RESERVED), CLASS_RESERVED);
	assert_int_equal(guest_class(&g, PFN_SHMEM), CLASS_SHMEM);
	assert_false(guest_drops(&g, PFN_LOOSE));
	p = &g.pages[PFN_FILE];
	assert_int_equal(p[0].class, CLASS_FILE);
	assert_int_equal(p[0].flags, 0);
	assert_int_equal(p[0].index, 7);
	assert_int_equal(p[1].class, CLASS_FILE);
	assert_int_equal(p[1].index, 8);
	assert_int_equal(p[1].file, p[0].file);
	assert_int_equal(g.files[p->file].id, 4711);
	assert_int_equal(g.files[p->file].size, 50000);
	assert_string_equal(g.volumes[g.files[p->file].volume].fs, "ext4");
	assert_string_equal(g.volumes[g.files[p->file].volume].device, "vda1");
	assert_int_equal(g.pages[PFN_DIRTY].flags, PAGE_DIRTY | PAGE_MAPPED);
	assert_int_equal(g.pages[PFN_BEHIND].flags, PAGE_DIRTY);
	guest_close(&g);
}

/* What is in use by its own count is not free, whatever stands around it. */
static void
a_page_in_use_is_never_free(void **state)
{
	struct guest g;

	(void)state;
	linux_make(mem);
	mem[AT_PAGES + (PFN_FREE + 3) * 64 + 52] = 1;
	g = open_guest();
	assert_int_not_equal(guest_class(&g, PFN_FREE + 3), CLASS_FREE);
	assert_false(guest_is_sound(&g));
	assert_false(guest_drops(&g, PFN_FREE));
	guest_close(&g);
}

/* Changes 8 bytes of a sound guest: nothing may then be dropped. */
static void
expect_doubt(uint64_t at, uint64_t word)
{
	struct guest g;

	linux_make(mem);
	linux_put(mem, at, word);
	g = open_guest();
	if (g.os == GUEST_LINUX && guest_is_sound(&g))
		fail_msg("0x%x at 0x%x is believed", (unsigned)word,
			 (unsigned)at);
	assert_false(guest_drops(&g, PFN_FREE));
	guest_close(&g);
}

static void
any_doubt_stops_dropping(void **state)
{
	const uint64_t page = AT_PAGES + PFN_FREE * 64;
	const uint64_t area = AT_NODE + 64 + 3 * 24;

	(void)state;
	expect_doubt(page + 8, MADE_DIRECT + area + 24);  /* another list */
	expect_doubt(page + 16, MADE_DIRECT + area + 48); /* not back */
	expect_doubt(page + 40, 4);                       /* not aligned */
	expect_doubt(page + 40, 63);
	expect_doubt(page + 40, UINT64_MAX);
	expect_doubt(area + 16, 500); /* as many as it has not */
	expect_doubt(AT_NODE + 2048, 99);
	expect_doubt(AT_NODES, 0x1234);
	expect_doubt(AT_TYPES + 8, 0); /* no types */
	expect_doubt(AT_FILE + 256, 0);
	expect_doubt(AT_SECTIONS, 0);
	expect_doubt(AT_ROOTS, MADE_DIRECT + LINUX_BYTES);
	expect_doubt(AT_IMAGE_2 + 8 * 8, 0x200081); /* code elsewhere */
	expect_doubt(AT_UTS + 130, 0);
	expect_doubt(AT_TOP + 8 * 511, 0);
}

/* Changes 8 bytes: the page in the list of a CPU may then not be dropped, though
 * all else is sound.
 */
static void
expect_kept(uint64_t at, uint64_t word)
{
	struct guest g;

	linux_make(mem);
	linux_put(mem, at, word);
	g = open_guest();
	assert_true(guest_is_sound(&g));
	assert_true(guest_drops(&g, PFN_FREE));
	assert_false(guest_drops(&g, PFN_PERCPU));
	guest_close(&g);
}

static void
lists_of_cpus_must_add_up(void **state)
{
	const uint64_t page = AT_PAGES + PFN_PERCPU * 64;

	(void)state;
	expect_kept(AT_PERCPU, UINT64_C(2) << 32); /* it counts two */
	expect_kept(AT_PERCPU, 0);                 /* or none */
	expect_kept(AT_PERCPU + 16, MADE_DIRECT);  /* another list is none */
	expect_kept(AT_PERCPU + 40, MADE_DIRECT);  /* its end is elsewhere */
	expect_kept(page + 8, MADE_DIRECT + page + 8); /* in a circle */
	expect_kept(page + 16, MADE_DIRECT + AT_PERCPU + 16);
	expect_kept(page + 48, UINT64_C(1) << 32 | UINT32_MAX); /* in use */
	expect_kept(page + 48, 0xfffffff0);
}

/* What a kernel before this one left may be there, but not as if it ran. */
static void
two_kernels_are_none(void **state)
{
	struct guest g;
	char *second = (char *)mem + 0x3e000;

	(void)state;
	linux_make(mem);
	strcpy(second, linux_text);
	g = open_guest();
	assert_int_equal(g.os, GUEST_LINUX); /* the same text twice */
	guest_close(&g);
	memcpy(strstr(second, "BUILD-ID=00"), "BUILD-ID=01", 11);
	g = open_guest();
	assert_int_equal(g.os, GUEST_NONE);
	guest_close(&g);
	memcpy(strstr(second, "6.1.0-made"), "6.1.0-gone", 10);
	g = open_guest();
	assert_int_equal(g.os, GUEST_LINUX); /* it does not run */
	guest_close(&g);
}

static void
poison_is_seen(void **state)
{
	struct guest g;

	(void)state;
	linux_make(mem);
	memset(mem + PFN_FREE * PAGE_BYTES, 0xaa, 9 * PAGE_BYTES);
	g = open_guest();
	assert_true(guest_is_sound(&g));
	assert_true(g.poisons);
	assert_false(guest_drops(&g, PFN_FREE));
	memset(mem + PFN_FREE * PAGE_BYTES, 0, 9 * PAGE_BYTES);
	{
		struct err e;

		assert_ok(guest_refresh(&g, &e), &e);
	}
	assert_true(guest_drops(&g, PFN_FREE));
	guest_close(&g);
}

/* The plan of every page: once of what may be dropped and once of all. */
static void
plan_guest(const struct memory *m, const struct guest *g,
	   struct planned *planned)
{
	const struct base history = { .kind = BASE_HISTORY,
				      .npages = m->npages };
	const struct planner_config c = {
		.memory = m, .bases = &history, .nbases = 1, .guest = g
	};
	const struct planner_limits limits = { .keep = true,
					       .block_bytes = 1 << 20 };
	struct batch *b = calloc(1, sizeof(*b));
	struct source_cursor at = { 0 };
	struct plan_writer w;
	struct err e;
	struct planner *p = planner_new(&c, &e);

	assert_non_null(p);
	assert_non_null(b);
	plan_writer_init(&w, 0);
	source_fill(m, &at, UINT32_MAX, UINT32_MAX, b);
	assert_ok(planner_frame(p, &limits, b, &w, planned, &e), &e);
	assert_int_equal(b->npages, LINUX_NPAGES);
	plan_writer_fini(&w);
	planner_free(p);
	free(b);
}

static void
free_pages_are_dropped_unless_uniform(void **state)
{
	const struct memory_region all = { 0, 0, LINUX_BYTES };
	struct planned *planned = calloc(1, sizeof(*planned));
	struct physical p;
	struct memory m;
	struct guest g;
	struct err e;

	(void)state;
	assert_non_null(planned);
	linux_make(mem);
	for (unsigned i = 0; i < 4 * PAGE_BYTES; i++)
		mem[PFN_FREE * PAGE_BYTES + i] = (uint8_t)(i * i >> 7);
	memset(mem + (PFN_FREE + 4) * PAGE_BYTES, 0x5a, PAGE_BYTES);
	mem[PFN_LOOSE * PAGE_BYTES] = 1;
	made_open(&m, mem, LINUX_BYTES, &all);
	p = physical_of(&m);
	assert_ok(guest_open(&g, &p, &e), &e);
	plan_guest(&m, &g, planned);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(planned->codes[PFN_FREE + i], PLAN_FREE);
		assert_int_equal(planned->fills[PFN_FREE + i], 0);
	}
	assert_int_equal(planned->codes[PFN_FREE + 4], PLAN_FILL);
	assert_int_equal(planned->codes[PFN_FREE + 5], PLAN_ZERO);
	assert_int_equal(planned->codes[PFN_LOOSE], PLAN_DATA);
	plan_guest(&m, NULL, planned);
	assert_int_equal(planned->codes[PFN_FREE], PLAN_DATA);
	guest_close(&g);
	memory_close(&m);
	free(planned);
}

static void
lines_are_read(void **state)
{
	struct vmcoreinfo v;
	uint64_t value;
	char text[16];

	(void)state;
	assert_true(vmcoreinfo_take(&v, linux_text, sizeof(linux_text)));
	assert_true(vmcoreinfo_get(&v, "SYMBOL(_stext)", &value));
	assert_int_equal(value, MADE_IMAGE);
	assert_true(vmcoreinfo_get(&v, "NUMBER(phys_base)", &value));
	assert_int_equal(value, (uint64_t)-16777216);
	assert_true(vmcoreinfo_get(&v, "SIZE(page)", &value));
	assert_int_equal(value, 64);
	assert_false(vmcoreinfo_get(&v, "SIZE(pag", &value));
	assert_false(vmcoreinfo_get(&v, "OSRELEASE", &value));
	vmcoreinfo_text(&v, "OSRELEASE", text, sizeof(text));
	assert_string_equal(text, "6.1.0-made");
	vmcoreinfo_text(&v, "OSRELEASE", text, 5);
	assert_string_equal(text, "");
	assert_false(vmcoreinfo_take(&v, linux_text, sizeof(linux_text) - 1));
	assert_false(vmcoreinfo_take(&v, linux_text + 1, 100));
}

static void
damaged_types_are_an_error(void **state)
{
	static uint8_t bytes[4096];
	size_t len = linux_make_types(bytes);
	struct btf b;
	struct err e;
	uint64_t value;

	(void)state;
	assert_int_equal(btf_size(bytes, sizeof(bytes)), len);
	assert_ok(btf_open(&b, bytes, len, &e), &e);
	assert_true(btf_member(&b, "page", "index", &value));
	assert_int_equal(value, 32);
	assert_true(btf_member(&b, "inode", "i_size", &value));
	assert_int_equal(value, 80);
	assert_true(btf_constant(&b, "pageflags", "PG_reserved", &value));
	assert_int_equal(value, 12);
	assert_false(btf_member(&b, "inode", "i_none", &value));
	assert_false(btf_member(&b, "pageflags", "PG_dirty", &value));
	assert_false(btf_constant(&b, "inode", "i_size", &value));
	btf_close(&b);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			if (btf_open(&b, bytes, len, &e) == 0) {
				(void)!btf_member(&b, "page", "index", &value);
				btf_close(&b);
			}
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	assert_err(btf_open(&b, bytes, len - 1, &e), &e, ERR_CORRUPT);
	assert_err(btf_open(&b, bytes, 20, &e), &e, ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class_is_found),
		cmocka_unit_test(a_page_in_use_is_never_free),
		cmocka_unit_test(any_doubt_stops_dropping),
		cmocka_unit_test(lists_of_cpus_must_add_up),
		cmocka_unit_test(two_kernels_are_none),
		cmocka_unit_test(poison_is_seen),
		cmocka_unit_test(free_pages_are_dropped_unless_uniform),
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(damaged_types_are_an_error),
	};

	return cmocka_run_group_tests_name("linux", tests, NULL, NULL);
}
