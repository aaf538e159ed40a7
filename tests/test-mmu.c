/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/test.h"

#include "classify/guest.h"
#include "classify/mmu.h"
#include "common/mem.h"
#include "common/page.h"

/* Sixteen pages from 0x10000 on, and four far above. */
#define LOW    0x10000
#define HIGH   0x4000000000
#define NPAGES 20

static uint8_t pages[NPAGES * PAGE_BYTES];
static const struct memory_run runs[] = {
	{ LOW, 16, 0 },
	{ HIGH, 4, 16 },
};

static const uint8_t *
made_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		uint64_t k = (gpa - runs[i].gpa) / PAGE_BYTES;

		if (gpa < runs[i].gpa || k >= runs[i].npages)
			continue;
		/* As of a guest that runs: a copy. */
		memcpy(scratch, pages + (runs[i].first_page + k) * PAGE_BYTES,
		       PAGE_BYTES);
		return scratch;
	}
	return NULL;
}

static const struct physical memory = {
	.page = made_page, .runs = runs, .nruns = 2, .npages = NPAGES
};

static void
put(uint64_t gpa, uint64_t word)
{
	uint64_t at = gpa < HIGH ? gpa - LOW : gpa - HIGH + 16 * PAGE_BYTES;

	memcpy(pages + at, &word, 8);
}

#define P 1    /* present */
#define L 0x80 /* maps a large page */

static void
setup_tables(void)
{
	memset(pages, 0, sizeof(pages));
	put(LOW + 0x0000 + 8 * 511, 0x11000 | P);             /* level 5 */
	put(LOW + 0x1000 + 8 * 273, HIGH | P);                /* level 4 */
	put(HIGH + 8 * 0, 0x13000 | P);                       /* level 3 */
	put(HIGH + 8 * 1, 0x40000000 | P | L);                /* 1 GiB */
	put(LOW + 0x3000 + 8 * 7, 0x14000 | P);               /* level 2 */
	put(LOW + 0x3000 + 8 * 8, 0x600000 | P | L | 0x1000); /* 2 MiB, PAT */
	put(LOW + 0x4000 + 8 * 0, 0x15000 | P | UINT64_C(1) << 63);
	put(LOW + 0x4000 + 8 * 1, (HIGH + 0x1000) | P);
	put(LOW + 0x4000 + 8 * 2, 0x99000000 | P);  /* no memory there */
	put(LOW + 0x4000 + 8 * 3, 0x15000);         /* not present */
	put(LOW + 0x4000 + 8 * 4, 0x15000 | P | L); /* PAT, not large */
	put(LOW + 0x5ff8, 0x1111111111111111);
	put(HIGH + 0x1000, 0x2222222222222222);
}

/* What level 4 entry 273 maps: with five levels and with four. */
#define VA4 UINT64_C(0xffff888000000000)
#define VA5 (UINT64_C(0xffff000000000000) | UINT64_C(273) << 39)

static void
walks_find_pages_of_all_sizes(void **state)
{
	struct mmu m = { &memory, LOW + 0x1000, 4, 0 };
	struct mmu_walk w;
	uint64_t word;

	(void)state;
	setup_tables();
	assert_true(mmu_walk(&m, VA4 + 0xe00123, &w));
	assert_int_equal(w.physical, 0x15123);
	assert_int_equal(w.size, 4096);
	assert_int_equal(w.table, 0x14000);
	assert_int_equal(w.entry, 0x15000 | P | UINT64_C(1) << 63);
	assert_true(mmu_walk(&m, VA4 + 0x1012345, &w));
	assert_int_equal(w.physical, 0x612345);
	assert_int_equal(w.size, 2 << 20);
	assert_true(mmu_walk(&m, VA4 + 0x40000000 + 0x1234567, &w));
	assert_int_equal(w.physical, 0x41234567);
	assert_int_equal(w.size, 1 << 30);
	assert_true(mmu_walk(&m, VA4 + 0xe04000, &w));
	assert_int_equal(w.physical, 0x15000);
	assert_true(mmu_read_u64(&m, VA4 + 0xe00ff8, &word));
	assert_int_equal(word, 0x1111111111111111);
	/* Over the end of one page into the next, which is far away. */
	assert_true(mmu_read_u64(&m, VA4 + 0xe00ffc, &word));
	assert_int_equal(word, 0x2222222211111111);
}

static void
five_levels_and_encryption(void **state)
{
	struct mmu m = { &memory, LOW, 5, 0 };
	uint64_t physical;

	(void)state;
	setup_tables();
	assert_true(mmu_translate(&m, VA5 + 0xe00000, &physical));
	assert_int_equal(physical, 0x15000);
	assert_false(mmu_translate(&m, VA5 - (UINT64_C(1) << 48), &physical));
	put(LOW + 8 * 511, 0x11000 | P | UINT64_C(1) << 47);
	assert_false(mmu_translate(&m, VA5 + 0xe00000, &physical));
	m.encrypted = UINT64_C(1) << 47;
	assert_true(mmu_translate(&m, VA5 + 0xe00000, &physical));
	assert_int_equal(physical, 0x15000);
}

static void
what_is_not_mapped_is_told(void **state)
{
	struct mmu m = { &memory, LOW + 0x1000, 4, 0 };
	struct mmu_walk w;
	uint64_t word;

	(void)state;
	setup_tables();
	assert_false(mmu_walk(&m, VA4 + 0xe03000, &w));
	assert_int_equal(w.entry, 0x15000); /* the reader may know more */
	assert_false(mmu_walk(&m, VA4 + 0xe05000, &w));
	assert_int_equal(w.entry, 0);
	assert_false(mmu_walk(&m, VA5, &w)); /* not canonical */
	assert_false(mmu_walk(&m, 0, &w));
	assert_true(mmu_walk(&m, VA4 + 0xe02000, &w));
	assert_int_equal(w.physical, 0x99000000);
	assert_false(mmu_read_u64(&m, VA4 + 0xe02000, &word));
	assert_false(mmu_read_u64(&m, VA4 + 0xe01ffc, &word));
	m.root = 0x99000000;
	assert_false(mmu_walk(&m, VA4, &w));
}

/* A table that is its own entry, at every level. */
static void
a_circle_of_tables_ends(void **state)
{
	struct mmu m = { &memory, LOW, 5, 0 };
	struct mmu_walk w;

	(void)state;
	memset(pages, 0, sizeof(pages));
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		put(LOW + 8 * i, LOW | P);
	assert_true(mmu_walk(&m, 0x123456789abc, &w));
	assert_int_equal(w.physical, LOW + 0xabc);
	assert_int_equal(w.table, LOW);
}

static void
memory_without_tables_is_no_error(void **state)
{
	struct guest g;
	struct err e;
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(pages); i += 8) {
		uint64_t word = test_random(&seed);

		memcpy(pages + i, &word, 8);
	}
	assert_ok(guest_open(&g, &memory, &e), &e);
	assert_int_equal(g.os, GUEST_NONE);
	assert_string_equal(guest_os_name(g.os), "none");
	assert_int_equal(guest_class(&g, 3), CLASS_UNKNOWN);
	assert_false(guest_drops(&g, 3));
	assert_ok(guest_refresh(&g, &e), &e);
	guest_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_find_pages_of_all_sizes),
		cmocka_unit_test(five_levels_and_encryption),
		cmocka_unit_test(what_is_not_mapped_is_told),
		cmocka_unit_test(a_circle_of_tables_ends),
		cmocka_unit_test(memory_without_tables_is_no_error),
	};

	return cmocka_run_group_tests_name("mmu", tests, NULL, NULL);
}
