/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/shadow.h"

/* All of its room is taken now: a disk that fills up later would be a signal
 * in the middle of a migration.  Where that cannot be asked for, it is hoped.
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

	if (shadow_make_room(map->fd, len, e) < 0)
		return -1;
	map->len = len;
	if (len > 0) {
		void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
				map->fd, 0);

		if (at == MAP_FAILED)
			return err_sys(e, "mapping %zu MiB", len >> 20);
		s->data = at;
		map->data = at;
	}
	s->memory.format = memory_raw.name;
	return memory_raw.lay_out(&s->memory, e);
}

int
shadow_open(struct shadow *s, int fd, uint64_t npages, struct err *e)
{
	*s = (struct shadow){ .memory.map.fd = fd };
	if (shadow_map(s, npages * PAGE_BYTES, e) == 0)
		return 0;
	shadow_close(s);
	return -1;
}

void
shadow_close(struct shadow *s)
{
	memory_close(&s->memory);
	s->data = NULL;
}
