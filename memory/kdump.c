/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <inttypes.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "memory/decoded.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* Compressed dumps of kdump: what QEMU's 'dump-guest-memory -z', 'virsh dump
 * --memory-only --format kdump-zlib' and makedumpfile write.  In blocks, which
 * are as long as pages: a head, a sub-head, a bitmap of the pages that are
 * memory, one of those that are in the file; then 24 bytes about each of
 * these, and they themselves.
 *
 * Written to a pipe such a file is flattened: a head of 4 KiB, then pieces,
 * each with its offset and its length before it, as be64; -1 is the offset of
 * the end.
 */
#define KDUMP_MAGIC      "KDUMP   "
#define FLAT_MAGIC       "makedumpfile\0\0\0\0"
#define FLAT_HEAD        4096
#define FLAT_TYPE        1
#define FLAT_VERSION     1
#define FLAT_FILE_MAX    (1ull << 43)
#define REGIONS_AT_FIRST 64
#define MACHINE          "x86_64"

enum {
	HEAD_MACHINE = 12 + 4 * 65,
	HEAD_BLOCK = 428,
	HEAD_SUB_BLOCKS = 432,
	HEAD_MAP_BLOCKS = 436,
	HEAD_BYTES = 444,
	SUB_SPLIT = 12,
	SUB_PAGES = 96,
	SUB_BYTES = 104,
	VERSION_LEAST = 6, /* the sub-head has the number of pages */
	DESCRIPTION_BYTES = 24,
};

enum {
	BY_ZLIB = 0x01,
	BY_LZO = 0x02,
	BY_SNAPPY = 0x04,
	BY_ZSTD = 0x20,
};

static bool
begins(const struct map *map, const char *magic, size_t n)
{
	return map->len >= n && memcmp(map->data, magic, n) == 0;
}

static bool
kdump_is(const struct map *map)
{
	return begins(map, KDUMP_MAGIC, sizeof(KDUMP_MAGIC) - 1) ||
	       begins(map, FLAT_MAGIC, sizeof(FLAT_MAGIC) - 1);
}

/* ---- flattened ---- */

static int
get_be64(struct span *s, uint64_t *v, struct err *e)
{
	if (span_get(s, v, sizeof(*v), e) < 0)
		return err_set(e, ERR_CORRUPT,
			       "a flattened kdump file that is cut off");
	*v = be64toh(*v);
	return 0;
}

/* The next piece; no bytes at the end. */
static int
get_piece(struct span *s, uint64_t *at, struct span *piece, struct err *e)
{
	const uint8_t *bytes;
	uint64_t len;

	*piece = span_of(NULL, 0);
	if (get_be64(s, at, e) < 0 || get_be64(s, &len, e) < 0)
		return -1;
	if (*at == UINT64_MAX)
		return 0;
	if (len == 0 || len > s->left || len > FLAT_FILE_MAX ||
	    *at > FLAT_FILE_MAX - len)
		return err_set(
			e, ERR_CORRUPT,
			"a flattened kdump file with a piece of 0x%" PRIx64
			" bytes at 0x%" PRIx64,
			len, *at);
	if (span_take(s, len, &bytes, e) < 0)
		return -1;
	*piece = span_of(bytes, len);
	return 0;
}

static int
unflatten(struct span s, int fd, struct err *e)
{
	const uint8_t *head;
	struct span piece;
	uint64_t type, version, at;

	if (span_take(&s, sizeof(FLAT_MAGIC) - 1, &head, e) < 0 ||
	    get_be64(&s, &type, e) < 0 || get_be64(&s, &version, e) < 0 ||
	    span_take(&s, FLAT_HEAD - (sizeof(FLAT_MAGIC) - 1) - 16, &head, e) <
		    0)
		return err_set(e, ERR_CORRUPT,
			       "a flattened kdump file that is cut off");
	if (type != FLAT_TYPE || version != FLAT_VERSION)
		return err_set(e, ERR_USAGE,
			       "a flattened kdump file of version %" PRIu64
			       "; not supported",
			       version);
	do {
		if (get_piece(&s, &at, &piece, e) < 0 ||
		    temporary_write(fd, at, piece.at, piece.left, e) < 0)
			return -1;
	} while (piece.left > 0);
	return 0;
}

