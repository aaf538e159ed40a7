/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/made-kernel.h"
#include "tests/made-pe.h"
#include "tests/make-module.h"
#include "tests/make-program.h"
#include "tests/test.h"

#include "dedup/filesystems.h"
#include "dedup/held.h"
#include "dedup/index-build.h"
#include "dedup/modules.h"
#include "dedup/pe.h"

/* Files in file systems that mkfs.ext4 and debugfs made, in many pieces: into
 * the holes that every second small file left.
 */
#define SMALL_FILES 1500
#define FS_MIB      10

static char dir[] = "/tmp/virt-mig-extents-XXXXXX";
static struct made_module module;
static uint8_t program[PROGRAM_FILE];
static size_t kernel_len;
static struct err e;

static void
run(const char *what)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && { %s; } >log 2>&1 || { cat log >&2; false; }", dir,
		 what);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static FILE *
create(const char *name)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

static void
write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = create(name);

	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
make_files(void)
{
	FILE *f;

	make_elf();
	kernel_len = make_file(pack_zstd);
	write_file("kernel", bzimage, kernel_len);
	program_make(program);
	write_file("program", program, sizeof(program));
	module_make(&module);
	write_file("module", module.file, module.len);
	run("mkdir small");
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "small/%u", i);
		write_file(name, &i, sizeof(i));
	}
	f = create("commands");
	for (unsigned i = 0; i < SMALL_FILES; i += 2)
		fprintf(f, "rm /%u\n", i);
	fprintf(f, "write kernel kernel\nwrite program program\n"
		   "write module module\n");
	assert_int_equal(fclose(f), 0);
}

/* The file system alone, or so many MiB into a disk. */
static struct image *
make_disk(const char *how, unsigned mib)
{
	static const uint8_t entry[] = { 0, 0, 0, 0, 0x83, 0, 0,
					 0, 0, 8, 0, 0,    0, 80 };
	char what[256], path[64];
	struct image *img;

	snprintf(what, sizeof(what),
		 "rm -f fs disk *.idx *.programs *.core; truncate -s %dM fs && "
		 "mkfs.ext4 -q -F -N 3000 -O ^has_journal %s -d small fs && "
		 "debugfs -w -f commands fs && "
		 "dd if=fs of=disk bs=1M seek=%u conv=sparse",
		 FS_MIB, how, mib);
	run(what);
	snprintf(path, sizeof(path), "%s/disk", dir);
	if (mib > 0) {
		auto_fd int fd = open(path, O_WRONLY);

		assert_int_equal(pwrite(fd, entry, sizeof(entry), 446),
				 sizeof(entry));
		assert_int_equal(pwrite(fd, "\x55\xaa", 2, 510), 2);
	}
	img = image_open_as(path, "raw", &e);
	assert_non_null(img);
	return img;
}

/* The block that a file begins in. */
static uint64_t
find_block(struct image *img, const uint8_t *file)
{
	for (uint64_t n = 0; n < image_nblocks(img); n++)
		if (memcmp(image_block(img, n), file, PAGE_BYTES) == 0)
			return n;
	fail_msg("the file is not there");
	return 0;
}

/* It is read as it is; as if in one piece, it would not be. */
static void
assert_reads(struct image *img, const uint8_t *file, size_t len)
{
	uint64_t n = (len + PAGE_BYTES - 1) / PAGE_BYTES, at;
	auto_free uint8_t *bytes = malloc((n + 3) * PAGE_BYTES);

	at = find_block(img, file);
	assert_ok(image_read_file(img, at, 0, n + 3, bytes, &e), &e);
	assert_memory_equal(bytes, file, len);
	for (size_t i = len; i < (n + 3) * PAGE_BYTES; i++)
		assert_int_equal(bytes[i], 0);
	assert_ok(image_read_file(img, at, n / 2, n - n / 2, bytes, &e), &e);
	assert_memory_equal(bytes, file + n / 2 * PAGE_BYTES,
			    len - n / 2 * PAGE_BYTES);
	assert_ok(image_read(img, at, n, bytes, &e), &e);
	assert_memory_not_equal(bytes, file, len);
}

