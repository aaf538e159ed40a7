/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MADE_MEMORY_H
#define MIG_MADE_MEMORY_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

#include "common/page.h"
#include "memory/memory.h"

/* Memory made up so that every plan code has work: zero and filled pages,
 * text, tables of pointers mapped twice, duplicates, noise, and opaque bytes
 * before and after the pages.
 */
#define MADE_HEAD 1000
#define MADE_TAIL 77

static inline void
made_text(uint8_t *page, uint64_t *seed)
{
	static const char *const words[] = { "migrate ", "memory ", "page ",
					     "guest ",   "host ",   "kernel " };
	size_t at = 0;

	while (at < PAGE_BYTES) {
		const char *w = words[test_random(seed) % 6];
		size_t n = strlen(w) < PAGE_BYTES - at ? strlen(w)
						       : PAGE_BYTES - at;

		memcpy(page + at, w, n);
		at += n;
	}
}

static inline void
made_pointers(uint8_t *page, uint64_t where, uint64_t base)
{
	for (unsigned w = 0; w < PAGE_WORDS; w++) {
		uint64_t v = w % 4 ? where * PAGE_WORDS + w
				   : base + ((where * 131 + w) << 4);

		memcpy(page + 8 * (size_t)w, &v, 8);
	}
}

static inline void
made_page(uint8_t *pages, uint64_t n, uint64_t *seed)
{
	uint8_t *page = pages + n * PAGE_BYTES;
	uint64_t kind = test_random(seed) % 10;
	uint64_t fill = test_random(seed);

	memset(page, 0, PAGE_BYTES);
	if (kind == 1)
		for (unsigned w = 0; w < PAGE_WORDS; w++)
			memcpy(page + 8 * (size_t)w, &fill, 8);
	if (kind == 2 || kind == 3)
		made_text(page, seed);
	if (kind == 4)
		made_pointers(page, n / 40, 0x7f1200000000 + (n << 12));
	if (kind == 5 && n > 0)
		memcpy(page, pages + (test_random(seed) % n) * PAGE_BYTES,
		       PAGE_BYTES);
	if (kind >= 6 && kind < 9)
		for (unsigned w = 0; w < PAGE_WORDS; w++) {
			uint64_t v = test_random(seed) >> (w % 3 ? 40 : 0);

			memcpy(page + 8 * (size_t)w, &v, 8);
		}
	if (kind == 8 && n > 0) /* and a part of an earlier page in it */
		memcpy(page + 800,
		       pages + (test_random(seed) % n) * PAGE_BYTES + 160,
		       1600);
}

/* Writes bytes to a memfd and opens it; the mapping keeps it alive. */
static inline void
made_open(struct memory *m, const uint8_t *bytes, size_t len,
	  const struct memory_region *r)
{
	int fd = memfd_create("made", 0);
	char path[64];
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_ok(memory_open(m, path, r, 1, &e), &e);
	close(fd);
}

/* npages pages between MADE_HEAD and MADE_TAIL opaque bytes.  'file' has room
 * for all of it.
 */
static inline void
made_memory(struct memory *m, uint8_t *file, uint64_t npages, uint64_t seed)
{
	struct memory_region r = { 0, MADE_HEAD, npages * PAGE_BYTES };
	size_t len = MADE_HEAD + npages * PAGE_BYTES + MADE_TAIL;

	for (size_t i = 0; i < len; i++)
		file[i] = (uint8_t)(i * 7);
	for (uint64_t n = 0; n < npages; n++)
		made_page(file + MADE_HEAD, n, &seed);
	made_open(m, file, len, &r);
}

/* The same memory some time later: some pages changed a little, some quite,
 * some moved.
 */
static inline void
made_later(struct memory *m, uint8_t *file, uint64_t npages, uint64_t seed)
{
	struct memory_region r = { 0, MADE_HEAD, npages * PAGE_BYTES };
	uint8_t *pages = file + MADE_HEAD;

	for (uint64_t n = 0; n < npages; n++) {
		uint64_t kind = test_random(&seed) % 8;

		if (kind == 0)
			made_page(pages, n, &seed);
		if (kind == 1)
			for (unsigned i = 0; i < 30; i++)
				pages[n * PAGE_BYTES +
				      test_random(&seed) % PAGE_BYTES] ^= 1;
		if (kind == 2 && n > 0)
			memcpy(pages + n * PAGE_BYTES,
			       pages + (n - 1) * PAGE_BYTES, PAGE_BYTES);
	}
	made_open(m, file, MADE_HEAD + npages * PAGE_BYTES + MADE_TAIL, &r);
}

#endif