/* ---- pages ---- */

struct kdump {
	struct span file;
	uint64_t max_page; /* one more than the highest number */
	const uint8_t *in; /* bitmap of those that are in the file */
	struct span about; /* descriptions, one after the other */
	bool filtered;
	struct memory_region *regions;
	size_t nregions, room;
	uint64_t npages;
};

static int
get_part(const struct kdump *k, uint64_t at, uint64_t n, struct span *part,
	 struct err *e)
{
	if (at > k->file.left || n > k->file.left - at)
		return err_set(e, ERR_CORRUPT,
			       "a kdump file: 0x%" PRIx64
			       " bytes at offset 0x%" PRIx64
			       " are beyond its end",
			       n, at);
	*part = span_of(k->file.at + at, n);
	return 0;
}

static int
check_head(struct span head, struct err *e)
{
	if (memcmp(head.at + HEAD_MACHINE, MACHINE, sizeof(MACHINE)) != 0 ||
	    load_le32(head.at + HEAD_BLOCK) != PAGE_BYTES)
		return err_set(
			e, ERR_USAGE,
			"a kdump file, but not of an x86-64 machine with "
			"pages of 4 KiB; not supported");
	if (load_le32(head.at + sizeof(KDUMP_MAGIC) - 1) < VERSION_LEAST)
		return err_set(e, ERR_USAGE,
			       "a kdump file of version %u; not supported",
			       load_le32(head.at + sizeof(KDUMP_MAGIC) - 1));
	return 0;
}

static int
open_head(struct kdump *k, struct err *e)
{
	struct span head, sub, is, in;
	uint64_t at, half;

	if (get_part(k, 0, HEAD_BYTES, &head, e) < 0 ||
	    get_part(k, PAGE_BYTES, SUB_BYTES, &sub, e) < 0 ||
	    check_head(head, e) < 0)
		return -1;
	if (load_le32(sub.at + SUB_SPLIT) != 0)
		return err_set(e, ERR_USAGE,
			       "a part of a kdump that was split; "
			       "not supported");
	k->max_page = load_le64(sub.at + SUB_PAGES);
	half = (uint64_t)(load_le32(head.at + HEAD_MAP_BLOCKS) / 2)
	       << PAGE_SHIFT;
	at = (1ull + load_le32(head.at + HEAD_SUB_BLOCKS)) << PAGE_SHIFT;
	if (k->max_page / 8 > half || k->max_page > DECODED_PAGES_MAX)
		return err_set(e, ERR_CORRUPT,
			       "a kdump file of 0x%" PRIx64
			       " pages with a map for fewer",
			       k->max_page);
	if (get_part(k, at, half, &is, e) < 0 ||
	    get_part(k, at + half, half, &in, e) < 0)
		return -1;
	k->filtered = memcmp(is.at, in.at, half) != 0;
	k->in = in.at;
	at += 2 * half;
	return get_part(k, at, k->file.left - MIN(at, k->file.left), &k->about,
			e);
}

static int
add_region(struct kdump *k, uint64_t first, uint64_t end, struct err *e)
{
	if (k->nregions == k->room) {
		size_t room = MAX(2 * k->room, (size_t)REGIONS_AT_FIRST);
		struct memory_region *r =
			realloc(k->regions, room * sizeof(*r));

		if (!r)
			return err_sys(e, "a list of %zu regions", room);
		k->regions = r;
		k->room = room;
	}
	k->regions[k->nregions++] = (struct memory_region){
		.gpa = first << PAGE_SHIFT,
		.offset = k->npages << PAGE_SHIFT,
		.len = (end - first) << PAGE_SHIFT,
	};
	k->npages += end - first;
	return 0;
}

static bool
is_in(const struct kdump *k, uint64_t page)
{
	return page < k->max_page && k->in[page / 8] >> page % 8 & 1;
}

static int
find_regions(struct kdump *k, struct err *e)
{
	for (uint64_t page = 0, end; page < k->max_page; page = end + 1) {
		if (page % 8 == 0 && k->in[page / 8] == 0) {
			end = page + 7;
			continue;
		}
		for (end = page; is_in(k, end);)
			end++;
		if (end > page && add_region(k, page, end, e) < 0)
			return -1;
	}
	if (k->npages > k->about.left / DESCRIPTION_BYTES)
		return err_set(e, ERR_CORRUPT,
			       "a kdump file that is cut off: it says to have "
			       "%" PRIu64 " pages",
			       k->npages);
	return 0;
}

