/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mem.h"
#include "receiver/file-sink.h"

void
file_sink_init(struct file_sink *s)
{
	s->file = (struct newfile){ .fd = -1 };
	layout_init(&s->layout);
	s->data = NULL;
}

static int
file_sink_make_room(struct file_sink *s, struct err *e)
{
	errno = posix_fallocate(s->file.fd, 0, (off_t)s->layout.len);
	if (errno == ENOSPC || errno == EDQUOT)
		return err_set(e, ERR_LIMIT, "%.120s: no room for %llu MiB",
			       s->file.path,
			       (unsigned long long)(s->layout.len >> 20));
	if (errno)
		return err_sys(e, "%.120s: making room", s->file.path);
	s->data = mmap(NULL, s->layout.len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       s->file.fd, 0);
	if (s->data != MAP_FAILED)
		return 0;
	s->data = NULL;
	return err_sys(e, "%.120s: mapping %llu bytes", s->file.path,
		       (unsigned long long)s->layout.len);
}

int
file_sink_open(struct file_sink *s, const char *path, struct layout *layout,
	       struct err *e)
{
	file_sink_init(s);
	s->layout = *layout;
	layout_init(layout);
	coverage_init(&s->pages, s->layout.npages);
	coverage_init(&s->bytes, s->layout.nbytes);
	if (newfile_open(&s->file, path, e) == 0 &&
	    file_sink_make_room(s, e) == 0)
		return 0;
	file_sink_close(s);
	return -1;
}

static void
file_sink_unmap(struct file_sink *s)
{
	if (s->data)
		munmap(s->data, s->layout.len);
	s->data = NULL;
}

void
file_sink_close(struct file_sink *s)
{
	file_sink_unmap(s);
	newfile_close(&s->file);
	layout_fini(&s->layout);
}

static uint8_t *
file_sink_page(void *arg, uint64_t n)
{
	const struct file_sink *s = arg;
	uint64_t offset;

	return layout_page(&s->layout, n, &offset) ? s->data + offset : NULL;
}

static const uint8_t *
file_sink_history(void *arg, uint64_t n)
{
	return file_sink_page(arg, n);
}

static int
file_sink_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
		struct err *e)
{
	const struct file_sink *s = arg;
	uint64_t offset, follow;

	while (n > 0) {
		if (!layout_byte(&s->layout, first, &offset, &follow))
			return err_set(e, ERR_PROTOCOL, "there is no byte %llu",
				       (unsigned long long)first);
		follow = MIN(follow, n);
		memcpy(s->data + offset, bytes, follow);
		first += follow;
		bytes += follow;
		n -= follow;
	}
	return 0;
}

struct rebuild_target
file_sink_target(struct file_sink *s)
{
	return (struct rebuild_target){ .page = file_sink_page,
					.history = file_sink_history,
					.bytes = file_sink_bytes,
					.arg = s };
}

int
file_sink_add(struct file_sink *s, const struct frame *f, struct err *e)
{
	if (coverage_add(&s->pages, f->first_page, f->npages, e) < 0)
		return err_prefix(e, "pages");
	if (coverage_add(&s->bytes, f->first_byte, f->nbytes, e) < 0)
		return err_prefix(e, "bytes");
	return 0;
}

bool
file_sink_is_whole(const struct file_sink *s)
{
	return coverage_is_whole(&s->pages) && coverage_is_whole(&s->bytes);
}

int
file_sink_commit(struct file_sink *s, struct err *e)
{
	file_sink_unmap(s);
	return newfile_commit(&s->file, e);
}
