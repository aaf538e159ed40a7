/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/newfile.h"
#include "tests/test.h"

static char dir[] = "/tmp/test-newfile-XXXXXX";
static char path[64];
static struct newfile f;
static struct err e;

static long
size_of(const char *at)
{
	struct stat st;

	return stat(at, &st) == 0 ? (long)st.st_size : -1;
}

static void
write_bytes(size_t n)
{
	assert_ok(newfile_open(&f, path, &e), &e);
	assert_ok(newfile_write(&f, 0, "abcdef", n, &e), &e);
}

static void
it_is_there_once_it_is_whole(void **state)
{
	(void)state;
	write_bytes(3);
	assert_int_equal(size_of(path), -1);
	assert_ok(newfile_commit(&f, &e), &e);
	assert_int_equal(size_of(path), 3);
	/* And what was there before stays for as long. */
	write_bytes(6);
	assert_int_equal(size_of(path), 3);
	newfile_close(&f);
	assert_int_equal(size_of(path), 3);
	write_bytes(6);
	assert_ok(newfile_commit(&f, &e), &e);
	assert_int_equal(size_of(path), 6);
	unlink(path);
}

static void
what_is_no_regular_file_stays(void **state)
{
	(void)state;
	assert_err(newfile_open(&f, dir, &e), &e, ERR_USAGE);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_err(newfile_open(&f, path, &e), &e, ERR_USAGE);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_err(newfile_open(&f, path, &e), &e, ERR_USAGE);
	unlink(path);
	newfile_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_there_once_it_is_whole),
		cmocka_unit_test(what_is_no_regular_file_stays),
	};
	int ret;

	if (!mkdtemp(dir))
		return 99;
	snprintf(path, sizeof(path), "%s/file", dir);
	ret = cmocka_run_group_tests_name("newfile", tests, NULL, NULL);
	/* Nothing else was left behind. */
	return rmdir(dir) == 0 ? ret : 1;
}