/* Whether exactly one page came out. */
static bool
unpack(uint32_t how, struct span in, uint8_t *page)
{
	lzo_uint lzo = PAGE_BYTES;
	size_t snappy = PAGE_BYTES;
	uLongf zlib = PAGE_BYTES;

	switch (how) {
	case 0:
		memcpy(page, in.at, MIN(in.left, (size_t)PAGE_BYTES));
		return in.left == PAGE_BYTES;
	case BY_ZLIB:
		return uncompress(page, &zlib, in.at, in.left) == Z_OK &&
		       zlib == PAGE_BYTES;
	case BY_LZO:
		return lzo1x_decompress_safe(in.at, in.left, page, &lzo,
					     NULL) == LZO_E_OK &&
		       lzo == PAGE_BYTES;
	case BY_SNAPPY:
		return snappy_uncompress((const char *)in.at, in.left,
					 (char *)page, &snappy) == SNAPPY_OK &&
		       snappy == PAGE_BYTES;
	case BY_ZSTD:
		return ZSTD_decompress(page, PAGE_BYTES, in.at, in.left) ==
		       PAGE_BYTES;
	default:
		return false;
	}
}

static int
read_pages(struct kdump *k, struct decoded *d, struct err *e)
{
	uint8_t page[PAGE_BYTES];
	struct span in;

	for (uint64_t n = 0; n < k->npages; n++) {
		size_t about = n * DESCRIPTION_BYTES;
		uint64_t at = load_le64(k->about.at + about);

		if (get_part(k, at, load_le32(k->about.at + about + 8), &in,
			     e) < 0)
			return -1;
		if (in.left > 2 * PAGE_BYTES ||
		    !unpack(load_le32(k->about.at + about + 12), in, page))
			return err_set(e, ERR_CORRUPT,
				       "a kdump file with a page at offset "
				       "0x%" PRIx64 " that cannot be unpacked",
				       at);
		if (decoded_put(d, n, page, e) < 0)
			return -1;
	}
	return 0;
}

static int
lay_out_pages(struct kdump *k, struct memory *m, struct err *e)
{
	struct decoded d;
	int ret;

	if (decoded_open(&d, k->npages, e) < 0)
		return -1;
	ret = read_pages(k, &d, e);
	if (ret == 0)
		ret = decoded_lay_out(&d, span_of("", 0), m, k->regions,
				      k->nregions, e);
	if (k->filtered)
		m->format = "kdump, some pages left out";
	decoded_close(&d);
	return ret;
}

static int
lay_out_file(struct memory *m, struct span file, struct err *e)
{
	struct kdump k = { .file = file };
	int ret = -1;

	if (open_head(&k, e) == 0 && find_regions(&k, e) == 0)
		ret = lay_out_pages(&k, m, e);
	free(k.regions);
	return ret;
}

static int
kdump_lay_out(struct memory *m, struct err *e)
{
	struct map map;
	int fd, ret;

	if (!begins(&m->map, FLAT_MAGIC, sizeof(FLAT_MAGIC) - 1))
		return lay_out_file(m, span_of(m->map.data, m->map.len), e);
	fd = temporary_open(e);
	if (fd < 0)
		return -1;
	if (unflatten(span_of(m->map.data, m->map.len), fd, e) < 0) {
		close(fd);
		return -1;
	}
	if (map_take(&map, fd, "an unflattened kdump file", e) < 0)
		return -1;
	ret = begins(&map, KDUMP_MAGIC, sizeof(KDUMP_MAGIC) - 1)
		      ? lay_out_file(m, span_of(map.data, map.len), e)
		      : err_set(e, ERR_USAGE,
				"a flattened file that is not a kdump; "
				"not supported");
	map_close(&map);
	return ret;
}

const struct memory_format memory_kdump = {
	.name = "kdump",
	.decodes = true,
	.is = kdump_is,
	.lay_out = kdump_lay_out,
};
