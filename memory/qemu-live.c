/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/qemu-live.h"

/* Pages that are kept until they are to be forgotten: page tables are asked
 * for again and again.
 */
#define LIVE_CACHE 4096
#define LIVE_AHEAD 64u

struct live_page {
	uint64_t round; /* in which it was read; 0: never */
	uint64_t number;
};

/* Where RAM above 4 GiB begins in the RAM of a machine, what of it stands
 * below: QEMU's pc and microvm, q35.  Where all of it is below there is one
 * way only.
 */
static const uint64_t low_ends[] = { 0xc0000000, 0x80000000 };

bool
qemu_live_read(const struct qemu_live *l, uint64_t n, uint8_t page[4096])
{
	uint64_t k = n - l->first_page;

	return k < l->memory.npages - l->first_page &&
	       pread(l->fd, page, PAGE_BYTES,
		     (off_t)(l->at + k * PAGE_BYTES)) == PAGE_BYTES;
}

static uint8_t *
live_bytes(const struct qemu_live *l, uint64_t n)
{
	return l->bytes + n % LIVE_CACHE * PAGE_BYTES;
}

/* Reads page n and, where somebody goes through all of them, more and more of
 * those behind it, at once: most of what it costs is to ask.
 */
static bool
live_read(struct qemu_live *l, uint64_t n)
{
	struct live_page *c = &l->cache[n % LIVE_CACHE];
	uint64_t room = LIVE_CACHE - n % LIVE_CACHE, wanted;
	ssize_t got;

	l->ahead = n == l->next ? MIN(2 * l->ahead, LIVE_AHEAD) : 1;
	wanted = MIN(MIN(l->memory.npages - n, room), l->ahead);
	for (uint64_t i = 0; i < wanted; i++)
		c[i].round = 0;
	got = pread(l->fd, live_bytes(l, n), wanted * PAGE_BYTES,
		    (off_t)(l->at + (n - l->first_page) * PAGE_BYTES));
	l->next = n + 1;
	for (uint64_t i = 0; (ssize_t)((i + 1) * PAGE_BYTES) <= got; i++) {
		c[i] = (struct live_page){ l->round, n + i };
		l->next = n + i + 1;
	}
	return got >= PAGE_BYTES;
}

static const uint8_t *
live_page(void *arg, uint64_t gpa, uint8_t scratch[4096])
{
	struct qemu_live *l = arg;
	const struct live_page *c;
	uint64_t n;

	(void)scratch;
	if (!memory_run_at(l->runs, l->memory.nruns, gpa, &n))
		return NULL;
	c = &l->cache[n % LIVE_CACHE];
	if (c->round == l->round && c->number == n)
		return live_bytes(l, n);
	return live_read(l, n) ? live_bytes(l, n) : NULL;
}

static void
live_forget(void *arg)
{
	struct qemu_live *l = arg;

	l->round++;
}

/* The i-th place in the process: first maps of that length; then the beginning
 * and the end of longer ones, where RAM may have grown together with something
 * else.
 */
static bool
live_place(struct qemu_live *l, const struct qemu_maps *m, uint64_t len,
	   unsigned i)
{
	for (unsigned longer = 0; longer < 2; longer++)
		for (size_t k = 0; k < m->n; k++) {
			const struct qemu_map *map = &m->list[k];
			unsigned places = longer ? 2 : 1;

			if (longer ? map->len <= len : map->len != len)
				continue;
			if (i >= places) {
				i -= places;
				continue;
			}
			l->fd = map->in_file ? m->file : m->fd;
			l->at = i ? map->at + map->len - len : map->at;
			return true;
		}
	return false;
}

/* What of so much RAM a machine has below 4 GiB; 0: who knows. */
static uint64_t
live_low(const char *machine, uint64_t len)
{
	if (strstr(machine, "q35"))
		return len >= 0xb0000000 ? low_ends[1] : len;
	if (strstr(machine, "i440fx"))
		return len >= 0xe0000000 ? low_ends[0] : len;
	if (strstr(machine, "microvm"))
		return len > 0xc0000000 ? low_ends[0] : len;
	return 0;
}

/* The i-th layout, if that machine may have it. */
static bool
live_lay_out(struct qemu_live *l, const char *machine, uint64_t len, unsigned i)
{
	uint64_t low = i == 0 ? len : low_ends[i - 1];
	uint64_t known = live_low(machine, len), first = l->first_page;

	if (low > len || (i == 0 && len > 0xe0000000) ||
	    (known != 0 && known != low))
		return false;
	l->runs[0] = (struct memory_run){ 0, low / PAGE_BYTES, first };
	l->runs[1] = (struct memory_run){ UINT64_C(1) << 32,
					  (len - low) / PAGE_BYTES,
					  first + low / PAGE_BYTES };
	l->memory.nruns = low < len ? 2 : 1;
	return i == 0 || low < len;
}

int
qemu_live_open(struct qemu_live *l, const struct qemu_maps *m,
	       const struct qemu_ram *ram, unsigned way, struct err *e)
{
	unsigned layouts = 1 + ARRAY_LEN(low_ends);

	*l = (struct qemu_live){ .first_page = ram->first_page };
	l->memory = (struct physical){ .page = live_page,
				       .forget = live_forget,
				       .arg = l,
				       .runs = l->runs,
				       .npages = ram->first_page +
						 ram->len / PAGE_BYTES };
	if (!live_place(l, m, ram->len, way / layouts) ||
	    !live_lay_out(l, ram->machine, ram->len, way % layouts))
		return 0;
	l->round = l->ahead = 1;
	l->cache = calloc(LIVE_CACHE, sizeof(*l->cache));
	l->bytes = malloc((size_t)LIVE_CACHE * PAGE_BYTES);
	if (l->cache && l->bytes)
		return 1;
	(void)err_sys(e, "pages of the guest");
	qemu_live_close(l);
	return -1;
}

void
qemu_live_close(struct qemu_live *l)
{
	free(l->cache);
	free(l->bytes);
	l->cache = NULL;
	l->bytes = NULL;
}
