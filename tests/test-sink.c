/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "receiver/coverage.h"
#include "receiver/file-sink.h"
#include "tests/test.h"

#define THINGS 200

static char dir[] = "/tmp/test-sink.XXXXXX", path[64];
static struct err e;

/* Ranges in any order, compared with one flag a thing. */
static void
coverage_knows_what_has_arrived(void **state)
{
	uint64_t seed = 3;
	struct coverage c;

	(void)state;
	for (int round = 0; round < 300; round++) {
		bool has[THINGS] = { false };
		size_t left = THINGS;

		coverage_init(&c, THINGS);
		while (left > 0) {
			uint64_t first = test_random(&seed) % THINGS;
			uint64_t n = test_random(&seed) % 9;
			size_t runs = 0;

			n = MIN(n, THINGS - first);
			assert_false(coverage_is_whole(&c));
			assert_ok(coverage_add(&c, first, n, &e), &e);
			for (uint64_t i = first; i < first + n; i++) {
				left -= !has[i];
				has[i] = true;
			}
			for (size_t i = 0; i < THINGS; i++)
				runs += has[i] && (i == 0 || !has[i - 1]);
			assert_int_equal(c.nranges, runs);
		}
		assert_true(coverage_is_whole(&c));
	}
}

static void
coverage_is_bounded(void **state)
{
	struct coverage c;

	(void)state;
	coverage_init(&c, 10 * COVERAGE_RANGES_MAX);
	assert_err(coverage_add(&c, 10 * COVERAGE_RANGES_MAX, 1, &e), &e,
		   ERR_PROTOCOL);
	assert_err(coverage_add(&c, 1, UINT64_MAX, &e), &e, ERR_PROTOCOL);
	for (uint64_t i = 0; i < COVERAGE_RANGES_MAX; i++)
		assert_ok(coverage_add(&c, 4 * i, 2, &e), &e);
	assert_err(coverage_add(&c, 4 * COVERAGE_RANGES_MAX, 2, &e), &e,
		   ERR_PROTOCOL);
	assert_ok(coverage_add(&c, 2, 2, &e), &e);
	coverage_init(&c, 0);
	assert_true(coverage_is_whole(&c));
}

static size_t
files_in_dir(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* 10 opaque bytes, 3 pages, 5 bytes, 2 pages. */
static void
open_sink(struct file_sink *s)
{
	struct layout l;

	layout_init(&l);
	assert_ok(layout_add(&l, false, 10, &e), &e);
	assert_ok(layout_add(&l, true, 3, &e), &e);
	assert_ok(layout_add(&l, false, 5, &e), &e);
	assert_ok(layout_add(&l, true, 2, &e), &e);
	assert_ok(file_sink_open(s, path, &l, &e), &e);
	assert_null(l.runs);
}

static void
a_sink_becomes_the_file_when_it_is_whole(void **state)
{
	const struct frame a = { .npages = 4, .nbytes = 15 },
			   b = { .first_page = 4,
				 .npages = 1,
				 .first_byte = 15 },
			   c = { .first_page = 5, .npages = 1 };
	struct rebuild_target t;
	uint8_t want[5 * PAGE_BYTES + 15], got[sizeof(want)];
	struct file_sink s;
	struct stat st;
	int fd;

	(void)state;
	open_sink(&s);
	t = file_sink_target(&s);
	for (uint64_t n = 0; n < 5; n++)
		memset(t.page(t.arg, n), 'a' + (int)n, PAGE_BYTES);
	assert_null(t.page(t.arg, 5));
	assert_null(t.history(t.arg, UINT64_MAX));
	assert_ok(t.bytes(t.arg, 0, (const uint8_t *)"0123456789ABCDE", 15, &e),
		  &e);
	assert_err(t.bytes(t.arg, 14, (const uint8_t *)"xy", 2, &e), &e,
		   ERR_PROTOCOL);
	assert_ok(t.bytes(t.arg, 14, (const uint8_t *)"E", 1, &e), &e);
	assert_ok(file_sink_add(&s, &a, &e), &e);
	assert_false(file_sink_is_whole(&s));
	assert_err(file_sink_add(&s, &c, &e), &e, ERR_PROTOCOL);
	assert_ok(file_sink_add(&s, &b, &e), &e);
	assert_true(file_sink_is_whole(&s));
	assert_int_equal(access(path, F_OK), -1);
	assert_ok(file_sink_commit(&s, &e), &e);
	file_sink_close(&s);

	memcpy(want, "0123456789", 10);
	memset(want + 10, 'a', PAGE_BYTES);
	memset(want + 10 + PAGE_BYTES, 'b', PAGE_BYTES);
	memset(want + 10 + 2 * PAGE_BYTES, 'c', PAGE_BYTES);
	memcpy(want + 10 + 3 * PAGE_BYTES, "ABCDE", 5);
	memset(want + 15 + 3 * PAGE_BYTES, 'd', PAGE_BYTES);
	memset(want + 15 + 4 * PAGE_BYTES, 'e', PAGE_BYTES);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, sizeof(want));
	assert_int_equal(read(fd, got, sizeof(got)), sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
	close(fd);
	assert_int_equal(files_in_dir(), 1);
	unlink(path);
}

static void
a_sink_that_is_closed_leaves_nothing(void **state)
{
	struct file_sink s;

	(void)state;
	open_sink(&s);
	assert_int_equal(files_in_dir(), 1);
	file_sink_close(&s);
	assert_int_equal(files_in_dir(), 0);
	file_sink_init(&s);
	file_sink_close(&s);
}

static void
what_does_not_fit_the_disk_fails_at_once(void **state)
{
	struct file_sink s;
	struct layout l;

	(void)state;
	layout_init(&l);
	assert_ok(layout_add(&l, true, LAYOUT_FILE_MAX / PAGE_BYTES, &e), &e);
	/* ERR_SYSTEM where one file cannot be that large anyway. */
	assert_int_equal(file_sink_open(&s, path, &l, &e), -1);
	assert_true(e.code == ERR_LIMIT || e.code == ERR_SYSTEM);
	assert_int_equal(files_in_dir(), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/out", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coverage_knows_what_has_arrived),
		cmocka_unit_test(coverage_is_bounded),
		cmocka_unit_test(a_sink_becomes_the_file_when_it_is_whole),
		cmocka_unit_test(a_sink_that_is_closed_leaves_nothing),
		cmocka_unit_test(what_does_not_fit_the_disk_fails_at_once),
	};

	return cmocka_run_group_tests_name("sink", tests, setup, teardown);
}
