/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#include "memory/qemu-live.h"
#include "stream/cpu-state.h"

#define GIB (UINT64_C(1) << 30)
#define LEN ((1u << 30) + 8192)

static struct err e;

/* This process is a QEMU with RAM of a length that nothing else has. */
static void
ram_is_found_and_read_as_it_is(void **state)
{
	const struct qemu_ram ours = { LEN, 100, "pc-i440fx-7.2" };
	uint8_t scratch[4096], *ram;
	struct qemu_maps maps;
	struct qemu_live l;
	const uint8_t *page;
	unsigned way = 0;

	(void)state;
	ram = mmap(NULL, LEN + 8192, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(ram != MAP_FAILED);
	ram += 4096;
	assert_int_equal(mprotect(ram, LEN, PROT_READ | PROT_WRITE), 0);
	memset(ram + 5 * 4096, 7, 4096);
	assert_ok(qemu_maps_open(&maps, getpid(), &e), &e);
	for (size_t i = 1; i < maps.n; i++)
		assert_true(maps.list[i - 1].len >= maps.list[i].len);
	assert_int_equal(qemu_live_open(&l, &maps, &ours, way, &e), 1);
	assert_int_equal(l.at, (uint64_t)(uintptr_t)ram);
	assert_int_equal(l.memory.npages, 100 + LEN / 4096);
	/* One behind the other, as a search reads them. */
	for (size_t n = 0; n < 5000; n++)
		ram[n * 4096 + 1] = (uint8_t)(n ^ n >> 8);
	for (size_t n = 0; n < 5000; n++) {
		page = l.memory.page(l.memory.arg, n * 4096, scratch);
		assert_non_null(page);
		assert_int_equal(page[1], (uint8_t)(n ^ n >> 8));
	}
	page = l.memory.page(l.memory.arg, 5 * 4096, scratch);
	assert_non_null(page);
	assert_memory_equal(page, ram + 5 * 4096, 4096);
	/* Once read it stays, until it is forgotten. */
	ram[5 * 4096] = 8;
	page = l.memory.page(l.memory.arg, 5 * 4096, scratch);
	assert_int_equal(page[0], 7);
	assert_true(qemu_live_read(&l, 105, scratch));
	assert_int_equal(scratch[0], 8);
	physical_forget(&l.memory);
	page = l.memory.page(l.memory.arg, 5 * 4096, scratch);
	assert_int_equal(page[0], 8);
	assert_non_null(l.memory.page(l.memory.arg, LEN - 8192, scratch));
	assert_non_null(l.memory.page(l.memory.arg, LEN - 4096, scratch));
	assert_null(l.memory.page(l.memory.arg, LEN, scratch));
	assert_false(qemu_live_read(&l, 99, scratch));
	assert_false(qemu_live_read(&l, 100 + LEN / 4096, scratch));
	qemu_live_close(&l);
	qemu_maps_close(&maps);
	munmap(ram - 4096, LEN + 8192);
}

/* How many ways there are, and where page n is then. */
static unsigned
ways(const struct qemu_maps *maps, uint64_t len, const char *machine)
{
	const struct qemu_ram ram = { .len = len, .machine = machine };
	unsigned n = 0;

	for (unsigned way = 0; way < QEMU_LIVE_WAYS; way++) {
		struct qemu_live l;
		uint64_t page;

		if (qemu_live_open(&l, maps, &ram, way, &e) <= 0)
			continue;
		n++;
		assert_true(memory_run_at(l.runs, l.memory.nruns, 0, &page));
		assert_int_equal(page, 0);
		if (l.memory.nruns == 2) {
			assert_true(memory_run_at(l.runs, 2, 4 * GIB, &page));
			assert_int_equal(page, l.runs[0].npages);
			assert_false(memory_run_at(l.runs, 2, 4 * GIB - 4096,
						   &page));
		}
		qemu_live_close(&l);
	}
	return n;
}

static void
ram_stands_where_machines_have_it(void **state)
{
	struct qemu_maps maps = { .fd = -1, .file = -1, .n = 1 };

	(void)state;
	maps.list[0] =
		(struct qemu_map){ .at = 0x7f0000000000, .len = 2 * GIB };
	assert_int_equal(ways(&maps, 2 * GIB, ""), 1);
	maps.list[0].len = 3 * GIB; /* all of it below 4 GiB, or q35 */
	assert_int_equal(ways(&maps, 3 * GIB, ""), 2);
	maps.list[0].len = 8 * GIB;
	assert_int_equal(ways(&maps, 8 * GIB, ""), 2);
	assert_int_equal(ways(&maps, 8 * GIB, "pc-q35-7.2"), 1);
	assert_int_equal(ways(&maps, 8 * GIB, "pc-i440fx-9.1"), 1);
	assert_int_equal(ways(&maps, 8 * GIB, "microvm"), 1);
	/* In a longer map at its beginning or at its end. */
	assert_int_equal(ways(&maps, 2 * GIB, ""), 2);
	assert_int_equal(ways(&maps, 9 * GIB, ""), 0);
}

/* A file without a name, and all but its first page in this process. */
static uint8_t *
make_file(int *fd, int shared)
{
	uint8_t *ram;

	*fd = memfd_create("ram", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, 4096 + LEN), 0);
	ram = mmap(NULL, LEN, PROT_READ | PROT_WRITE, shared, *fd, 4096);
	assert_true(ram != MAP_FAILED);
	memset(ram + 5 * 4096, 7, 4096);
	return ram;
}

