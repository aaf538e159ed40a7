/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/modules.h"
#include "dedup/unpack.h"

#define MODULES_MAGIC "virt-mig modules" /* 16 bytes, and two numbers, */
#define MODULES_ROOM  32                 /* end the list */
#define MODULES_ENTRY 12                 /* block, pages */
#define MODULES_MAX   65536
/* What unpacks to the first bytes of a file, however it is packed. */
#define MODULES_HEAD_BLOCKS 36
/* Laid-out pages that are kept: with more, all are made anew. */
#define MODULES_KEPT_MAX (1u << 16)

uint32_t
modules_line(const uint8_t page[4096], unsigned k)
{
	size_t from = k * (PAGE_BYTES / MODULES_LINES) + 256;
	uint64_t w[4];

	memcpy(w, page + from, sizeof(w));
	if (w[0] == w[1] && w[1] == w[2] && w[2] == w[3])
		return 0;
	return (uint32_t)digest_hint(w, sizeof(w)) * MODULES_LINES + k;
}

static bool
modules_packed(const uint8_t head[4096])
{
	return memcmp(head,
		      "\xfd"
		      "7zXZ",
		      6) == 0 ||
	       memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 ||
	       memcmp(head, "\x1f\x8b\x08", 3) == 0;
}

/* The first n blocks of a file; for free(). */
static uint8_t *
modules_blocks(struct image *img, uint64_t file, uint64_t n, struct err *e)
{
	uint8_t *bytes = malloc(n * PAGE_BYTES);

	if (!bytes) {
		(void)err_sys(e, "a module");
		return NULL;
	}
	if (image_read_file(img, file, 0, n, bytes, e) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

/* How long the file is, unpacked, and the blocks that hold all of it. */
static int
modules_measure(struct image *img, uint64_t block, const uint8_t head[4096],
		size_t *len, struct err *e)
{
	const uint64_t n = MODULES_HEAD_BLOCKS;
	auto_free uint8_t *more = NULL;
	uint8_t first[64];
	struct err ignored;

	*len = module_file_bytes(head, PAGE_BYTES);
	if (*len > 0 || !modules_packed(head))
		return 0;
	more = modules_blocks(img, block, n, e);
	if (!more)
		return -1;
	if (unpack(more, n * PAGE_BYTES, first, sizeof(first), &ignored) == 0)
		*len = module_file_bytes(first, sizeof(first));
	return 0;
}

/* The file that so many blocks begin with; for free(), NULL without an error
 * where it does not unpack.
 */
static int
modules_unpack(uint8_t **file, const uint8_t *blocks, uint64_t n, size_t len,
	       struct err *e)
{
	struct err ignored;

	*file = malloc(len);
	if (!*file)
		return err_sys(e, "a module of %zu bytes", len);
	if (unpack(blocks, n * PAGE_BYTES, *file, len, &ignored) == 0)
		return 0;
	free(*file);
	*file = NULL;
	return 0;
}

int
modules_read(struct module *m, struct image *img, uint64_t block,
	     const uint8_t head[4096], struct err *e)
{
	auto_free uint8_t *blocks = NULL, *file = NULL;
	bool packed = modules_packed(head);
	uint64_t n = 0;
	int ret = 0;
	size_t len;

	*m = (struct module){ .npages = 0 };
	if (modules_measure(img, block, head, &len, e) < 0)
		return -1;
	if (len > 0) {
		n = len / PAGE_BYTES + 1;
		blocks = modules_blocks(img, block, n, e);
		if (!blocks ||
		    (packed && modules_unpack(&file, blocks, n, len, e) < 0))
			return -1;
	}
	if (file)
		ret = module_lay_out(m, file, len, e);
	else if (len > 0 && !packed)
		ret = module_lay_out(m, blocks, MIN(len, n * PAGE_BYTES), e);
	m->nblocks = (uint32_t)(n + (packed ? MODULES_HEAD_BLOCKS : 0));
	return ret;
}

void
modules_list_init(struct modules_list *l)
{
	*l = (struct modules_list){ .n = 0 };
	buf_init(&l->modules, UINT32_MAX);
	buf_init(&l->lines, UINT32_MAX);
}

void
modules_list_fini(struct modules_list *l)
{
	buf_fini(&l->modules);
	buf_fini(&l->lines);
}

int
modules_list_add(struct modules_list *l, uint64_t block, const struct module *m,
		 struct err *e)
{
	if (l->n == MODULES_MAX || m->npages == 0 ||
	    m->npages > MODULES_PAGES_MAX - l->npages)
		return 0;
	if (buf_put_u64(&l->modules, block, e) < 0 ||
	    buf_put_u32(&l->modules, m->npages, e) < 0)
		return -1;
	for (size_t i = 0; i < m->npages; i++)
		for (unsigned k = 0; k < MODULES_LINES; k++)
			if (buf_put_u32(
				    &l->lines,
				    modules_line(m->bytes + i * PAGE_BYTES, k),
				    e) < 0)
				return -1;
	l->n++;
	l->npages += m->npages;
	return 0;
}

int
modules_list_end(struct modules_list *l, struct err *e)
{
	static const uint8_t zeros[PAGE_BYTES];
	size_t in;

	if (l->n == 0)
		return 0;
	if (buf_put(&l->modules, l->lines.data, l->lines.len, e) < 0)
		return -1;
	in = (l->modules.len + MODULES_ROOM) % PAGE_BYTES;
	if (in > 0 && buf_put(&l->modules, zeros, PAGE_BYTES - in, e) < 0)
		return -1;
	if (buf_put(&l->modules, MODULES_MAGIC, 16, e) < 0 ||
	    buf_put_u32(&l->modules, l->n, e) < 0 ||
	    buf_put_u32(&l->modules, l->npages, e) < 0)
		return -1;
	return buf_put(&l->modules, zeros, MODULES_ROOM - 24, e);
}

struct modules {
	struct image *img;
	const uint8_t *entries, *lines;
	uint32_t n, npages;
	uint32_t *first;         /* page of each module, and n more */
	pthread_mutex_t lock;    /* of what follows */
	struct module *laid_out; /* those that are */
	uint32_t nkept;
};

/* Where the list is; false if what stands there makes none. */
static bool
modules_find(struct modules *ms, const struct memory *programs)
{
	uint64_t bytes;
	const uint8_t *end;

	if (programs->nruns != 1 || programs->npages == 0 ||
	    programs->by_gpa[0].npages != programs->npages)
		return false;
	end = memory_page(programs, 0) + programs->npages * PAGE_BYTES -
	      MODULES_ROOM;
	if (memcmp(end, MODULES_MAGIC, 16) != 0)
		return false;
	ms->n = load_le32(end + 16);
	ms->npages = load_le32(end + 20);
	if (ms->n == 0 || ms->n > MODULES_MAX || ms->npages > MODULES_PAGES_MAX)
		return false;
	bytes = MODULES_ENTRY * (uint64_t)ms->n +
		4 * MODULES_LINES * (uint64_t)ms->npages + MODULES_ROOM;
	bytes = (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	if (bytes > programs->npages * PAGE_BYTES)
		return false;
	ms->entries = end + MODULES_ROOM - bytes;
	ms->lines = ms->entries + MODULES_ENTRY * (size_t)ms->n;
	return true;
}

static bool
modules_number(struct modules *ms)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < ms->n && at <= ms->npages; i++) {
		ms->first[i] = (uint32_t)at;
		at += load_le32(ms->entries + MODULES_ENTRY * (size_t)i + 8);
	}
	ms->first[ms->n] = (uint32_t)at;
	return at == ms->npages;
}

struct modules *
modules_new(const struct memory *programs, struct image *img)
{
	struct modules *ms = calloc(1, sizeof(*ms));

	if (!ms)
		return NULL;
	pthread_mutex_init(&ms->lock, NULL);
	ms->img = img;
	if (modules_find(ms, programs)) {
		ms->first = calloc(ms->n + 1, sizeof(*ms->first));
		ms->laid_out = calloc(ms->n, sizeof(*ms->laid_out));
	}
	if (ms->first && ms->laid_out && modules_number(ms))
		return ms;
	modules_free(ms);
	return NULL;
}

static void
modules_forget(struct modules *ms)
{
	for (uint32_t i = 0; ms->laid_out && i < ms->n; i++) {
		free(ms->laid_out[i].bytes);
		ms->laid_out[i].bytes = NULL;
	}
	ms->nkept = 0;
}

void
modules_free(struct modules *ms)
{
	if (!ms)
		return;
	modules_forget(ms);
	free(ms->laid_out);
	free(ms->first);
	pthread_mutex_destroy(&ms->lock);
	free(ms);
}

uint32_t
modules_npages(const struct modules *ms)
{
	return ms->npages;
}

uint32_t
modules_line_of(const struct modules *ms, uint32_t n, unsigned k)
{
	return load_le32(ms->lines + 4 * ((size_t)n * MODULES_LINES + k));
}

/* The module that page n < ms->npages is of. */
static uint32_t
modules_of(const struct modules *ms, uint32_t n)
{
	uint32_t low = 0, high = ms->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (ms->first[middle] <= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int
modules_load(struct modules *ms, uint32_t i, struct err *e)
{
	const uint8_t *entry = ms->entries + MODULES_ENTRY * (size_t)i;
	struct module *m = &ms->laid_out[i];
	uint8_t head[PAGE_BYTES];
	uint64_t block = load_le64(entry);

	if (image_read(ms->img, block, 1, head, e) < 0 ||
	    modules_read(m, ms->img, block, head, e) < 0)
		return -1;
	if (m->npages != load_le32(entry + 8)) {
		free(m->bytes);
		m->bytes = NULL;
		return err_set(e, ERR_CORRUPT, "no such module at block %llu",
			       (unsigned long long)block);
	}
	ms->nkept += m->npages;
	return 0;
}

int
modules_page(struct modules *ms, uint32_t n, uint8_t out[4096], struct err *e)
{
	uint32_t i = modules_of(ms, n);
	int ret = 0;

	pthread_mutex_lock(&ms->lock);
	if (!ms->laid_out[i].bytes) {
		if (ms->nkept > MODULES_KEPT_MAX)
			modules_forget(ms);
		ret = modules_load(ms, i, e);
	}
	if (ret == 0)
		memcpy(out,
		       ms->laid_out[i].bytes +
			       (size_t)(n - ms->first[i]) * PAGE_BYTES,
		       PAGE_BYTES);
	pthread_mutex_unlock(&ms->lock);
	return ret;
}
