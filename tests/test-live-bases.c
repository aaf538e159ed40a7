/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/live-guest.h"
#include "tests/make-module.h"

#include "dedup/modules.h"

/* What both ends of a live migration hold, and what they keep. */

/* A base that is not what both believed: a NAK, and the words. */
static void
a_base_that_lies_costs_a_second_sending(void **state)
{
	static uint8_t ours[64 * 4096], theirs[64 * 4096];
	static struct digest region;
	static struct fuzz_memory a, b;
	struct held held[2];
	uint64_t seed = 7;

	(void)state;
	make_guest_stream(&stream, true);
	for (unsigned n = 0; n < MAKE_PAGES; n++)
		for (unsigned i = 0; i < 512; i++) {
			uint64_t v = test_random(&seed);

			if (n % 5 != 0) /* as put_pages() makes the first */
				memcpy(ours + n * 4096 + i * 8, &v, 8);
		}
	make_bytes(&more, ours, 1);
	/* The words of the first pass, found in the stream itself. */
	for (size_t at = 0, n = 0; n < MAKE_PAGES && at + 4096 < stream.len;
	     at++)
		if (memcmp(stream.data + at, "\x06pc.ram", 7) == 0 &&
		    at > 200) {
			memcpy(ours + 3 * 4096, stream.data + at + 7, 4096);
			n = MAKE_PAGES;
		}
	memcpy(theirs, ours, sizeof(ours));
	memset(theirs + 3 * 4096 + 100, 0x55, 8);
	fuzz_memory(&a, ours, 17);
	fuzz_memory(&b, theirs, 17);
	held[0] = (struct held){ .base = { BASE_MEMORY, .npages = 17,
					   .memory = &a.memory },
				 .regions = &region,
				 .nregions = 1,
				 .name = "kept" };
	held[1] = held[0];
	held[1].base.memory = &b.memory;
	w.sc.held = &held[0];
	w.rc.held = &held[1];
	w.sc.nheld = w.rc.nheld = 1;
	world_channel(&w, &stream);
	world_begin(&w);
	all_arrives();
	assert_int_equal(live_sender_stats(w.s)->nwhole, 1);
	assert_true(live_sender_stats(w.s)->refused > 0);
	assert_int_equal(live_sender_stats(w.s)->refused,
			 live_receiver_stats(w.r)->refused);
}

/* A guest whose pages are these, in another order. */
static void
make_pages(const uint8_t bytes[16 * 4096])
{
	make_header(&stream);
	make_start(&stream);
	make_part(&stream, 0x02, MAKE_RAM_ID);
	for (unsigned n = 0; n < MAKE_PAGES; n++) {
		make_head(&stream, 0x08, n, n ? NULL : "pc.ram");
		make_bytes(&stream, bytes + (MAKE_PAGES - n) % 16 * 4096, 4096);
	}
	make_eos(&stream);
	make_part(&stream, 0x03, MAKE_RAM_ID);
	make_eos(&stream);
	make_devices(&stream);
	make_u8(&stream, 0);
	make_description(&stream);
}

/* Programs are found by what is in them, wherever they stand. */
static void
programs_are_a_base(void **state)
{
	static struct fuzz_memory m;
	static struct digest region;
	struct held held = { .base = { BASE_PROGRAMS, .npages = 16,
				       .memory = &m.memory },
			     .regions = &region,
			     .nregions = 1,
			     .name = "programs" };
	static uint8_t bytes[16 * 4096];
	uint64_t seed = 99;

	(void)state;
	for (size_t at = 0; at < sizeof(bytes); at += 8) {
		uint64_t v = test_random(&seed);

		memcpy(bytes + at, &v, 8);
	}
	make_pages(bytes);
	fuzz_memory(&m, bytes, 16);
	w.sc.held = w.rc.held = &held;
	w.sc.nheld = w.rc.nheld = 1;
	world_channel(&w, &stream);
	world_begin(&w);
	all_arrives();
	assert_int_equal(live_sender_stats(w.s)->nwhole, 1);
	assert_int_equal(live_sender_stats(w.s)->plans[PLAN_REF], MAKE_PAGES);
	assert_int_equal(live_sender_stats(w.s)->refused, 0);
}

/* Each end has the module in an image of its own; there, another may be. */
static struct modules *
open_module(const struct made_module *made, const struct memory *list,
	    struct image **img)
{
	char path[] = "/tmp/virt-mig-live-XXXXXX";
	struct modules *ms;
	struct err e;
	int fd = mkstemp(path);

	assert_int_equal(ftruncate(fd, 64 * 4096), 0);
	assert_int_equal(pwrite(fd, made->file, made->len, 7 * 4096),
			 made->len);
	close(fd);
	*img = image_open_as(path, "raw", &e);
	unlink(path);
	assert_non_null(*img);
	ms = modules_new(list, *img);
	assert_non_null(ms);
	return ms;
}

/* Pages of a module that stand in the guest with the addresses of others in
 * them.
 */
