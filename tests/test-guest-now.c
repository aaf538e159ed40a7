/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/make-linux.h"
#include "tests/test.h"

#include "classify/guest-now.h"

/* A made-up guest that runs: its memory changes whenever it is forgotten. */
#define AT_CLOCK 0x3c008
#define JIFFIES  UINT64_C(0xfffedb08)

static uint8_t mem[LINUX_BYTES];
static struct memory_run run = { 0, LINUX_NPAGES, 0 };
static void (*changes)(void);

static const uint8_t *
page_at(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	(void)scratch;
	return gpa < LINUX_BYTES ? mem + gpa : NULL;
}

static void
forget(void *arg)
{
	(void)arg;
	if (changes)
		changes();
}

static struct physical memory = { .page = page_at,
				  .forget = forget,
				  .runs = &run,
				  .nruns = 1,
				  .npages = LINUX_NPAGES };
static struct guest g;

static struct guest_now *
open_now(void)
{
	struct guest_now *n;
	struct err e;

	linux_make(mem);
	/* The kernel's image is data, too. */
	linux_put(mem, AT_IMAGE_2 + 8 * 8, 0x83 | UINT64_C(1) << 63);
	linux_put(mem, AT_CLOCK, JIFFIES);
	linux_put(mem, AT_CLOCK + 64, JIFFIES + 77); /* stands still */
	linux_put(mem, AT_CLOCK - 8, JIFFIES + 700);
	linux_put(mem, AT_CLOCK + 8, JIFFIES + 900);
	assert_ok(guest_open(&g, &memory, &e), &e);
	n = guest_now_open(&g, &e);
	if (!n)
		fail_msg("%s", e.text);
	return n;
}

static struct guest_now *
open_ticking(void)
{
	struct guest_now *n = open_now();

	assert_false(guest_now_ticks(n, 1000000000));
	linux_put(mem, AT_CLOCK, JIFFIES + 250);
	assert_true(guest_now_ticks(n, 2000000000));
	assert_true(guest_now_look(n));
	return n;
}

static int
setup(void **state)
{
	(void)state;
	changes = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	guest_close(&g);
	return 0;
}

static void
what_is_free_is_read_anew(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_true(guest_now_is_free(n, PFN_FREE + i));
	assert_false(guest_now_is_free(n, PFN_ANON));
	assert_false(guest_now_is_free(n, PFN_LOOSE));
	assert_false(guest_now_is_free(n, LINUX_NPAGES));
	/* The block is given to somebody. */
	linux_page(mem, PFN_FREE, 0, 0, 0, UINT32_MAX, 1);
	assert_true(guest_now_look(n));
	for (unsigned i = 0; i < 8; i++)
		assert_false(guest_now_is_free(n, PFN_FREE + i));
	/* Others are free now. */
	linux_page(mem, PFN_ANON, 0, 0, 0, (uint32_t)-129, 0);
	linux_put(mem, AT_PAGES + PFN_ANON * 64 + 40, 0);
	assert_true(guest_now_look(n));
	assert_true(guest_now_is_free(n, PFN_ANON));
	guest_now_close(n);
}

static void
a_page_in_use_is_not_free(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	mem[AT_PAGES + (PFN_FREE + 3) * 64 + 52] = 1;
	assert_true(guest_now_look(n));
	assert_true(guest_now_is_free(n, PFN_FREE + 2));
	assert_false(guest_now_is_free(n, PFN_FREE + 3));
	guest_now_close(n);
}

/* What describes the pages has moved: what stood there says nothing. */
static void
an_array_that_moves_is_not_believed(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	linux_put(mem, AT_DIRECT_3, 0x40000081); /* 1 GiB on */
	assert_true(guest_now_look(n));
	for (unsigned i = 0; i < 8; i++)
		assert_false(guest_now_is_free(n, PFN_FREE + i));
	linux_put(mem, AT_DIRECT_3, 0x81);
	assert_true(guest_now_look(n));
	assert_true(guest_now_is_free(n, PFN_FREE));
	guest_now_close(n);
}

/* The order that was read is that of a block that is no more. */
static void
shrink(void)
{
	uint64_t at = AT_PAGES + PFN_FREE * 64 + 40;

	mem[at] = mem[at] == 3 ? 2 : 3;
}

static void
what_changes_while_it_is_read_is_not_believed(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	changes = shrink;
	assert_true(guest_now_look(n));
	for (unsigned i = 0; i < 8; i++)
		assert_false(guest_now_is_free(n, PFN_FREE + i));
	changes = NULL;
	guest_now_close(n);
}

static void
a_block_that_makes_no_sense_is_none(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	for (unsigned order = 6; order < 70; order += 5) {
		linux_put(mem, AT_PAGES + PFN_FREE * 64 + 40, order);
		assert_true(guest_now_look(n));
		assert_false(guest_now_is_free(n, PFN_FREE));
	}
	guest_now_close(n);
}