static uint64_t
blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks;
}

/* Opens the RAM of this process and looks for what make_file() put there. */
static void
open_ram(struct qemu_live *l, struct qemu_maps *maps)
{
	const struct qemu_ram ours = { LEN, 100, "pc-i440fx-7.2" };
	uint8_t page[4096];

	assert_ok(qemu_maps_open(maps, getpid(), &e), &e);
	assert_int_equal(qemu_live_open(l, maps, &ours, 0, &e), 1);
	assert_true(qemu_live_read(l, 105, page));
	assert_int_equal(page[4095], 7);
}

static void
close_ram(struct qemu_live *l, struct qemu_maps *maps)
{
	qemu_live_close(l);
	qemu_maps_close(maps);
}

static void
shared_ram_is_read_from_its_file(void **state)
{
	struct qemu_maps maps;
	struct qemu_live l;
	uint8_t page[4096], *ram;
	uint64_t before;
	int fd;

	(void)state;
	ram = make_file(&fd, MAP_SHARED);
	open_ram(&l, &maps);
	assert_int_equal(l.fd, maps.file);
	assert_int_equal(l.at, 4096);
	assert_int_equal(fcntl(maps.file, F_GETFL) & O_ACCMODE, O_RDONLY);
	for (size_t n = 0; n < 5000; n++)
		ram[n * 4096 + 1] = (uint8_t)(n ^ n >> 8);
	before = blocks(fd);
	for (size_t n = 0; n < LEN / 4096; n++) {
		const uint8_t *at = l.memory.page(l.memory.arg, n * 4096, page);

		assert_non_null(at);
		assert_int_equal(at[1], n < 5000 ? (uint8_t)(n ^ n >> 8) : 0);
	}
	assert_int_equal(blocks(fd), before); /* what was not there is not */
	assert_null(l.memory.page(l.memory.arg, LEN, page));
	/* Somebody makes it shorter. */
	assert_int_equal(ftruncate(fd, 7 * 4096), 0);
	assert_true(qemu_live_read(&l, 105, page));
	assert_false(qemu_live_read(&l, 106, page));
	physical_forget(&l.memory);
	assert_non_null(l.memory.page(l.memory.arg, 5 * 4096, page));
	assert_null(l.memory.page(l.memory.arg, 6 * 4096, page));
	close_ram(&l, &maps);
	munmap(ram, LEN);
	close(fd);
}