static void
move_a_module(bool lost)
{
	static uint8_t bytes[16 * 4096];
	static const unsigned pages[] = { 0, 2, 5 };
	static struct made_module made;
	static struct digest region;
	struct modules_list list;
	struct fuzz_memory m;
	struct image *images[2];
	struct held held[2];
	struct module laid;
	struct err e;

	module_make(&made);
	assert_ok(module_lay_out(&laid, made.file, made.len, &e), &e);
	modules_list_init(&list);
	assert_ok(modules_list_add(&list, 7, &laid, &e), &e);
	assert_ok(modules_list_end(&list, &e), &e);
	fuzz_memory(&m, list.modules.data, 1);
	for (unsigned n = 0; n < 16; n++) {
		memcpy(bytes + n * 4096,
		       laid.bytes + pages[n % ARRAY_LEN(pages)] * 4096, 4096);
		for (unsigned i = 0; i < 60; i++)
			bytes[n * 4096 + i * 64 + 16] ^= (uint8_t)(n + 1);
	}
	make_pages(bytes);
	for (unsigned i = 0; i < 2; i++) {
		held[i] = (struct held){ .base = { BASE_PROGRAMS, .npages = 1,
						   .memory = &m.memory,
						   .modules = open_module(
							   &made, &m.memory,
							   &images[i]) },
					 .regions = &region,
					 .nregions = 1,
					 .name = "programs" };
		if (lost)
			made.file[0] = 0; /* over there */
	}
	w.sc.held = &held[0];
	w.rc.held = &held[1];
	w.sc.nheld = w.rc.nheld = 1;
	world_channel(&w, &stream);
	world_begin(&w);
	world_run(&w, NULL);
	assert_all_is_well();
	assert_int_equal(live_sender_stats(w.s)->plans[PLAN_DELTA], MAKE_PAGES);
	assert_true((live_sender_stats(w.s)->refused > 0) == lost);
	for (unsigned i = 0; i < 2; i++) {
		modules_free(held[i].base.modules);
		image_close(images[i]);
	}
	modules_list_fini(&list);
	free(laid.bytes);
}

static void
modules_are_found_by_what_is_like_them(void **state)
{
	(void)state;
	move_a_module(false);
}

static void
a_module_that_is_lost_costs_a_second_sending(void **state)
{
	(void)state;
	move_a_module(true);
}

/* Whether or not it was in memory until then. */
static void
both_keep_the_same_memory(uint64_t sender_room, uint64_t receiver_room)
{
	uint8_t a[4096], b[4096];

	w.sc.keep = w.rc.keep = true;
	w.sc.room = sender_room;
	w.rc.room = receiver_room;
	guest_begin(true);
	all_arrives();
	assert_true(live_sender_stats(w.s)->kept);
	assert_true(live_receiver_stats(w.r)->kept);
	for (unsigned n = 0; n <= MAKE_PAGES; n++) {
		assert_int_equal(pread(w.sender_fd, a, 4096, n * 4096), 4096);
		assert_int_equal(pread(w.receiver_fd, b, 4096, n * 4096), 4096);
		assert_memory_equal(a, b, 4096);
	}
	assert_int_equal(pread(w.sender_fd, a, 1, 17 * 4096), 0);
}

static void
what_is_kept_was_in_files(void **state)
{
	(void)state;
	both_keep_the_same_memory(0, 0);
}

static void
what_is_kept_was_in_memory(void **state)
{
	(void)state;
	both_keep_the_same_memory(1 << 30, 1 << 30);
}

static void
what_is_kept_was_in_memory_here_and_in_a_file_there(void **state)
{
	(void)state;
	both_keep_the_same_memory(1 << 30, 0);
}

/* The guest runs there: that there is no room for a file changes nothing. */
static void
what_cannot_be_kept_is_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int fd = i ? w.receiver_fd : w.sender_fd;

		w.sc.keep = w.rc.keep = true;
		w.sc.room = w.rc.room = 1 << 30;
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
		guest_begin(true);
		all_arrives();
		assert_false(live_sender_stats(w.s)->kept);
		assert_false(live_receiver_stats(w.r)->kept);
		if (i == 0) {
			teardown(state);
			setup(state);
		}
	}
}

static void
one_that_keeps_nothing_is_enough(void **state)
{
	(void)state;
	w.sc.keep = true;
	guest_begin(true);
	all_arrives();
	assert_false(live_sender_stats(w.s)->kept);
	assert_false(live_receiver_stats(w.r)->kept);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		sentence(a_base_that_lies_costs_a_second_sending),
		sentence(programs_are_a_base),
		sentence(modules_are_found_by_what_is_like_them),
		sentence(a_module_that_is_lost_costs_a_second_sending),
		sentence(what_is_kept_was_in_files),
		sentence(what_is_kept_was_in_memory),
		sentence(what_is_kept_was_in_memory_here_and_in_a_file_there),
		sentence(what_cannot_be_kept_is_not),
		sentence(one_that_keeps_nothing_is_enough),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("live-bases", tests, NULL, NULL);
}
