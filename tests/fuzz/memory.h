/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_MEMORY_H
#define MIG_FUZZ_MEMORY_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/page.h"
#include "memory/memory.h"

/* What the targets for formats of memory images share. */

/* Any file: opened, it keeps the promises of memory.h, and every page can be
 * read.
 */
static inline void
check_memory(const struct memory *m)
{
	uint64_t at = 0, page = 0, n;
	unsigned sum = 0;

	for (size_t i = 0; i < m->nsegments; i++) {
		const struct memory_segment *s = &m->segments[i];

		fuzz_check(s->offset == at && s->len > 0);
		fuzz_check(s->first_page == page);
		at += s->len;
		if (!s->is_pages)
			continue;
		fuzz_check((s->gpa | s->len) % PAGE_BYTES == 0);
		fuzz_check(memory_page_at(m, s->gpa, &n) && n < m->npages);
		page += s->len / PAGE_BYTES;
	}
	fuzz_check(at == m->map.len && page == m->npages);
	/* What was decoded may be terabytes of nothing. */
	for (n = 0; n < MIN(m->npages, 4096u); n++)
		sum += memory_page(m, n)[0] + memory_page(m, n)[PAGE_BYTES - 1];
	fuzz_check(sum <= n * 2 * UINT8_MAX);
}

static inline int
check_file(const uint8_t *data, size_t size)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct memory m;
	struct err e;
	char path[32];

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (memory_open(&m, path, NULL, 0, &e) < 0) {
		/* a state file of VMware has no memory beside it here */
		fuzz_check(e.code == ERR_CORRUPT || e.code == ERR_USAGE ||
			   strstr(e.text, ".vmem"));
		return 0;
	}
	check_memory(&m);
	memory_close(&m);
	return 0;
}

static inline void
put_zeros(struct buf *out, size_t n)
{
	struct err e;
	uint8_t *at = buf_room(out, n, &e);

	fuzz_check(at != NULL);
	memset(at, 0, n);
	buf_add(out, n);
}

#endif
