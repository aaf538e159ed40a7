/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* Crash dumps of 64-bit Windows: 8 KiB of header, then either runs of pages
 * that the header lists, or a second header with a bitmap of the pages that
 * are there, and these in order of their addresses.
 */
#define DUMP_MACHINE 0x0030
#define DUMP_NRUNS   0x0088
#define DUMP_NPAGES  0x0090
#define DUMP_RUNS    0x0098
#define DUMP_TYPE    0x0f98
#define DUMP_BYTES   0x2000
/* The list of runs ends where the context of the CPU begins. */
#define DUMP_RUNS_MAX 43

#define SUMMARY_MARK   (DUMP_BYTES + 0x00)
#define SUMMARY_FIRST  (DUMP_BYTES + 0x20)
#define SUMMARY_NPAGES (DUMP_BYTES + 0x28)
#define SUMMARY_NBITS  (DUMP_BYTES + 0x30)
#define SUMMARY_BITMAP (DUMP_BYTES + 0x38)

#define MACHINE_AMD64 0x8664

/* Others, 4 above all, hold no memory to speak of. */
enum dump_type {
	DUMP_FULL = 1,
	DUMP_KERNEL = 2,
	DUMP_BITMAP = 5,
	DUMP_ACTIVE = 6,
};

static bool
windump_is(const struct map *map)
{
	return map->len >= 8 && memcmp(map->data, "PAGEDU64", 8) == 0;
}

static int
read_bytes(const struct map *map, uint64_t at, void *out, size_t n,
	   struct err *e)
{
	struct span s;

	if (at > map->len || n > map->len - at)
		return err_set(e, ERR_CORRUPT,
			       "the header field at offset 0x%" PRIx64
			       " is beyond the end of the file",
			       at);
	s = span_of(map->data + at, n);
	return span_get(&s, out, n, e);
}

static int
read_u32(const struct map *map, uint64_t at, uint32_t *v, struct err *e)
{
	if (read_bytes(map, at, v, sizeof(*v), e) < 0)
		return -1;
	*v = le32toh(*v);
	return 0;
}

static int
read_u64(const struct map *map, uint64_t at, uint64_t *v, struct err *e)
{
	if (read_bytes(map, at, v, sizeof(*v), e) < 0)
		return -1;
	*v = le64toh(*v);
	return 0;
}

/* One run of the list, and where it stands in the file. */
static int
read_run(const struct map *map, uint32_t i, uint64_t *offset, uint64_t *npages,
	 struct memory_region *r, struct err *e)
{
	uint64_t at = DUMP_RUNS + 16ull * i, first, count;

	if (read_u64(map, at, &first, e) < 0 ||
	    read_u64(map, at + 8, &count, e) < 0)
		return -1;
	if (count > map->len >> PAGE_SHIFT || first > UINT64_MAX >> PAGE_SHIFT)
		return err_set(e, ERR_CORRUPT,
			       "the run at offset 0x%" PRIx64 " has 0x%" PRIx64
			       " pages from 0x%" PRIx64,
			       at, count, first);
	*r = (struct memory_region){ .gpa = first << PAGE_SHIFT,
				     .offset = *offset,
				     .len = count << PAGE_SHIFT };
	*offset += r->len;
	*npages += count;
	return 0;
}

