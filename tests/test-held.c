/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/finder.h"
#include "dedup/held.h"
#include "dedup/keyed.h"
#include "tests/test.h"
#include "wire/message.h"

#define NPAGES 3000

static char dir[] = "/tmp/test-held.XXXXXX";
static uint8_t bytes[NPAGES * PAGE_BYTES];
static const struct index_how how = { .threads = 1 };
static struct err e;

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Every third page is zero, every seventh equals page 1. */
static void
write_pages(const char *name, uint64_t seed)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < NPAGES; i++)
		for (size_t at = 0; at < PAGE_BYTES; at += 8) {
			uint64_t w = i % 3 ? test_random(&seed) : 0;

			memcpy(bytes + i * PAGE_BYTES + at, &w, 8);
			if (i > 1 && i % 7 == 0)
				memcpy(bytes + i * PAGE_BYTES + at,
				       bytes + PAGE_BYTES + at, 8);
		}
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return setenv("VIRT_MIG_INDEX_DIR", path_of("index"), 1);
}

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void
equal_memories_have_equal_roots_and_a_change_shows_in_its_region(void **state)
{
	struct held a, b;

	(void)state;
	write_pages("a", 1);
	assert_ok(held_open_memory(&a, path_of("a"), NULL, 0, &how, &e), &e);
	assert_string_equal(a.name, "a");
	assert_int_equal(a.nregions, 3);
	write_pages("b", 1);
	assert_ok(held_open_memory(&b, path_of("b"), NULL, 0, &how, &e), &e);
	assert_memory_equal(&a.root, &b.root, sizeof(a.root));
	held_close(&b);
	bytes[1025 * PAGE_BYTES] ^= 1;
	assert_int_equal(truncate(path_of("b"), 0), 0);
	{
		auto_fd int fd = open(path_of("b"), O_WRONLY);

		assert_int_equal(write(fd, bytes, sizeof(bytes)),
				 sizeof(bytes));
	}
	assert_ok(held_open_memory(&b, path_of("b"), NULL, 0, &how, &e), &e);
	assert_memory_not_equal(&a.root, &b.root, sizeof(a.root));
	assert_memory_equal(&a.regions[0], &b.regions[0], DIGEST_BYTES);
	assert_memory_not_equal(&a.regions[1], &b.regions[1], DIGEST_BYTES);
	assert_memory_equal(&a.regions[2], &b.regions[2], DIGEST_BYTES);
	held_close(&a);
	held_close(&b);
}

static void
an_image_is_indexed_once_and_again_when_it_changed(void **state)
{
	struct held a, b;

	(void)state;
	write_pages("disk", 3);
	assert_ok(held_open_image(&a, path_of("disk"), "raw", &how, &e), &e);
	assert_int_equal(a.base.npages, NPAGES);
	assert_ok(held_open_image(&b, path_of("disk"), "raw", &how, &e), &e);
	assert_memory_equal(&a.root, &b.root, sizeof(a.root));
	held_close(&b);
	write_pages("disk", 4);
	assert_ok(held_open_image(&b, path_of("disk"), "raw", &how, &e), &e);
	assert_memory_not_equal(&a.root, &b.root, sizeof(a.root));
	held_close(&a);
	held_close(&b);
	assert_err(held_open_image(&a, path_of("none"), "raw", &how, &e), &e,
		   ERR_SYSTEM);
}

/* As a process that can open nothing gets it from one that can. */
static void
check_lent(const char *name, const char *format)
{
	struct held_loan loan;
	struct held a, b;
	char path[128];

	strcpy(path, path_of(name));
	/* It is lent only with an index, and with one that is not outdated. */
	assert_err(held_lend(&loan, path, format, &e), &e, ERR_USAGE);
	assert_ok(held_open_image(&a, path, format, &how, &e), &e);
	assert_ok(held_lend(&loan, path, format, &e), &e);
	assert_string_equal(loan.format, format);
	assert_ok(held_take_image(&b, name, loan.format, dup(loan.disk),
				  dup(loan.index), &e),
		  &e);
	assert_memory_equal(&a.root, &b.root, sizeof(a.root));
	assert_int_equal(a.base.npages, b.base.npages);
	for (uint64_t n = 0; n < a.base.npages; n += 97) {
		uint8_t one[PAGE_BYTES], two[PAGE_BYTES];

		assert_memory_equal(base_page(&a.base, n, one, &e),
				    base_page(&b.base, n, two, &e), PAGE_BYTES);
	}
	held_close(&a);
	held_close(&b);
	held_loan_close(&loan);
}

