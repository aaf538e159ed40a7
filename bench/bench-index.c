/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/index-build.h"
#include "dedup/index.h"

/* bench-index IMAGE: what building, opening and asking the index of a real
 * image costs.  The image should be in the page cache: run it twice.
 */
#define PROBES (8u << 20)
#define OPENS  21
#define AHEAD  16
#define GIB    (1024.0 * 1024 * 1024)

static int
build(const char *image, const char *path, unsigned threads, struct err *e)
{
	struct image *img = image_open(image, e);
	struct index_how how = { .threads = threads };
	struct index_build_stats s;
	double bytes;
	int ret;

	if (!img)
		return -1;
	ret = index_build(img, path, &how, &s, e);
	image_close(img);
	if (ret < 0)
		return -1;
	bytes = (double)s.read_blocks * PAGE_BYTES;
	printf("build, %u threads: %.2f GB in %.2f s wall, %.2f s CPU: "
	       "%.2f GB/s, %.2f GB/s per core\n",
	       threads, bytes / 1e9, (double)s.wall_ns / 1e9,
	       (double)s.cpu_ns / 1e9, bytes / (double)s.wall_ns,
	       bytes / (double)s.cpu_ns);
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
open_often(const char *path, struct err *e)
{
	uint64_t ns[OPENS];

	for (unsigned i = 0; i < OPENS; i++) {
		uint64_t before = clock_wall_ns();
		struct index *idx = index_open(path, e);

		if (!idx)
			return -1;
		ns[i] = clock_wall_ns() - before;
		index_close(idx);
	}
	qsort(ns, OPENS, sizeof(ns[0]), by_value);
	printf("open and check: %.2f ms median, %.2f ms at best\n",
	       (double)ns[OPENS / 2] / 1e6, (double)ns[0] / 1e6);
	return 0;
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Hints of blocks that are in the index, in random order, or of none. */
static uint64_t *
make_hints(const struct index *idx, bool hits)
{
	uint64_t *hints = malloc(PROBES * sizeof(*hints));
	uint64_t random = 1, n = 0;

	while (hints && n < PROBES) {
		uint64_t r = next_random(&random);
		uint64_t block = r % index_nblocks(idx);

		if (!hits)
			hints[n++] = r;
		else if (!index_print_is_zero(index_fingerprint(idx, block)))
			hints[n++] = index_hint(idx, block);
	}
	return hints;
}

static void
probe(const struct index *idx, const uint64_t *hints, const char *what,
      unsigned ahead)
{
	uint64_t before = clock_cpu_ns(), found = 0;
	uint32_t out[INDEX_CANDIDATES];
	double s;

	for (size_t i = 0; i < PROBES; i++) {
		if (ahead && i + ahead < PROBES)
			index_prefetch(idx, hints[i + ahead]);
		found += index_find(idx, hints[i], out) > 0;
	}
	s = (double)(clock_cpu_ns() - before) / 1e9;
	printf("probe, %s, %u ahead: %.1f M/s (%.4f %% found)\n", what, ahead,
	       PROBES / s / 1e6, 100.0 * (double)found / PROBES);
}

static int
probe_all(const char *path, struct err *e)
{
	struct index *idx = index_open(path, e);
	double gib, buckets;

	if (!idx)
		return -1;
	gib = (double)index_unique_blocks(idx) * PAGE_BYTES / GIB;
	buckets = (double)index_section_bytes(index_header(idx), INDEX_BUCKETS);
	printf("unique data: %.2f GiB; for each GiB %.2f MB of buckets, %.2f "
	       "MB of fingerprints, %.2f MB of file\n",
	       gib, buckets / 1e6 / gib,
	       (double)index_unique_blocks(idx) * FINGERPRINT_BYTES / 1e6 / gib,
	       (double)index_file_bytes(idx) / 1e6 / gib);
	for (int hits = 1; hits >= 0; hits--) {
		auto_free uint64_t *hints = make_hints(idx, hits);

		if (!hints)
			break;
		probe(idx, hints, hits ? "hits" : "misses", 0);
		probe(idx, hints, hits ? "hits" : "misses", AHEAD);
	}
	index_close(idx);
	return 0;
}

int
main(int argc, char **argv)
{
	char path[] = "/tmp/bench-index-XXXXXX";
	struct err e;
	int fd, ret;

	if (argc != 2) {
		fprintf(stderr, "Usage: bench-index IMAGE\n");
		return 2;
	}
	fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	ret = build(argv[1], path, 1, &e) < 0 ||
	      build(argv[1], path, 2, &e) < 0 || open_often(path, &e) < 0 ||
	      probe_all(path, &e) < 0;
	if (ret)
		fprintf(stderr, "bench-index: %s\n", e.text);
	unlink(path);
	return ret;
}
