/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/image.h"

/* A disk of 6 MiB with a partition at sector 63; data in bytes 0 .. 1 MiB and
 * 4 .. 5 MiB.
 */
#define MIB        (1u << 20)
#define DISK_BYTES (6 * MIB)

static char folder[64];
static uint8_t content[DISK_BYTES];

static const char *
at(const char *name)
{
	static char path[4][160];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

static bool __attribute__((format(printf, 1, 2))) run(const char *fmt, ...)
{
	char cmd[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd) == 0;
}

static bool
have_qemu(void)
{
	return run("qemu-img --version >/dev/null 2>&1 && "
		   "qemu-nbd --version >/dev/null 2>&1");
}

static void
write_disk(void)
{
	uint64_t random = 7;
	int fd = open(at("disk.raw"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (unsigned i = 0; i < MIB; i += 8) {
		uint64_t a = test_random(&random), b = test_random(&random);

		memcpy(content + i, &a, 8);
		memcpy(content + 4 * MIB + i, &b, 8);
	}
	memset(content + 446, 0, 64);
	memcpy(content + 446, "\0\0\0\0\x83\0\0\0\x3f\0\0\0\x40\x1f\0\0", 16);
	memcpy(content + 510, "\x55\xaa", 2);
	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	assert_int_equal(pwrite(fd, content, MIB, 0), MIB);
	assert_int_equal(pwrite(fd, content + 4 * MIB, MIB, 4 * MIB), MIB);
	close(fd);
}

static struct image *
open_image(const char *path)
{
	struct err e;
	struct image *img = image_open(path, &e);

	if (!img)
		fail_msg("%s", e.text);
	return img;
}

/* Every block, one at a time and all at once, is what the disk has there. */
static void
assert_blocks(struct image *img)
{
	size_t nparts;
	const struct image_part *parts = image_parts(img, &nparts);
	auto_free uint8_t *all = malloc(DISK_BYTES);
	uint8_t block[PAGE_BYTES];
	struct err e;

	assert_int_equal(image_size(img), DISK_BYTES);
	assert_int_equal(nparts, 3);
	assert_int_equal(parts[1].offset, 63 * 512);
	assert_ok(image_read(img, 0, image_nblocks(img), all, &e), &e);
	for (size_t p = 0; p < nparts; p++)
		for (uint64_t i = 0; i < parts[p].nblocks; i++) {
			uint64_t n = parts[p].first_block + i;
			const uint8_t *want =
				content + parts[p].offset + i * PAGE_BYTES;
			const uint8_t *mapped = image_block(img, n);

			assert_ok(image_read(img, n, 1, block, &e), &e);
			assert_memory_equal(block, want, PAGE_BYTES);
			assert_memory_equal(all + n * PAGE_BYTES, want,
					    PAGE_BYTES);
			if (mapped)
				assert_memory_equal(mapped, want, PAGE_BYTES);
		}
	assert_null(image_block(img, image_nblocks(img)));
	assert_err(image_read(img, image_nblocks(img), 1, block, &e), &e,
		   ERR_CORRUPT);
	assert_err(image_read(img, 1, UINT64_MAX, block, &e), &e, ERR_CORRUPT);
}

/* What is not said to be data is zero; how much is said to be data. */
static uint64_t
assert_data(struct image *img)
{
	uint64_t from = 0, total = 0;
	struct image_run r;
	uint8_t block[PAGE_BYTES], zero[PAGE_BYTES] = { 0 };
	struct err e;
	int ret;

	while ((ret = image_next_data(img, from, &r, &e)) == 1) {
		assert_true(r.first >= from && r.n > 0);
		for (; from < r.first; from++) {
			assert_ok(image_read(img, from, 1, block, &e), &e);
			assert_memory_equal(block, zero, PAGE_BYTES);
		}
		from = r.first + r.n;
		total += r.n;
	}
	assert_int_equal(ret, 0);
	assert_true(from <= image_nblocks(img));
	for (; from < image_nblocks(img); from++) {
		assert_ok(image_read(img, from, 1, block, &e), &e);
		assert_memory_equal(block, zero, PAGE_BYTES);
	}
	return total;
}

static void
a_raw_image_is_mapped(void **state)
{
	struct image *img = open_image(at("disk.raw"));
	size_t n;

	(void)state;
	assert_string_equal(image_format(img), "raw");
	assert_non_null(image_block(img, 0));
	assert_blocks(img);
	assert_in_range(assert_data(img), 512, 600);
	assert_int_equal(image_files(img, &n)->size, DISK_BYTES);
	assert_int_equal(n, 1);
	image_close(img);
}

static void
other_formats_read_the_same(void **state)
{
	static const char *const formats[] = { "qcow2", "vmdk", "vhdx", "vdi" };

	(void)state;
	if (!have_qemu())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct image *img;

		assert_true(run("qemu-img convert -f raw -O %s %s %s",
				formats[i], at("disk.raw"), at("disk.other")));
		img = open_image(at("disk.other"));
		assert_string_equal(image_format(img), formats[i]);
		assert_blocks(img);
		assert_true(assert_data(img) >= 512);
		image_close(img);
	}
}

static void
a_chain_reads_through_to_its_base(void **state)
{
	struct image *img;
	size_t n;

	(void)state;
	if (!have_qemu())
		skip();
	assert_true(run("qemu-img create -q -f qcow2 -F raw -b %s %s",
			"disk.raw", at("one.qcow2")));
	assert_true(run("qemu-img create -q -f qcow2 -F qcow2 -b %s '%s'",
			"one.qcow2", at("two, with a comma.qcow2")));
	img = open_image(at("two, with a comma.qcow2"));
	assert_blocks(img);
	assert_in_range(assert_data(img), 512, 600);
	(void)image_files(img, &n);
	assert_int_equal(n, 3);
	image_close(img);
}

static void
a_backing_file_without_format_must_be_raw(void **state)
{
	struct err e;

	(void)state;
	if (!have_qemu())
		skip();
	assert_true(run("qemu-img create -q -f qcow2 -F raw -b %s %s",
			"disk.raw", at("good.qcow2")));
	/* The name of an extension that nobody knows hides the format. */
	assert_true(run("LC_ALL=C sed -i 's/\\xe2y[*]\\xca/"
			"\\xe2y*\\xcb/' %s",
			at("good.qcow2")));
	image_close(open_image(at("good.qcow2")));
	assert_true(run("qemu-img create -q -f qcow2 -F qcow2 -b %s %s",
			"good.qcow2", at("bad.qcow2")));
	assert_true(run("LC_ALL=C sed -i 's/\\xe2y[*]\\xca/"
			"\\xe2y*\\xcb/' %s",
			at("bad.qcow2")));
	assert_null(image_open(at("bad.qcow2"), &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.text, "does not say"));
}

static void
a_backing_address_is_refused(void **state)
{
	struct err e;

	(void)state;
	if (!have_qemu())
		skip();
	assert_true(run("qemu-img create -q -u -f qcow2 -F raw -b %s %s 6M",
			"nbd://127.0.0.1:1/", at("net.qcow2")));
	assert_null(image_open(at("net.qcow2"), &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_true(run("qemu-img create -q -u -f qcow2 -F raw -b %s %s 6M",
			"/dev/tty", at("tty.qcow2")));
	assert_null(image_open(at("tty.qcow2"), &e));
	assert_true(run("qemu-img create -q -f qcow2 -o data_file=%s %s 6M",
			at("data"), at("ext.qcow2")));
	assert_null(image_open(at("ext.qcow2"), &e));
	assert_int_equal(e.code, ERR_USAGE);
}

static void
the_format_can_be_said(void **state)
{
	struct image *img;
	struct err e;

	(void)state;
	if (!have_qemu())
		skip();
	assert_true(run("qemu-img convert -f raw -O qcow2 %s %s",
			at("disk.raw"), at("guest-wrote-this")));
	img = image_open_as(at("guest-wrote-this"), "raw", &e);
	assert_non_null(img);
	assert_string_equal(image_format(img), "raw");
	image_close(img);
	assert_null(image_open_as(at("disk.raw"), "floppy", &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_null(image_open_as(at("disk.raw"), "qcow2", &e));
	assert_int_equal(e.code, ERR_CORRUPT);
}

static void
what_cannot_be_opened_is_an_error(void **state)
{
	char *path = strdup(getenv("PATH"));
	struct err e;

	(void)state;
	assert_null(image_open(at("nothing"), &e));
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_null(image_open(folder, &e));
	assert_null(image_open("/dev/null", &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_true(
		run("printf 'QFI\\373\\0\\0\\0\\003' > %s%s", at("short"), ""));
	setenv("PATH", folder, 1);
	assert_null(image_open(at("short"), &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.text, "not installed"));
	setenv("PATH", path, 1);
	free(path);
	assert_null(image_open(at("short"), &e));
}

/* The process that 'parent' started, or 0. */
static pid_t
child_of(pid_t parent)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent,
		 parent);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

static void
closing_ends_the_server(void **state)
{
	struct image *img;
	pid_t server;

	(void)state;
	if (!have_qemu())
		skip();
	assert_true(run("qemu-img convert -f raw -O qcow2 %s %s",
			at("disk.raw"), at("disk.qcow2")));
	img = open_image(at("disk.qcow2"));
	server = child_of(getpid());
	assert_true(server > 0);
	image_close(img);
	assert_int_equal(kill(server, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void
a_killed_server_is_an_error(void **state)
{
	uint8_t block[PAGE_BYTES];
	struct image *img;
	struct err e;

	(void)state;
	if (!have_qemu())
		skip();
	img = open_image(at("disk.qcow2"));
	assert_int_equal(kill(child_of(getpid()), SIGKILL), 0);
	assert_err(image_read(img, 700, 1, block, &e), &e, ERR_SYSTEM);
	assert_err(image_read(img, 800, 1, block, &e), &e, ERR_SYSTEM);
	image_close(img);
	assert_int_equal(child_of(getpid()), 0);
}

static void
our_death_ends_the_server(void **state)
{
	int pipes[2], status;
	pid_t us, server;
	char c;

	(void)state;
	if (!have_qemu())
		skip();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(pipes), 0);
	us = fork();
	if (us == 0) {
		struct err e;

		if (image_open(at("disk.qcow2"), &e))
			(void)!write(pipes[1], "x", 1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	server = child_of(us);
	assert_true(server > 0);
	kill(us, SIGKILL);
	assert_int_equal(waitpid(us, &status, 0), us);
	/* It is ours now; this hangs if it does not end. */
	assert_int_equal(waitpid(server, &status, 0), server);
	close(pipes[0]);
	close(pipes[1]);
}

/* All images above were opened with TMPDIR pointing here. */
static void
no_socket_is_left_behind(void **state)
{
	(void)state;
	assert_int_equal(rmdir(at("tmp")), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test-image-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	write_disk();
	setenv("TMPDIR", at("tmp"), 1);
	return mkdir(at("tmp"), 0700);
}

static int
teardown(void **state)
{
	(void)state;
	return run("rm -r %s", folder) ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_raw_image_is_mapped),
		cmocka_unit_test(other_formats_read_the_same),
		cmocka_unit_test(a_chain_reads_through_to_its_base),
		cmocka_unit_test(a_backing_file_without_format_must_be_raw),
		cmocka_unit_test(a_backing_address_is_refused),
		cmocka_unit_test(the_format_can_be_said),
		cmocka_unit_test(what_cannot_be_opened_is_an_error),
		cmocka_unit_test(closing_ends_the_server),
		cmocka_unit_test(a_killed_server_is_an_error),
		cmocka_unit_test(our_death_ends_the_server),
		cmocka_unit_test(no_socket_is_left_behind),
	};

	return cmocka_run_group_tests_name("image", tests, setup, teardown);
}