/* What is private is not in the file. */
static void
other_ram_is_read_where_it_is(void **state)
{
	uint8_t *ram, *more;
	struct qemu_maps maps;
	struct qemu_live l;
	int fd, larger;

	(void)state;
	ram = make_file(&fd, MAP_PRIVATE);
	open_ram(&l, &maps);
	assert_int_equal(maps.file, -1);
	assert_int_equal(l.at, (uint64_t)(uintptr_t)ram);
	close_ram(&l, &maps);
	munmap(ram, LEN);
	close(fd);
	/* There may be a larger one that is shared. */
	ram = make_file(&fd, MAP_SHARED);
	larger = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(ftruncate(larger, 2 * GIB), 0);
	more = mmap(NULL, 2 * GIB, PROT_READ | PROT_WRITE, MAP_SHARED, larger,
		    0);
	assert_true(more != MAP_FAILED);
	open_ram(&l, &maps);
	assert_int_equal(l.fd, maps.fd);
	assert_int_equal(l.at, (uint64_t)(uintptr_t)ram);
	close_ram(&l, &maps);
	munmap(more, 2 * GIB);
	munmap(ram, LEN);
	close(fd);
	close(larger);
}

static void
nobody_has_no_memory(void **state)
{
	struct qemu_maps maps;

	(void)state;
	assert_err(qemu_maps_open(&maps, 0x7ffffffe, &e), &e, ERR_SYSTEM);
	assert_int_equal(maps.fd, -1);
}

static void
put_cpu(uint8_t *at, uint8_t version, uint64_t cr0, uint64_t cr3)
{
	static const uint8_t head[] = { 4,   0, 0, 0, 6, 3, 'c', 'p',
					'u', 0, 0, 0, 1, 0, 0,   0 };

	memcpy(at, head, sizeof(head));
	at[16] = version;
	for (unsigned i = 0; i < 8; i++) {
		at[17 + 456 + i] = (uint8_t)(cr0 >> (56 - 8 * i));
		at[17 + 472 + i] = (uint8_t)(cr3 >> (56 - 8 * i));
	}
}

static void
cpus_are_found_in_what_follows_the_ram(void **state)
{
	static uint8_t bytes[3000];
	struct span in = span_of(bytes, sizeof(bytes));
	struct cpu_state c;

	(void)state;
	put_cpu(bytes + 100, 12, 0x80050033, 0x123456000);
	memcpy(bytes + 700, "\3cpu\3cpu", 8);
	put_cpu(bytes + 1000, 11, 1, 2); /* another layout */
	put_cpu(bytes + 1700, 12, 0x11, 0);
	assert_true(cpu_state_next(&in, &c));
	assert_int_equal(c.cr0, 0x80050033);
	assert_int_equal(c.cr3, 0x123456000);
	assert_true(cpu_state_next(&in, &c));
	assert_int_equal(c.cr0, 0x11);
	assert_false(cpu_state_next(&in, &c));
	/* One that is cut off is none. */
	in = span_of(bytes, 100 + 17 + 479);
	assert_false(cpu_state_next(&in, &c));
	in = span_of(bytes, 100 + 17 + 480);
	assert_true(cpu_state_next(&in, &c));
	in = span_of(bytes, 3);
	assert_false(cpu_state_next(&in, &c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ram_is_found_and_read_as_it_is),
		cmocka_unit_test(ram_stands_where_machines_have_it),
		cmocka_unit_test(shared_ram_is_read_from_its_file),
		cmocka_unit_test(other_ram_is_read_where_it_is),
		cmocka_unit_test(nobody_has_no_memory),
		cmocka_unit_test(cpus_are_found_in_what_follows_the_ram),
	};

	return cmocka_run_group_tests_name("qemu-live", tests, NULL, NULL);
}
