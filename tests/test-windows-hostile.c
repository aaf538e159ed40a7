/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/made-windows-impl.h"
#include "tests/test.h"

#include "classify/guest.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"

/* SYNTHETIC Windows guests whose tables are damaged in a few places: none may
 * crash the reader, take it long, or make it say that a page is free which
 * the guest has.  As many as the environment's VIRT_MIG_MUTATIONS.
 */
#define MUTATIONS   280
#define DAMAGES_MAX 32
#define LONGEST_NS  UINT64_C(1000000000)

static struct made_windows w;
static struct err e;

/* Pages as they were before the damage. */
static struct {
	uint64_t n;
	uint8_t bytes[PAGE_BYTES];
} saved[2 * DAMAGES_MAX];
static size_t nsaved;

static uint8_t *
damage(uint64_t n)
{
	uint8_t *page = made_page(&w, n);

	assert_true(nsaved < ARRAY_LEN(saved));
	saved[nsaved].n = n;
	memcpy(saved[nsaved++].bytes, page, PAGE_BYTES);
	return page;
}

static void
repair(void)
{
	while (nsaved-- > 0)
		memcpy(made_page(&w, saved[nsaved].n), saved[nsaved].bytes,
		       PAGE_BYTES);
	nsaved = 0;
}

/* The pages of the PFN database, while the way to them is whole. */
static uint64_t database[PAGE_BYTES];
static size_t ndatabase;

static void
find_database(void)
{
	ndatabase = 0;
	for (uint64_t n = 0, last = 0; n < w.high; n++) {
		uint64_t at;

		if (!w.entries[n].exists)
			continue;
		at = made_translate(&w, w.pfn_base + n * 0x30);
		if (at != last)
			database[ndatabase++] = last = at;
		assert_true(ndatabase < ARRAY_LEN(database));
	}
}

/* A page that holds tables of any kind. */
static uint64_t
table_page(void)
{
	uint64_t n;

	if (made_random(&w) % 2)
		return database[made_random(&w) % ndatabase];
	do {
		n = made_random(&w) % w.high;
	} while (w.truth[n].class != CLASS_TABLE &&
		 w.truth[n].class != CLASS_KERNEL);
	return n;
}

static void
damage_once(void)
{
	uint64_t n = table_page(), from = table_page(), x = made_random(&w);
	uint8_t *page = damage(n);
	size_t word = 8 * (x % PAGE_WORDS);

	switch (x >> 32 & 15) {
	case 0:
		memset(page, 0, PAGE_BYTES);
		break;
	case 1:
		memset(page, 0xff, PAGE_BYTES);
		break;
	case 2:
		for (size_t i = 0; i < PAGE_BYTES; i++)
			page[i] = (uint8_t)made_random(&w);
		break;
	case 3: /* one that is right elsewhere */
		memcpy(page, made_page(&w, from), PAGE_BYTES);
		break;
	case 4: /* lists that lead to themselves or to each other */
	case 5:
		memcpy(page + word, page + 8 * (x >> 40 & 511), 8);
		break;
	case 6: /* an entry of the database in another's place */
	case 7:
		memcpy(page + 0x30 * (x % 85),
		       made_page(&w, from) + 0x30 * (x >> 40 & 63), 0x30);
		break;
	case 8: /* entries that say free */
	case 9:
		for (size_t i = 0; i < 85; i++)
			page[0x30 * i +
			     (w.config.build < 10240 ? 0x1a : 0x22)] = 1;
		break;
	case 10:
		x = made_random(&w);
		memcpy(page + word, &x, 8);
		break;
	case 11:
		page[x % PAGE_BYTES] = (uint8_t)(x >> 40);
		break;
	default:
		page[x % PAGE_BYTES] ^= (uint8_t)(1 << (x >> 40 & 7));
		break;
	}
}

static const uint8_t *
ram_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	(void)arg;
	(void)scratch;
	return gpa >> PAGE_SHIFT < w.high ? made_page(&w, gpa >> PAGE_SHIFT)
					  : NULL;
}

/* The damage may put a page from one of these lists into another: nothing is
 * lost then, whoever reads them.
 */
static bool
nobody_has(uint64_t n)
{
	return w.entries[n].exists && (w.entries[n].location == PFN_FREE ||
				       w.entries[n].location == PFN_ZEROED ||
				       w.entries[n].location == PFN_BAD);
}

/* Opens what there is now; returns how many pages may be dropped. */
static uint64_t
check_guest(void)
{
	struct memory_run all = { 0, w.high, 0 };
	struct physical p = {
		.page = ram_page, .runs = &all, .nruns = 1, .npages = w.high
	};
	uint64_t start = clock_cpu_ns(), dropped = 0;
	struct guest g;

	assert_ok(guest_open(&g, &p, &e), &e);
	assert_true(clock_cpu_ns() - start < LONGEST_NS);
	for (uint64_t n = 0; n < w.high; n++) {
		if (guest_class(&g, n) != CLASS_FREE)
			continue;
		if (!nobody_has(n))
			fail_msg("page 0x%" PRIx64 " of a %u is %s, not free",
				 n, w.config.build,
				 class_name(w.truth[n].class));
		dropped += guest_drops(&g, n);
	}
	guest_close(&g);
	return dropped;
}

static void
damaged_tables_never_make_a_page_free(void **state)
{
	static const unsigned builds[] = { 7601,  9600,  10240, 14393,
					   17763, 19041, 26100 };
	const char *asked = getenv("VIRT_MIG_MUTATIONS");
	unsigned long each = strtoul(asked ? asked : "0", NULL, 0);
	uint64_t sound = 0, slow = 0;

	(void)state;
	each = ((each ? each : MUTATIONS) + ARRAY_LEN(builds) - 1) /
	       ARRAY_LEN(builds);
	for (size_t b = 0; b < ARRAY_LEN(builds); b++) {
		struct made_config c = { .build = builds[b],
					 .bytes = 48 << 20,
					 .seed = b };

		made_windows_init(&w, &c);
		find_database();
		assert_true(check_guest() > 1000);
		for (unsigned long i = 0; i < each; i++) {
			uint64_t n = 1 + made_random(&w) % DAMAGES_MAX;
			uint64_t start = clock_cpu_ns();

			while (n-- > 0)
				damage_once();
			sound += check_guest() > 0;
			slow = MAX(slow, clock_cpu_ns() - start);
			repair();
		}
		made_windows_fini(&w);
	}
	print_message("# %lu guests, in %" PRIu64
		      " of them pages may be dropped; slowest %" PRIu64 " ms\n",
		      each * ARRAY_LEN(builds), sound, slow / 1000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_tables_never_make_a_page_free),
	};

	return cmocka_run_group_tests_name("windows-hostile", tests, NULL,
					   NULL);
}
