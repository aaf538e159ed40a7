/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MEMORY_FILE_H
#define MIG_MEMORY_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

#include "common/mem.h"
#include "common/page.h"
#include "memory/memory.h"

/* What test-memory and test-elf share: one file that all their tests write
 * to, gone when the program ends, and the memory opened from it.
 */
static int fd;
static char path[32];
static struct memory m;
static struct err e;

static inline int
setup(void **state)
{
	(void)state;
	fd = memfd_create("memory", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	return close(fd);
}

static inline void
empty_file(uint64_t size)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static inline void
write_at(uint64_t at, const void *bytes, size_t n)
{
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
}

/* A file in which the 8 bytes at each multiple of 8 say where they are. */
static inline void
counting_file(size_t size)
{
	empty_file(size);
	for (uint64_t at = 0; at < size; at += 8)
		write_at(at, &at, MIN(8, size - at));
}

/* What memory.h promises of any open file. */
static inline void
check_tiles(void)
{
	uint64_t at = 0, page = 0;

	for (size_t i = 0; i < m.nsegments; i++) {
		const struct memory_segment *s = &m.segments[i];

		assert_int_equal(s->offset, at);
		assert_int_equal(s->first_page, page);
		assert_true(s->len > 0);
		at += s->len;
		if (!s->is_pages) {
			assert_true(i == 0 || m.segments[i - 1].is_pages);
			continue;
		}
		assert_int_equal(s->len % PAGE_BYTES, 0);
		assert_int_equal(s->gpa % PAGE_BYTES, 0);
		page += s->len / PAGE_BYTES;
		assert_ptr_equal(memory_segment_of(&m, s->first_page), s);
		assert_ptr_equal(memory_segment_of(&m, page - 1), s);
		assert_ptr_equal(memory_page(&m, page - 1),
				 m.map.data + at - PAGE_BYTES);
	}
	assert_int_equal(at, m.map.len);
	assert_int_equal(page, m.npages);
}

static inline void
open_file(const struct memory_region *r, size_t n)
{
	assert_ok(memory_open(&m, path, r, n, &e), &e);
	check_tiles();
}

static inline void
open_fails(const struct memory_region *r, size_t n, enum err_code want,
	   const char *text)
{
	assert_err(memory_open(&m, path, r, n, &e), &e, want);
	assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
	if (!strstr(e.text, text))
		fail_msg("'%s' does not say '%s'", e.text, text);
	assert_null(m.segments);
	assert_int_equal(m.map.fd, -1);
}

static inline void
assert_segment(size_t i, uint64_t offset, uint64_t len, uint64_t gpa)
{
	assert_true(i < m.nsegments);
	assert_true(m.segments[i].is_pages);
	assert_int_equal(m.segments[i].offset, offset);
	assert_int_equal(m.segments[i].len, len);
	assert_int_equal(m.segments[i].gpa, gpa);
}

/* The page at gpa is number n and begins with the offset it stands at. */
static inline void
assert_page_at(uint64_t gpa, uint64_t n, uint64_t offset)
{
	uint64_t got;

	assert_true(memory_page_at(&m, gpa, &got));
	assert_int_equal(got, n);
	assert_int_equal(memory_page(&m, n) - m.map.data, offset);
	assert_int_equal(page_word(memory_page(&m, n), 0), offset);
}

static inline void
assert_no_page_at(uint64_t gpa)
{
	uint64_t got;

	assert_false(memory_page_at(&m, gpa, &got));
}

#endif
