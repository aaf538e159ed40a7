/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "tests/live-steps.h"
#include "tests/make-linux.h"

/* The made-up guest runs in this process, and QEMU moves it. */
#define AT_CLOCK 0x3c008
#define JIFFIES  UINT64_C(0xfffedb08)
#define CR0      UINT64_C(0x80050033)

static uint8_t *mem; /* its RAM */
static struct buf stream;
static struct world w;
static uint64_t began_ns;
static unsigned rounds = 1; /* of all pages */

/* The clock goes while the world does. */
static bool
tick(const struct world *world)
{
	uint64_t ms = (clock_wall_ns() - began_ns) / 1000000;

	(void)world;
	linux_put(mem, AT_CLOCK, JIFFIES + ms / 4);
	return false;
}

static bool
drops(const struct world *world)
{
	tick(world);
	return live_sender_stats(world->s)->drops;
}

/* Enough to find it several times over. */
static bool
has_run_a_second(const struct world *world)
{
	tick(world);
	return clock_wall_ns() - began_ns > 1000000000;
}

static bool
was_dropped(const struct world *world)
{
	tick(world);
	return live_sender_stats(world->s)->plans[PLAN_FREE] == 7;
}

static bool
give_memory(void *arg, int qemu_fd, struct qemu_maps *out)
{
	(void)arg;
	(void)qemu_fd;
	*out = (struct qemu_maps)QEMU_MAPS_NONE;
	out->fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	out->list[out->n++] = (struct qemu_map){ (uint64_t)(uintptr_t)mem,
						 LINUX_BYTES, false };
	return out->fd >= 0;
}

#define NO_CPU UINT64_MAX

static void
make_cpu(uint64_t cr3)
{
	static const uint8_t nothing[456];

	if (cr3 == NO_CPU)
		return;

	make_section(&stream, 0x04, 7, "cpu", 12);
	make_bytes(&stream, nothing, sizeof(nothing));
	make_be64(&stream, CR0);
	make_be64(&stream, 0);
	make_be64(&stream, cr3);
	make_bytes(&stream, nothing, 100);
	make_footer(&stream, 7);
}

static void
make_ram_of_guest(uint8_t type)
{
	make_part(&stream, type, MAKE_RAM_ID);
	for (unsigned n = 0; n < LINUX_NPAGES; n++) {
		make_head(&stream, 0x08, n, n ? NULL : "pc.ram");
		make_bytes(&stream, mem + n * 4096, 4096);
	}
	make_eos(&stream);
}

/* Returns where QEMU waits until the guest is known. */
static size_t
make_guest_stream(uint64_t cr3, bool advise)
{
	size_t first;

	make_header(&stream);
	if (advise)
		make_advise(&stream, 4096);
	make_section(&stream, 0x01, MAKE_RAM_ID, "ram", 4);
	make_be64(&stream, LINUX_BYTES | 0x04);
	make_name(&stream, "pc.ram");
	make_be64(&stream, LINUX_BYTES);
	make_eos(&stream);
	make_part(&stream, 0x02, MAKE_RAM_ID);
	make_zero(&stream, LINUX_NPAGES - 1, "pc.ram");
	make_eos(&stream);
	first = stream.len;
	for (unsigned i = 0; i < rounds; i++)
		make_ram_of_guest(0x02);
	make_part(&stream, 0x03, MAKE_RAM_ID);
	make_eos(&stream);
	make_cpu(cr3);
	make_devices(&stream);
	make_u8(&stream, 0);
	make_description(&stream);
	return first;
}

static int
setup(void **state)
{
	uint64_t seed = 5;

	(void)state;
	mem = mmap(NULL, LINUX_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	linux_make(mem);
	linux_put(mem, AT_IMAGE_2 + 8 * 8, 0x83 | UINT64_C(1) << 63);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 4096; k += 8)
			linux_put(mem, (PFN_FREE + i) * 4096 + k,
				  test_random(&seed));
	/* One that the guest may look at again: it is of one word. */
	memset(mem + (PFN_FREE + 5) * 4096, 0xaa, 4096);
	began_ns = clock_wall_ns();
	tick(NULL);
	buf_init(&stream, 64 << 20);
	world_init(&w);
	w.sc.memory = give_memory;
	w.sc.rate = 1 << 30; /* bytes count, so the guest is looked for */
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	world_fini(&w);
	buf_fini(&stream);
	munmap(mem, LINUX_BYTES);
	return 0;
}

/* Moves the guest, once it is known. */
static void
move(size_t first)
{
	world_channel(&w, &stream);
	w.channels[0].stop = first;
	world_begin(&w);
	world_run(&w, drops);
	w.channels[0].stop = stream.len;
	world_run(&w, tick);
}

/* Free pages are zeros in what arrived, and all else is as it was. */
static void
assert_arrived_but_free(size_t first)
{
	const struct world_channel *c = &w.channels[0];
	size_t at = first + 5; /* PART */

	assert_int_equal(c->out.len, stream.len);
	for (unsigned n = 0; n < LINUX_NPAGES; n++) {
		at += n ? 8 : 8 + 7;
		for (unsigned i = 0; i < 4096; i++)
			if (n >= PFN_FREE && n < PFN_FREE + 8 &&
			    n != PFN_FREE + 5)
				stream.data[at + i] = 0;
		at += 4096;
	}
	assert_memory_equal(c->out.data, stream.data, stream.len);
}