static void
only_a_clock_is_a_clock(void **state)
{
	struct guest_now *n = open_now();

	(void)state;
	assert_false(guest_now_ticks(n, 1000000000));
	/* Too soon to tell, then much too fast, then it stands still. */
	linux_put(mem, AT_CLOCK, JIFFIES + 10);
	assert_false(guest_now_ticks(n, 1040000000));
	linux_put(mem, AT_CLOCK, JIFFIES + 5000);
	assert_false(guest_now_ticks(n, 2000000000));
	assert_false(guest_now_ticks(n, 3000000000));
	/* In time again, as after a rest. */
	linux_put(mem, AT_CLOCK, JIFFIES + 250 * 19);
	assert_false(guest_now_ticks(n, 20000000000)); /* it went back */
	guest_now_close(n);
	guest_close(&g);
	n = open_now();
	assert_false(guest_now_ticks(n, 1000000000));
	linux_put(mem, AT_CLOCK, JIFFIES + 19000);
	assert_true(guest_now_ticks(n, 20000000000));
	guest_now_close(n);
}

/* A time that is waited for goes with the clock until it is put off. */
static void
what_goes_with_the_clock_may_go_back(void **state)
{
	struct guest_now *n = open_now();

	(void)state;
	assert_false(guest_now_ticks(n, 1000000000));
	linux_put(mem, AT_CLOCK - 8, JIFFIES + 950);
	linux_put(mem, AT_CLOCK, JIFFIES + 250);
	linux_put(mem, AT_CLOCK + 8, JIFFIES + 1150);
	assert_true(guest_now_ticks(n, 2000000000));
	linux_put(mem, AT_CLOCK - 8, JIFFIES + 700);
	assert_true(guest_now_look(n));
	assert_int_equal(guest_now_clock(n), 0);
	linux_put(mem, AT_CLOCK, JIFFIES + 260);
	assert_true(guest_now_look(n));
	assert_int_equal(guest_now_clock(n), 1);
	linux_put(mem, AT_CLOCK + 8, 0);
	assert_true(guest_now_look(n));
	linux_put(mem, AT_CLOCK, JIFFIES);
	assert_false(guest_now_look(n));
	guest_now_close(n);
}

static void
a_kernel_that_starts_again_is_another(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	linux_put(mem, AT_CLOCK, JIFFIES + 260);
	assert_true(guest_now_look(n));
	linux_put(mem, AT_CLOCK, JIFFIES + 1);
	assert_false(guest_now_look(n));
	guest_now_close(n);
}

static void
cpus_show_which_kernel_runs(void **state)
{
	struct guest_now *n = open_ticking();

	(void)state;
	assert_true(guest_now_runs(n, AT_TOP));
	assert_true(guest_now_runs(n, AT_TOP | 0xfff));
	/* That of a program, next to it. */
	assert_true(guest_now_runs(n, AT_TOP ^ 0x1000));
	assert_false(guest_now_runs(n, AT_DIRECT_3));
	assert_false(guest_now_runs(n, 0x123456789000));
	guest_now_close(n);
}

static void
memory_elsewhere_is_not_believed(void **state)
{
	struct memory_run two[2] = {
		{ 0, LINUX_NPAGES, 0 },
		{ UINT64_C(1) << 32, LINUX_NPAGES, LINUX_NPAGES },
	};
	struct guest_now *n;
	struct err e;

	(void)state;
	guest_now_close(open_now());
	memory.runs = two;
	memory.nruns = 2;
	memory.npages = 2 * LINUX_NPAGES;
	n = guest_now_open(&g, &e);
	memory.runs = &run;
	memory.nruns = 1;
	memory.npages = LINUX_NPAGES;
	assert_null(n);
	assert_int_equal(e.code, ERR_USAGE);
}

static void
a_guest_in_doubt_is_not_asked(void **state)
{
	struct err e;

	(void)state;
	guest_now_close(open_now());
	g.drops = false;
	assert_null(guest_now_open(&g, &e));
	assert_int_equal(e.code, ERR_USAGE);
}

int
main(void)
{
#define now(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		now(what_is_free_is_read_anew),
		now(a_page_in_use_is_not_free),
		now(an_array_that_moves_is_not_believed),
		now(what_changes_while_it_is_read_is_not_believed),
		now(a_block_that_makes_no_sense_is_none),
		now(only_a_clock_is_a_clock),
		now(what_goes_with_the_clock_may_go_back),
		now(a_kernel_that_starts_again_is_another),
		now(cpus_show_which_kernel_runs),
		now(memory_elsewhere_is_not_believed),
		now(a_guest_in_doubt_is_not_asked),
	};

	return cmocka_run_group_tests_name("guest-now", tests, NULL, NULL);
}
