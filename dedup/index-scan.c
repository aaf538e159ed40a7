/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "common/pool.h"
#include "dedup/index-scan.h"
#include "dedup/vmlinux.h"

/* Jobs hold at most 4 MiB of blocks each, so all of them hold 48 MiB. */
#define THREADS_MAX 8
#define JOBS_MAX    (THREADS_MAX + 4)

struct scan_job {
	struct pool_job job;
	const struct image *img;
	struct index_region region;
	uint8_t *bytes; /* the region's blocks, where it is not mapped */
	int failed;
	struct err err;
};

struct index_scan {
	struct image *img;
	const struct index *backing; /* or NULL */
	struct pool *pool;
	struct scan_job *jobs[JOBS_MAX];
	unsigned njobs;
	struct scan_job *idle[JOBS_MAX];
	unsigned nidle;
	struct scan_job *given; /* the caller looks at its region */
	struct image_run run;   /* what is left of the current run of data */
	bool ended;
};

/* Pages are hashed in groups while they are in the cache. */
#define GROUP 16

struct group {
	const uint8_t *pages[GROUP];
	unsigned blocks[GROUP];
	unsigned n;
};

static int
hash_group(struct index_region *r, struct group *g, struct err *e)
{
	struct fingerprint prints[GROUP];

	if (fingerprint_pages(g->pages, g->n, prints, e) < 0)
		return -1;
	for (unsigned i = 0; i < g->n; i++)
		r->piece.prints[g->blocks[i]] = prints[i];
	g->n = 0;
	return 0;
}

static bool
page_is_zero(const uint8_t *page)
{
	return page_word(page, 0) == 0 &&
	       memcmp(page, page + 8, PAGE_BYTES - 8) == 0;
}

static int
hash_region(struct scan_job *j, struct err *e)
{
	struct index_region *r = &j->region;
	uint64_t first = r->number * INDEX_REGION_BLOCKS;
	struct group g = { .n = 0 };

	for (unsigned i = 0; i < r->nblocks; i++) {
		const uint8_t *page;

		if (!(r->data[i / 64] & ~r->known[i / 64] & 1ull << i % 64))
			continue;
		page = j->bytes ? j->bytes + (size_t)i * PAGE_BYTES
				: image_block(j->img, first + i);
		if (page_is_zero(page))
			continue;
		if (vmlinux_starts(page))
			r->kernels[i / 64] |= 1ull << i % 64;
		r->is_zero = false;
		r->piece.hints[i] = htole64(digest_hint(page, PAGE_BYTES));
		g.pages[g.n] = page;
		g.blocks[g.n++] = i;
		if (g.n == GROUP && hash_group(r, &g, e) < 0)
			return -1;
	}
	return g.n ? hash_group(r, &g, e) : 0;
}

static void
on_job(struct pool_job *job, unsigned worker)
{
	struct scan_job *j = (struct scan_job *)job;
	uint64_t before = clock_cpu_ns();

	(void)worker;
	j->failed = hash_region(j, &j->err);
	j->region.cpu_ns += clock_cpu_ns() - before;
}

static int
add_job(struct index_scan *s, bool mapped, struct err *e)
{
	struct scan_job *j = calloc(1, sizeof(*j));

	if (!j)
		return err_sys(e, "scanning");
	s->jobs[s->njobs++] = j;
	s->idle[s->nidle++] = j;
	j->img = s->img;
	j->job.early = on_job;
	if (mapped)
		return 0;
	j->bytes = malloc((size_t)INDEX_REGION_BLOCKS * PAGE_BYTES);
	return j->bytes ? 0 : err_sys(e, "scanning");
}

static unsigned
default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 1 ? (unsigned)n : 1;
}

struct index_scan *
index_scan_new(struct image *img, const struct index *backing, unsigned threads,
	       struct err *e)
{
	struct index_scan *s = calloc(1, sizeof(*s));
	bool mapped = image_nblocks(img) == 0 || image_block(img, 0);

	if (!s) {
		(void)err_sys(e, "scanning");
		return NULL;
	}
	s->img = img;
	if (backing && index_is_of_backing(backing, img))
		s->backing = backing;
	if (threads == 0)
		threads = default_threads();
	threads = MIN(threads, THREADS_MAX);
	s->pool = pool_new(threads, e);
	if (!s->pool) {
		index_scan_free(s);
		return NULL;
	}
	while (s->njobs < threads + 4)
		if (add_job(s, mapped, e) < 0) {
			index_scan_free(s);
			return NULL;
		}
	return s;
}