static void
an_image_is_lent_with_its_index(void **state)
{
	struct held_loan loan;
	char command[400];

	(void)state;
	write_pages("lent", 8);
	check_lent("lent", "raw");
	snprintf(command, sizeof(command),
		 "cd %s && qemu-img convert -O qcow2 lent lent.qcow2", dir);
	if (system("command -v qemu-img >/dev/null") == 0) {
		assert_int_equal(system(command), 0);
		check_lent("lent.qcow2", "qcow2");
	}
	write_pages("lent", 9);
	assert_err(held_lend(&loan, path_of("lent"), "raw", &e), &e, ERR_USAGE);
	assert_err(held_lend(&loan, path_of("none"), "raw", &e), &e,
		   ERR_SYSTEM);
}

static void
an_index_of_something_else_is_not_taken(void **state)
{
	struct held_loan a, b;
	struct held h;

	(void)state;
	write_pages("one", 10);
	assert_ok(held_open_image(&h, path_of("one"), "raw", &how, &e), &e);
	held_close(&h);
	assert_ok(held_lend(&a, path_of("one"), "raw", &e), &e);
	write_pages("two", 10);
	assert_int_equal(truncate(path_of("two"), sizeof(bytes) / 2), 0);
	assert_ok(held_open_image(&h, path_of("two"), "raw", &how, &e), &e);
	held_close(&h);
	assert_ok(held_lend(&b, path_of("two"), "raw", &e), &e);
	assert_err(
		held_take_image(&h, "x", "raw", dup(b.disk), dup(a.index), &e),
		&e, ERR_CORRUPT);
	assert_err(
		held_take_image(&h, "x", "raw", dup(b.disk), dup(b.disk), &e),
		&e, ERR_CORRUPT);
	held_loan_close(&a);
	held_loan_close(&b);
}

static void
kept_memory_is_taken_whatever_it_looks_like(void **state)
{
	struct held a, b;
	int fd;

	(void)state;
	write_pages("kept", 11);
	assert_ok(held_open_memory(&a, path_of("kept"), NULL, 0, &how, &e), &e);
	fd = open(path_of("kept"), O_RDWR);
	assert_ok(held_take_memory(&b, "kept", dup(fd), &e), &e);
	assert_memory_equal(&a.root, &b.root, sizeof(a.root));
	held_close(&a);
	held_close(&b);
	assert_int_equal(pwrite(fd, "\177ELF\2\1\1", 7, 0), 7);
	assert_ok(held_take_memory(&b, "kept", dup(fd), &e), &e);
	assert_int_equal(b.base.npages, NPAGES);
	held_close(&b);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_err(held_take_memory(&b, "kept", fd, &e), &e, ERR_CORRUPT);
}

static void
keyed_fingerprints_open_only_with_their_key(void **state)
{
	struct fingerprint fps[300], keyed[300], back[300];
	uint8_t key[KEYED_KEY_BYTES], other[KEYED_KEY_BYTES];
	uint64_t seed = 9;

	(void)state;
	for (size_t i = 0; i < sizeof(fps); i++)
		((uint8_t *)fps)[i] = (uint8_t)test_random(&seed);
	assert_ok(keyed_draw(key, &e), &e);
	assert_ok(keyed_draw(other, &e), &e);
	assert_memory_not_equal(key, other, sizeof(key));
	assert_ok(keyed_seal(key, fps, 300, keyed, &e), &e);
	for (size_t i = 0; i < 300; i++)
		assert_memory_not_equal(&fps[i], &keyed[i], FINGERPRINT_BYTES);
	assert_ok(keyed_open(key, keyed, 300, back, &e), &e);
	assert_memory_equal(fps, back, sizeof(fps));
	assert_ok(keyed_open(other, keyed, 300, back, &e), &e);
	assert_memory_not_equal(fps, back, sizeof(fps));
}