static int
lay_out_runs(struct memory *m, struct err *e)
{
	struct memory_region runs[DUMP_RUNS_MAX];
	uint64_t offset = DUMP_BYTES, npages, found = 0;
	uint32_t n;

	if (read_u32(&m->map, DUMP_NRUNS, &n, e) < 0 ||
	    read_u64(&m->map, DUMP_NPAGES, &npages, e) < 0)
		return -1;
	if (n > DUMP_RUNS_MAX)
		return err_set(e, ERR_CORRUPT,
			       "%" PRIu32
			       " runs of pages at offset 0x%x; a header has "
			       "room for %u",
			       n, DUMP_NRUNS, DUMP_RUNS_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (read_run(&m->map, i, &offset, &found, &runs[i], e) < 0)
			return -1;
	if (found != npages)
		return err_set(e, ERR_CORRUPT,
			       "0x%" PRIx64
			       " pages at offset 0x%x, but 0x%" PRIx64
			       " in the runs",
			       npages, DUMP_NPAGES, found);
	return memory_lay_out(m, runs, n, ERR_CORRUPT, e);
}

static bool
bit_at(const uint8_t *bits, uint64_t n)
{
	return bits[n / 8] >> n % 8 & 1;
}

/* Counts the bits and the runs of bits. */
static void
count_bits(const uint8_t *bits, uint64_t nbits, uint64_t *set, uint64_t *runs)
{
	bool was = false;

	*set = *runs = 0;
	for (uint64_t i = 0; i < nbits; i++) {
		bool is = bit_at(bits, i);

		*set += is;
		*runs += is && !was;
		was = is;
	}
}

/* The second header, checked against the file and against its bitmap. */
struct summary {
	uint64_t first, npages, nbits, nruns;
	const uint8_t *bits;
};

static int
read_summary(const struct map *map, struct summary *s, struct err *e)
{
	uint64_t set, room;
	char mark[8];

	if (read_bytes(map, SUMMARY_MARK, mark, sizeof(mark), e) < 0 ||
	    read_u64(map, SUMMARY_FIRST, &s->first, e) < 0 ||
	    read_u64(map, SUMMARY_NPAGES, &s->npages, e) < 0 ||
	    read_u64(map, SUMMARY_NBITS, &s->nbits, e) < 0)
		return -1;
	if (memcmp(mark, "SDMPDUMP", 8) != 0 &&
	    memcmp(mark, "FDMPDUMP", 8) != 0)
		return err_set(e, ERR_CORRUPT,
			       "no SDMP or FDMP header at offset 0x%x",
			       SUMMARY_MARK);
	room = map->len - SUMMARY_BITMAP;
	if (s->nbits > 8 * room || s->first > map->len ||
	    s->first < SUMMARY_BITMAP + (s->nbits + 7) / 8)
		return err_set(e, ERR_CORRUPT,
			       "a bitmap of 0x%" PRIx64
			       " bits at offset 0x%x does not fit before the "
			       "pages at 0x%" PRIx64,
			       s->nbits, SUMMARY_BITMAP, s->first);
	s->bits = map->data + SUMMARY_BITMAP;
	count_bits(s->bits, s->nbits, &set, &s->nruns);
	if (set != s->npages || set > (map->len - s->first) >> PAGE_SHIFT)
		return err_set(e, ERR_CORRUPT,
			       "0x%" PRIx64 " pages at offset 0x%x; the bitmap "
			       "has 0x%" PRIx64
			       " and the file room for 0x%" PRIx64,
			       s->npages, SUMMARY_NPAGES, set,
			       (map->len - s->first) >> PAGE_SHIFT);
	return 0;
}

static int
lay_out_bitmap(struct memory *m, struct err *e)
{
	auto_free struct memory_region *runs = NULL;
	struct memory_region *r;
	struct summary s;
	uint64_t offset;

	if (read_summary(&m->map, &s, e) < 0)
		return -1;
	runs = calloc(s.nruns + 1, sizeof(*runs));
	if (!runs)
		return err_sys(e, "a list of %" PRIu64 " runs", s.nruns);
	r = runs;
	offset = s.first;
	for (uint64_t i = 0; i < s.nbits; i++) {
		if (!bit_at(s.bits, i))
			continue;
		if (i == 0 || !bit_at(s.bits, i - 1))
			*r++ = (struct memory_region){ .gpa = i << PAGE_SHIFT,
						       .offset = offset };
		r[-1].len += PAGE_BYTES;
		offset += PAGE_BYTES;
	}
	return memory_lay_out(m, runs, s.nruns, ERR_CORRUPT, e);
}

static int
windump_lay_out(struct memory *m, struct err *e)
{
	uint32_t machine, type;

	if (read_u32(&m->map, DUMP_MACHINE, &machine, e) < 0 ||
	    read_u32(&m->map, DUMP_TYPE, &type, e) < 0)
		return -1;
	if (machine != MACHINE_AMD64)
		return err_set(e, ERR_USAGE,
			       "a Windows crash dump of machine type 0x%x "
			       "(offset 0x%x), not x86-64; not supported",
			       machine, DUMP_MACHINE);
	switch (type) {
	case DUMP_FULL:
		return lay_out_runs(m, e);
	case DUMP_KERNEL:
		m->format = "windump, kernel memory only";
		return lay_out_bitmap(m, e);
	case DUMP_ACTIVE:
		m->format = "windump, active memory only";
		return lay_out_bitmap(m, e);
	case DUMP_BITMAP:
		return lay_out_bitmap(m, e);
	default:
		return err_set(e, ERR_USAGE,
			       "a Windows crash dump of type %" PRIu32
			       " (offset 0x%x), which holds no memory; "
			       "not supported",
			       type, DUMP_TYPE);
	}
}

const struct memory_format memory_windump = {
	.name = "windump",
	.is = windump_is,
	.lay_out = windump_lay_out,
};
