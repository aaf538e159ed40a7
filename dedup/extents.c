/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/extents.h"
#include "dedup/vmlinux.h"

bool
extents_read(struct extents *x, uint64_t block, uint64_t n, uint8_t *out)
{
	uint64_t all = image_nblocks(x->img);
	struct err ignored;

	if (block >= all || n > all - block || n > x->work)
		return false;
	x->work -= n;
	return image_read(x->img, block, n, out, &ignored) == 0;
}

void
extents_begin(struct extents *x)
{
	x->n = 0;
}

bool
extents_add(struct extents *x, uint64_t at, uint64_t block, uint64_t n)
{
	struct extent *last = x->n ? &x->file[x->n - 1] : NULL;
	uint64_t end = last ? (uint64_t)last->at + last->n : 0;
	uint64_t all = image_nblocks(x->img);

	if (n == 0 || n > UINT32_MAX || at < end || at > UINT32_MAX - n ||
	    block >= all || n > all - block)
		return false;
	if (last && at == end && block == (uint64_t)last->block + last->n) {
		last->n += (uint32_t)n;
		return true;
	}
	if (x->n == EXTENTS_FILE_MAX)
		return false;
	x->file[x->n++] = (struct extent){ .at = (uint32_t)at,
					   .block = (uint32_t)block,
					   .n = (uint32_t)n };
	return true;
}

/* Whether a file that begins like this may be a program, a kernel or a module,
 * packed or not.
 */
static bool
is_program(const uint8_t head[4096])
{
	static const struct {
		const char *bytes;
		size_t n;
	} magics[] = { { "\177ELF", 4 },
		       { "MZ", 2 },
		       { "\xfd"
			 "7zXZ",
			 6 },
		       { "\x28\xb5\x2f\xfd", 4 },
		       { "\x1f\x8b\x08", 3 } };

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (memcmp(head, magics[i].bytes, magics[i].n) == 0)
			return true;
	return vmlinux_starts(head);
}

int
extents_end(struct extents *x, struct err *e)
{
	size_t n = x->n;
	uint8_t head[PAGE_BYTES];

	x->n = 0;
	if (n < 2 || x->file[0].at != 0 ||
	    x->found.len / sizeof(*x->file) + n > EXTENTS_MAX ||
	    !extents_read(x, x->file[0].block, 1, head) || !is_program(head))
		return 0;
	for (size_t i = 0; i < n; i++)
		x->file[i].file = x->file[0].block;
	return buf_put(&x->found, x->file, n * sizeof(*x->file), e);
}

static int
by_file(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

int
extents_put(struct extents *x, struct buf *out, struct err *e)
{
	struct extent *all = (struct extent *)(void *)x->found.data;
	size_t n = x->found.len / sizeof(*all);

	if (n > 0)
		qsort(all, n, sizeof(*all), by_file);
	for (size_t i = 0; i < n; i++)
		if (buf_put_u32(out, all[i].file, e) < 0 ||
		    buf_put_u32(out, all[i].at, e) < 0 ||
		    buf_put_u32(out, all[i].block, e) < 0 ||
		    buf_put_u32(out, all[i].n, e) < 0)
			return -1;
	return 0;
}

int
extents_get(struct span s, size_t n, uint64_t nblocks, struct extent *out,
	    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct extent *x = &out[i];

		if (span_get_u32(&s, &x->file, e) < 0 ||
		    span_get_u32(&s, &x->at, e) < 0 ||
		    span_get_u32(&s, &x->block, e) < 0 ||
		    span_get_u32(&s, &x->n, e) < 0)
			return -1;
		if (x->at > UINT32_MAX - x->n || x->block >= nblocks ||
		    x->n > nblocks - x->block ||
		    (i > 0 && by_file(x - 1, x) > 0))
			return err_set(e, ERR_CORRUPT,
				       "extent %zu makes no sense", i);
	}
	return 0;
}
