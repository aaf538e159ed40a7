/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/decoded.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

#define WORD_BITS 64

static const char *
temporary_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && *folder ? folder : "/var/tmp";
}

int
temporary_open(struct err *e)
{
	int fd = open(temporary_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "a file in %s (TMPDIR)", temporary_folder())
		      : fd;
}

int
temporary_write(int fd, uint64_t at, const uint8_t *bytes, size_t n,
		struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, bytes, n, (off_t)at);

		if (done < 0)
			return err_sys(e, "writing to %s (TMPDIR)",
				       temporary_folder());
		at += (uint64_t)done;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

int
decoded_open(struct decoded *d, uint64_t npages, struct err *e)
{
	*d = (struct decoded){ .fd = -1, .npages = npages };
	if (npages > DECODED_PAGES_MAX)
		return err_set(e, ERR_USAGE,
			       "more than 4 TiB of memory; not supported");
	d->put = calloc(npages / WORD_BITS + 1, sizeof(*d->put));
	if (!d->put)
		return err_sys(e, "a map of %" PRIu64 " pages", npages);
	d->fd = temporary_open(e);
	if (d->fd >= 0 && ftruncate(d->fd, (off_t)(npages << PAGE_SHIFT)) == 0)
		return 0;
	if (d->fd >= 0)
		(void)err_sys(e, "%" PRIu64 " pages in %s (TMPDIR)", npages,
			      temporary_folder());
	decoded_close(d);
	return -1;
}

static bool
was_put(const struct decoded *d, uint64_t n)
{
	return d->put[n / WORD_BITS] >> n % WORD_BITS & 1;
}

static bool
is_zero(const uint8_t *page)
{
	return page_word(page, 0) == 0 &&
	       memcmp(page, page + 8, PAGE_BYTES - 8) == 0;
}

int
decoded_put(struct decoded *d, uint64_t n, const uint8_t *page, struct err *e)
{
	if (is_zero(page) && !was_put(d, n))
		return 0;
	d->put[n / WORD_BITS] |= 1ull << n % WORD_BITS;
	return temporary_write(d->fd, n << PAGE_SHIFT, page, PAGE_BYTES, e);
}

int
decoded_put_zero(struct decoded *d, uint64_t n, struct err *e)
{
	static const uint8_t zeros[PAGE_BYTES];

	return decoded_put(d, n, zeros, e);
}

int
decoded_lay_out(struct decoded *d, struct span opaque, struct memory *m,
		struct memory_region *regions, size_t nregions, struct err *e)
{
	int fd = d->fd;

	if (temporary_write(fd, d->npages << PAGE_SHIFT, opaque.at, opaque.left,
			    e) < 0)
		return -1;
	map_close(&m->map);
	d->fd = -1;
	if (map_take(&m->map, fd, "decoded memory", e) < 0)
		return -1;
	return memory_lay_out(m, regions, nregions, ERR_CORRUPT, e);
}

void
decoded_close(struct decoded *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->put);
	*d = (struct decoded){ .fd = -1 };
}
