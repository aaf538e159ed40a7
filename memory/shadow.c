/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/shadow.h"

uint64_t
shadow_room(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(f);
	return kib * 1024 / 3;
}

/* All of its room is taken now: a disk that fills up later would end a
 * migration that is half done.  Where that cannot be asked for, it is hoped.
 */
static int
shadow_make_room(int fd, size_t len, struct err *e)
{
	if (ftruncate(fd, (off_t)len) < 0)
		return err_sys(e, "shadow of %zu MiB", len >> 20);
	if (len == 0 || fallocate(fd, 0, 0, (off_t)len) == 0 ||
	    errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT)
		return err_set(e, ERR_LIMIT,
			       "no room for the guest's memory, %zu MiB",
			       len >> 20);
	return err_sys(e, "shadow of %zu MiB", len >> 20);
}

static int
shadow_map(struct shadow *s, size_t len, struct err *e)
{
	struct map *map = &s->memory.map;
	void *at;

	if (s->in_file && shadow_make_room(map->fd, len, e) < 0)
		return -1;
	map->len = len;
	if (len > 0) {
		at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  s->in_file
				  ? MAP_SHARED
				  : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  s->in_file ? map->fd : -1, 0);
		if (at == MAP_FAILED)
			return err_sys(e, "mapping %zu MiB", len >> 20);
		s->data = at;
		map->data = at;
	}
	s->memory.format = memory_raw.name;
	return memory_raw.lay_out(&s->memory, e);
}

int
shadow_open(struct shadow *s, int fd, uint64_t npages, uint64_t room,
	    struct err *e)
{
	*s = (struct shadow){ .memory.map.fd = fd,
			      .in_file = npages > room / PAGE_BYTES,
			      .put = calloc(npages / 8 + 1, 1) };
	if (!s->put)
		(void)err_sys(e, "shadow");
	else if (shadow_map(s, npages * PAGE_BYTES, e) == 0)
		return 0;
	shadow_close(s);
	return -1;
}

void
shadow_close(struct shadow *s)
{
	memory_close(&s->memory);
	free(s->put);
	s->put = NULL;
	s->data = NULL;
}

static int
shadow_write(struct shadow *s, uint64_t at, const uint8_t *bytes, size_t n,
	     struct err *e)
{
	ssize_t got;

	for (; n > 0; n -= (size_t)got, at += (size_t)got, bytes += got) {
		got = pwrite(s->memory.map.fd, bytes, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			return err_sys(e, "shadow, byte %llu",
				       (unsigned long long)at);
	}
	return 0;
}

/* A file's page is written whole rather than through the mapping, which would
 * have it filled with zeros first, and its neighbours, too.
 */
int
shadow_put(struct shadow *s, uint64_t n, const uint8_t *page, struct err *e)
{
	static const uint8_t zeros[PAGE_BYTES];
	uint8_t bit = (uint8_t)(1u << n % 8);

	if (!page && !(s->put[n / 8] & bit))
		return 0;
	s->put[n / 8] |= bit;
	if (!page)
		page = zeros;
	if (s->in_file)
		return shadow_write(s, n * PAGE_BYTES, page, PAGE_BYTES, e);
	memcpy(s->data + n * PAGE_BYTES, page, PAGE_BYTES);
	return 0;
}

int
shadow_save(struct shadow *s, struct err *e)
{
	uint64_t npages = s->memory.map.len / PAGE_BYTES, n = 0;

	if (s->in_file)
		return 0;
	if (shadow_make_room(s->memory.map.fd, s->memory.map.len, e) < 0)
		return -1;
	while (n < npages) {
		uint64_t first = n;

		while (n < npages && (s->put[n / 8] >> n % 8 & 1))
			n++;
		if (shadow_write(s, first * PAGE_BYTES,
				 s->data + first * PAGE_BYTES,
				 (n - first) * PAGE_BYTES, e) < 0)
			return -1;
		n += n < npages;
	}
	return 0;
}