static void
free_pages_stay_behind(void **state)
{
	const struct live_sender_stats *s;
	size_t first = make_guest_stream(AT_TOP, false);

	(void)state;
	move(first);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	s = live_sender_stats(w.s);
	assert_string_equal(s->guest, "Linux 6.1.0-made");
	assert_int_equal(s->plans[PLAN_FREE], 7);
	assert_int_equal(s->refused, 0);
	assert_arrived_but_free(first);
}

static void
a_link_that_waits_for_us_is_not_worth_it(void **state)
{
	const struct live_sender_stats *s;
	size_t first = make_guest_stream(AT_TOP, false);

	(void)state;
	w.sc.rate = 0;
	world_channel(&w, &stream);
	w.channels[0].stop = first;
	world_begin(&w);
	world_run(&w, has_run_a_second);
	w.channels[0].stop = stream.len;
	world_run(&w, tick);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	s = live_sender_stats(w.s);
	assert_false(s->drops);
	assert_int_equal(s->plans[PLAN_FREE], 0);
	assert_non_null(strstr(s->guest, "the link was not"));
}

static void
another_kernel_ends_the_migration(void **state)
{
	size_t first = make_guest_stream(AT_DIRECT_3, false);

	(void)state;
	move(first);
	assert_int_equal(w.sender_why.code, ERR_LIMIT);
	assert_non_null(strstr(w.sender_why.text, "another kernel"));
	/* QEMU there never saw the end. */
	assert_true(w.channels[0].out.len < stream.len);
}

/* The state says nothing that is understood; but the guest goes on. */
static void
a_clock_that_goes_on_will_do(void **state)
{
	size_t first = make_guest_stream(NO_CPU, false), all = stream.len;

	(void)state;
	world_channel(&w, &stream);
	w.channels[0].stop = first;
	world_begin(&w);
	world_run(&w, drops);
	w.channels[0].stop = all - 200;
	world_run(&w, was_dropped);
	usleep(100000);
	w.channels[0].stop = all;
	world_run(&w, tick);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	assert_arrived_but_free(first);
}

/* QEMU may send differences from what it sent before, from its second round on:
 * that has to be there.
 */
static void
what_comes_again_is_sent(void **state)
{
	const struct live_sender_stats *s;
	size_t first, second;

	(void)state;
	rounds = 2;
	first = make_guest_stream(AT_TOP, false);
	rounds = 1;
	second = first + 5 + 7 + LINUX_NPAGES * (8 + 4096) + 8 + 5;
	move(first);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	s = live_sender_stats(w.s);
	assert_int_equal(s->plans[PLAN_FREE], 7);
	assert_int_equal(w.channels[0].out.len, stream.len);
	assert_memory_equal(w.channels[0].out.data + second,
			    stream.data + second, stream.len - second);
}

/* What QEMU read is not what is there now: it has been written to since, and
 * will be sent again; or it is not there that we read.
 */
static void
what_is_not_what_qemu_read_is_sent(void **state)
{
	size_t first = make_guest_stream(AT_TOP, false);

	(void)state;
	mem[(PFN_FREE + 2) * 4096 + 17]++;
	move(first);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	assert_int_equal(live_sender_stats(w.s)->plans[PLAN_FREE], 6);
}

static bool
is_known(const struct world *world)
{
	tick(world);
	return *live_sender_stats(world->s)->guest;
}

static void
nothing_is_dropped_where_postcopy_may_come(void **state)
{
	size_t first = make_guest_stream(AT_TOP, true);

	(void)state;
	world_channel(&w, &stream);
	w.channels[0].stop = first;
	world_begin(&w);
	world_run(&w, is_known);
	assert_string_equal(live_sender_stats(w.s)->guest, "postcopy");
	w.channels[0].stop = stream.len;
	world_run(&w, tick);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	assert_int_equal(live_sender_stats(w.s)->plans[PLAN_FREE], 0);
	assert_memory_equal(w.channels[0].out.data, stream.data, stream.len);
}

/* A base that is not the same there: the frame is said again, and pages that
 * were left out are left out again.
 */
static void
what_is_said_again_is_the_same(void **state)
{
	static uint8_t ours[LINUX_BYTES], theirs[LINUX_BYTES];
	static struct fuzz_memory a, b;
	static struct digest region;
	struct held held[2];
	size_t first = make_guest_stream(AT_TOP, false);

	(void)state;
	memcpy(ours, mem, LINUX_BYTES);
	memcpy(theirs, mem, LINUX_BYTES);
	theirs[AT_UTS + 5] ^= 1;
	fuzz_memory(&a, ours, LINUX_NPAGES);
	fuzz_memory(&b, theirs, LINUX_NPAGES);
	held[0] = (struct held){ .base = { BASE_MEMORY, .npages = LINUX_NPAGES,
					   .memory = &a.memory },
				 .regions = &region,
				 .nregions = 1,
				 .name = "kept" };
	held[1] = held[0];
	held[1].base.memory = &b.memory;
	w.sc.held = &held[0];
	w.rc.held = &held[1];
	w.sc.nheld = w.rc.nheld = 1;
	move(first);
	assert_int_equal(w.sender_why.code, ERR_NONE);
	assert_true(live_sender_stats(w.s)->refused > 0);
	assert_arrived_but_free(first);
}

int
main(void)
{
#define sentence(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		sentence(free_pages_stay_behind),
		sentence(a_link_that_waits_for_us_is_not_worth_it),
		sentence(another_kernel_ends_the_migration),
		sentence(a_clock_that_goes_on_will_do),
		sentence(what_comes_again_is_sent),
		sentence(what_is_not_what_qemu_read_is_sent),
		sentence(nothing_is_dropped_where_postcopy_may_come),
		sentence(what_is_said_again_is_the_same),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("free-pages", tests, NULL, NULL);
}