static void
what_is_held_is_found_and_nothing_else(void **state)
{
	struct base bases[3] = { { BASE_HISTORY, .npages = 1 } };
	struct held image, memory;
	struct finder *f;

	(void)state;
	write_pages("m", 5);
	assert_ok(held_open_memory(&memory, path_of("m"), NULL, 0, &how, &e),
		  &e);
	write_pages("i", 6);
	assert_ok(held_open_image(&image, path_of("i"), "raw", &how, &e), &e);
	bases[1] = image.base;
	bases[2] = memory.base;
	f = finder_new(bases, 3, &e);
	assert_non_null(f);
	for (size_t i = 0; i < NPAGES; i++) {
		struct fingerprint fps[2] = { *base_fingerprint(&bases[1], i),
					      *base_fingerprint(&bases[2], i) };
		struct plan_ref refs[2];
		bool copy = i > 1 && i % 7 == 0, zero = i % 3 == 0 && !copy;

		finder_find(f, fps, 2, refs);
		for (uint8_t k = 0; k < 2; k++) {
			assert_int_equal(refs[k].base, zero ? 0 : k + 1);
			assert_int_equal(refs[k].page, zero ? 0 : copy ? 1 : i);
			fps[k].b[15] ^= 1;
		}
		finder_find(f, fps, 2, refs);
		assert_int_equal(refs[0].base, PLAN_BASE_HISTORY);
		assert_int_equal(refs[1].base, PLAN_BASE_HISTORY);
	}
	finder_free(f);
	held_close(&image);
	held_close(&memory);
}

/* Whatever may be held can be said and is heard as it was meant. */
static void
test_offer(void **state)
{
	static const uint8_t key[OFFER_KEY_BYTES] = { 1, 2, 3 };
	struct held held[BASE_PROGRAMS];
	struct offer said, heard;
	struct buf b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		held[i] = (struct held){
			.base = { .kind = (enum base_kind)(i + 1),
				  .npages = i + 10 },
			.root.b[0] = (uint8_t)i,
			.name = "a name",
		};
	held_offer(held, ARRAY_LEN(held), key, &said);
	buf_init(&b, OFFER_BYTES_MAX + MESSAGE_HEAD_BYTES);
	assert_ok(offer_put(&b, &said, &e), &e);
	assert_ok(offer_get(span_of(b.data + MESSAGE_HEAD_BYTES,
				    b.len - MESSAGE_HEAD_BYTES),
			    &heard, &e),
		  &e);
	assert_int_equal(heard.nheld, ARRAY_LEN(held));
	assert_memory_equal(heard.key, key, sizeof(key));
	for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
		assert_int_equal(heard.held[i].kind, i + 1);
		assert_int_equal(heard.held[i].npages, i + 10);
		assert_int_equal(heard.held[i].root.b[0], i);
		assert_string_equal(heard.held[i].name, "a name");
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),
		cmocka_unit_test(
			equal_memories_have_equal_roots_and_a_change_shows_in_its_region),
		cmocka_unit_test(
			an_image_is_indexed_once_and_again_when_it_changed),
		cmocka_unit_test(an_image_is_lent_with_its_index),
		cmocka_unit_test(an_index_of_something_else_is_not_taken),
		cmocka_unit_test(kept_memory_is_taken_whatever_it_looks_like),
		cmocka_unit_test(keyed_fingerprints_open_only_with_their_key),
		cmocka_unit_test(what_is_held_is_found_and_nothing_else),
	};

	return cmocka_run_group_tests_name("held", tests, setup, teardown);
}