void
index_scan_free(struct index_scan *s)
{
	if (!s)
		return;
	pool_free(s->pool);
	for (unsigned i = 0; i < s->njobs; i++) {
		free(s->jobs[i]->bytes);
		free(s->jobs[i]);
	}
	free(s);
}

/* Moves to the next run of data unless there is some left of this one. */
static int
find_run(struct index_scan *s, struct err *e)
{
	int ret;

	if (s->run.n > 0 || s->ended)
		return 0;
	ret = image_next_data(s->img, s->run.first, &s->run, e);
	if (ret < 0)
		return -1;
	s->ended = ret == 0;
	return 0;
}

/* Takes what the backing file's index knows of block n, number i here; false
 * if it has no such block.
 */
static bool
take_known(struct index_scan *s, struct index_region *r, uint64_t n, unsigned i)
{
	uint64_t there;

	if (!index_block_at(s->backing, image_offset(s->img, n), &there))
		return false;
	r->known[i / 64] |= 1ull << i % 64;
	r->piece.prints[i] = *index_fingerprint(s->backing, there);
	r->piece.hints[i] = htole64(index_hint(s->backing, there));
	if (!index_print_is_zero(&r->piece.prints[i]))
		r->is_zero = false;
	if (index_has_kernel(s->backing, there))
		r->kernels[i / 64] |= 1ull << i % 64;
	return true;
}

/* Takes blocks off the current run until it or the region ends. */
static int
take_run(struct index_scan *s, struct scan_job *j, struct err *e)
{
	struct index_region *r = &j->region;
	uint64_t first = r->number * INDEX_REGION_BLOCKS;
	uint64_t n = MIN(s->run.n, first + r->nblocks - s->run.first);
	uint64_t stop = s->run.first + n, unread = s->run.first;

	for (uint64_t b = s->run.first; b < stop; b++) {
		unsigned i = (unsigned)(b - first);

		r->data[i / 64] |= 1ull << i % 64;
		if (s->backing && s->run.is_backing && unread == b &&
		    take_known(s, r, b, i))
			unread++;
	}
	if (j->bytes && unread < stop &&
	    image_read(s->img, unread, stop - unread,
		       j->bytes + (unread - first) * PAGE_BYTES, e) < 0)
		return -1;
	s->run.first += n;
	s->run.n -= n;
	return 0;
}

static void
region_init(struct index_region *r, uint64_t number, uint64_t nblocks)
{
	uint64_t first = number * INDEX_REGION_BLOCKS;

	r->number = number;
	r->nblocks = (unsigned)MIN(nblocks - first, INDEX_REGION_BLOCKS);
	r->is_zero = true;
	memset(r->data, 0, sizeof(r->data));
	memset(r->known, 0, sizeof(r->known));
	memset(r->kernels, 0, sizeof(r->kernels));
	memset(&r->piece, 0, sizeof(r->piece));
}

/* Fills the next region that holds data and starts hashing it. */
static int
start_region(struct index_scan *s, struct err *e)
{
	uint64_t before = clock_cpu_ns(), end;
	struct scan_job *j;

	if (find_run(s, e) < 0)
		return -1;
	if (s->ended)
		return 0;
	j = s->idle[--s->nidle];
	region_init(&j->region, s->run.first / INDEX_REGION_BLOCKS,
		    image_nblocks(s->img));
	end = j->region.number * INDEX_REGION_BLOCKS + j->region.nblocks;
	while (!s->ended && s->run.first < end)
		if (take_run(s, j, e) < 0 || find_run(s, e) < 0)
			return -1;
	j->region.cpu_ns = clock_cpu_ns() - before;
	pool_submit(s->pool, &j->job);
	return 0;
}

int
index_scan_next(struct index_scan *s, const struct index_region **r,
		struct err *e)
{
	struct pool_job *job;

	if (s->given)
		s->idle[s->nidle++] = s->given;
	s->given = NULL;
	while (s->nidle > 0 && !s->ended)
		if (start_region(s, e) < 0)
			return -1;
	job = pool_wait(s->pool);
	s->given = (struct scan_job *)job;
	*r = job ? &s->given->region : NULL;
	if (s->given && s->given->failed) {
		*e = s->given->err;
		return -1;
	}
	return 0;
}