static size_t
find(struct image *img, struct extent **x)
{
	struct buf found;
	size_t n;

	buf_init(&found, EXTENTS_MAX * EXTENT_BYTES);
	assert_ok(filesystems_find(img, image_nblocks(img), &found, &e), &e);
	n = found.len / EXTENT_BYTES;
	*x = calloc(n + 1, sizeof(**x));
	assert_ok(extents_get(span_of(found.data, found.len), n,
			      image_nblocks(img), *x, &e),
		  &e);
	buf_fini(&found);
	return n;
}

static void
assert_found(const char *how, unsigned mib)
{
	struct image *img = make_disk(how, mib);
	struct extent *x;
	size_t n = find(img, &x);

	assert_true(n > kernel_len / PAGE_BYTES / 2);
	image_set_extents(img, x, n);
	assert_reads(img, bzimage, kernel_len);
	assert_reads(img, program, sizeof(program));
	assert_reads(img, module.file, module.len);
	image_close(img);
	free(x);
}

static void
files_in_pieces_are_read_whole(void **state)
{
	(void)state;
	assert_found("-b 4096", 0);
	assert_found("-b 4096 -O ^64bit -I 128", 0);
	assert_found("-b 4096 -O ^metadata_csum,^flex_bg -g 2048", 1);
	assert_found("-b 4096", 37);
}

/* As before there were such lists. */
static void
what_is_not_understood_is_passed_over(void **state)
{
	static const char *const how[] = { "-b 1024",
					   "-b 4096 -O ^extent,^64bit",
					   "-b 4096 -O meta_bg,^resize_inode" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct image *img = make_disk(how[i], 0);
		struct extent *x;

		assert_int_equal(find(img, &x), 0);
		image_close(img);
		free(x);
	}
}

/* The kernel, the program's page and the module's, by an index. */
static void
they_are_bases(void **state)
{
	struct index_how how = { .threads = 1 };
	struct held image, kernel_base, programs;
	uint8_t page[PAGE_BYTES];
	struct module m;
	char path[64];

	(void)state;
	image_close(make_disk("-b 4096", 1));
	snprintf(path, sizeof(path), "%s/disk", dir);
	assert_ok(held_open_image(&image, path, "raw", &how, &e), &e);
	assert_int_equal(held_kernels(&image), 1);
	assert_ok(held_open_kernel(&kernel_base, &image, 0, &e), &e);
	assert_int_equal(kernel_base.memory.npages, NPAGES);
	assert_memory_equal(memory_page(&kernel_base.memory, 0), kernel,
			    NPAGES * PAGE_BYTES);
	assert_ok(held_open_programs(&programs, &image, &how, &e), &e);
	assert_int_equal(programs.base.npages, 2); /* and the list */
	assert_int_equal(modules_npages(programs.base.modules), MODULE_PAGES);
	assert_ok(module_lay_out(&m, module.file, module.len, &e), &e);
	for (uint32_t i = 0; i < MODULE_PAGES; i++) {
		assert_non_null(base_page(&programs.base, 2 + i, page, &e));
		assert_memory_equal(page, m.bytes + i * PAGE_BYTES, PAGE_BYTES);
	}
	free(m.bytes);
	held_close(&programs);
	held_close(&kernel_base);
	held_close(&image);
}

static int
on_page(void *arg, const uint8_t page[4096], struct err *err)
{
	uint64_t *sum = arg;

	(void)err;
	sum[0]++;
	sum[1] += digest_hint(page, PAGE_BYTES);
	return 0;
}

/* A disk with an NTFS that is full but for some holes, and in these the file.
 * Nothing is mounted: files become empty by ntfstruncate.
 */
static void
make_ntfs(const void *file, size_t len)
{
	write_file("file", file, len);
	run("rm -f fs disk; truncate -s 6M fs; "
	    "mkntfs -q -F -f -c 4096 fs || exit; n=0; "
	    "for size in 100000 20000 5000; do "
	    "head -c $size /dev/zero >full; "
	    "while ntfscp -q fs full f$n; do n=$((n + 1)); done; done; "
	    "for i in $(seq 0 3 $n); do "
	    "ntfstruncate fs $(ntfsinfo -F f$i fs | "
	    "sed -n 's/^Dumping Inode \\([0-9]*\\).*/\\1/p') 0; done; "
	    "ntfscp fs file file && "
	    "dd if=fs of=disk bs=1M seek=3 conv=sparse");
}

static void
files_of_ntfs_are_read_whole(void **state)
{
	uint64_t want[2] = { 0 }, got[2] = { 0 };
	struct index_how how = { .threads = 1 };
	struct held image, programs;
	struct extent *x;
	char path[64];
	struct pe pe;

	(void)state;
	if (access("/usr/sbin/mkntfs", X_OK) < 0 &&
	    access("/sbin/mkntfs", X_OK) < 0)
		skip();
	pe_make(&pe, 26, 18, false, 5);
	assert_ok(pe_pages(pe.file, pe.len, on_page, want, &e), &e);
	make_ntfs(pe.file, pe.len);
	snprintf(path, sizeof(path), "%s/disk", dir);
	assert_ok(held_open_image(&image, path, "raw", &how, &e), &e);
	assert_true(find(image.image, &x) > 2);
	free(x);
	assert_reads(image.image, pe.file, pe.len);
	assert_ok(held_open_programs(&programs, &image, &how, &e), &e);
	for (uint64_t n = 0; n < programs.base.npages; n++)
		assert_ok(on_page(got, memory_page(&programs.memory, n), &e),
			  &e);
	assert_memory_equal(got, want, sizeof(want));
	held_close(&programs);
	held_close(&image);
	pe_free(&pe);
}

static void
pieces_that_cannot_be_are_refused(void **state)
{
	static const struct extent bad[][2] = {
		{ { 5, 0, 5, 2 }, { 4, 0, 4, 1 } }, /* not in order */
		{ { 5, 2, 5, 2 }, { 5, 0, 9, 1 } },
		{ { 5, 0, 5, 2 }, { 5, 2, 100, 1 } }, /* past the end */
		{ { 5, 0, 5, 2 }, { 5, 2, 99, 2 } },
		{ { 5, 0, 5, 2 }, { 5, 2, 9, UINT32_MAX } },
		{ { 5, 0, 5, 2 }, { 5, UINT32_MAX, 9, 2 } },
	};
	struct extent out[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(extents_get(span_of(bad[i], sizeof(bad[i])), 2, 100,
				       out, &e),
			   &e, ERR_CORRUPT);
}

/* Every block of a disk of 256 GiB is a group, whose table of 32,768 inodes is
 * where there is nothing: what holds data bounds how much of that is read.
 */
static void
empty_disks_cost_nothing(void **state)
{
	static const struct index_how how = { .threads = 1 };
	static uint8_t super[1024];
	struct index_build_stats stats;
	char path[64], index[80];
	struct image *img;
	clock_t began;

	(void)state;
	memset(super + 0x04, 0xff, 4);
	super[0x18] = 2;
	super[0x20] = 1;
	super[0x29] = 0x80;
	super[0x38] = 0x53;
	super[0x39] = 0xef;
	super[0x59] = 0x10;
	super[0x60] = 0x40;
	write_file("huge", super, 0);
	snprintf(path, sizeof(path), "%s/huge", dir);
	snprintf(index, sizeof(index), "%s/huge.idx", dir);
	assert_int_equal(truncate(path, 1ll << 38), 0);
	{
		auto_fd int fd = open(path, O_WRONLY);

		assert_int_equal(pwrite(fd, super, sizeof(super), 1024),
				 sizeof(super));
	}
	img = image_open_as(path, "raw", &e);
	assert_non_null(img);
	began = clock();
	assert_ok(index_build(img, index, &how, &stats, &e), &e);
	assert_in_range((uintmax_t)(clock() - began), 0, CLOCKS_PER_SEC);
	assert_int_equal(stats.data_blocks, 1);
	image_close(img);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	make_files();
	return setenv("VIRT_MIG_INDEX_DIR", dir, 1) ||
	       setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
}

static int
teardown(void **state)
{
	char command[80];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_in_pieces_are_read_whole),
		cmocka_unit_test(what_is_not_understood_is_passed_over),
		cmocka_unit_test(they_are_bases),
		cmocka_unit_test(files_of_ntfs_are_read_whole),
		cmocka_unit_test(empty_disks_cost_nothing),
		cmocka_unit_test(pieces_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests_name("extents", tests, setup, teardown);
}
