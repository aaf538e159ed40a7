/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "common/buf.h"
#include "common/load.h"
#include "dedup/disk.h"
#include "dedup/index-file.h"

static_assert(sizeof(struct index_piece) % PAGE_BYTES == 0,
	      "pieces need no padding");

#define SUM_AT (INDEX_HEADER - 8)

uint64_t
index_section_bytes(const struct index_header *h, enum index_section s)
{
	switch (s) {
	case INDEX_FILES:
		return (uint64_t)h->nfiles * INDEX_FILE_BYTES;
	case INDEX_PARTS:
		return (uint64_t)h->nparts * INDEX_PART_BYTES;
	case INDEX_KERNELS:
		return (uint64_t)h->nkernels * sizeof(uint64_t);
	case INDEX_EXTENTS:
		return h->nextents * EXTENT_BYTES;
	case INDEX_REGIONS:
		return index_nregions(h) * DIGEST_BYTES;
	case INDEX_SLOTS:
		return index_nregions(h) * sizeof(uint32_t);
	case INDEX_PIECES:
		return h->npieces * sizeof(struct index_piece);
	case INDEX_BUCKETS:
		/* The last home buckets may spill, too. */
		return h->nbuckets ? (h->nbuckets + INDEX_SPILL_MAX) *
					     INDEX_BUCKET_BYTES
				   : 0;
	case INDEX__MAX:
		break;
	}
	return 0;
}

uint64_t
index_section_start(const struct index_header *h, enum index_section s)
{
	uint64_t at = INDEX_HEADER;

	for (enum index_section i = 0; i < s; i++)
		at += (index_section_bytes(h, i) + PAGE_BYTES - 1) &
		      ~(uint64_t)(PAGE_BYTES - 1);
	return at;
}

static int
put_fields(struct buf *b, const struct index_header *h, struct err *e)
{
	if (buf_put(b, INDEX_MAGIC, 8, e) < 0 ||
	    buf_put_u32(b, INDEX_VERSION, e) < 0 ||
	    buf_put_u32(b, h->nfiles, e) < 0 ||
	    buf_put_u32(b, h->nparts, e) < 0 ||
	    buf_put_u32(b, h->nkernels, e) < 0 ||
	    buf_put_u64(b, h->image_size, e) < 0 ||
	    buf_put_u64(b, h->nblocks, e) < 0 ||
	    buf_put_u64(b, h->data_blocks, e) < 0 ||
	    buf_put_u64(b, h->unique_blocks, e) < 0 ||
	    buf_put_u64(b, h->npieces, e) < 0 ||
	    buf_put_u64(b, h->nbuckets, e) < 0 ||
	    buf_put_u64(b, h->nextents, e) < 0 ||
	    buf_put(b, h->root.b, DIGEST_BYTES, e) < 0 ||
	    buf_put(b, h->format, sizeof(h->format), e) < 0)
		return -1;
	for (unsigned i = 0; i < INDEX__MAX; i++)
		if (buf_put_u64(b, h->sums[i], e) < 0)
			return -1;
	return buf_put(b, h->path, sizeof(h->path), e);
}

int
index_header_put(const struct index_header *h, uint8_t page[INDEX_HEADER],
		 struct err *e)
{
	struct buf b;
	uint64_t sum;
	int ret;

	buf_init(&b, SUM_AT);
	ret = put_fields(&b, h, e);
	if (ret == 0) {
		memset(page, 0, INDEX_HEADER);
		memcpy(page, b.data, b.len);
		sum = htole64(digest_hint(page, SUM_AT));
		memcpy(page + SUM_AT, &sum, sizeof(sum));
	}
	buf_fini(&b);
	return ret;
}

static int
get_fields(struct span *s, struct index_header *h, uint32_t *version,
	   struct err *e)
{
	const uint8_t *magic;

	if (span_take(s, 8, &magic, e) < 0 || span_get_u32(s, version, e) < 0 ||
	    span_get_u32(s, &h->nfiles, e) < 0 ||
	    span_get_u32(s, &h->nparts, e) < 0 ||
	    span_get_u32(s, &h->nkernels, e) < 0 ||
	    span_get_u64(s, &h->image_size, e) < 0 ||
	    span_get_u64(s, &h->nblocks, e) < 0 ||
	    span_get_u64(s, &h->data_blocks, e) < 0 ||
	    span_get_u64(s, &h->unique_blocks, e) < 0 ||
	    span_get_u64(s, &h->npieces, e) < 0 ||
	    span_get_u64(s, &h->nbuckets, e) < 0 ||
	    span_get_u64(s, &h->nextents, e) < 0 ||
	    span_get(s, h->root.b, DIGEST_BYTES, e) < 0 ||
	    span_get(s, h->format, sizeof(h->format), e) < 0)
		return -1;
	for (unsigned i = 0; i < INDEX__MAX; i++)
		if (span_get_u64(s, &h->sums[i], e) < 0)
			return -1;
	return span_get(s, h->path, sizeof(h->path), e);
}

static bool
counts_make_sense(const struct index_header *h)
{
	return h->nfiles >= 1 && h->nfiles <= DISK_FILES_MAX &&
	       h->nparts <= PARTITION_PARTS_MAX &&
	       h->nkernels <= INDEX_KERNELS_MAX &&
	       h->nblocks <= INDEX_BLOCKS_MAX &&
	       h->nblocks <= h->image_size / PAGE_BYTES &&
	       h->npieces <= index_nregions(h) &&
	       h->unique_blocks <= h->npieces * INDEX_REGION_BLOCKS &&
	       h->nbuckets <= INDEX_BLOCKS_MAX && h->nextents <= EXTENTS_MAX &&
	       memchr(h->format, 0, sizeof(h->format)) &&
	       memchr(h->path, 0, sizeof(h->path));
}

int
index_header_get(const uint8_t page[INDEX_HEADER], struct index_header *h,
		 struct err *e)
{
	struct span s = span_of(page, SUM_AT);
	uint32_t version;

	if (memcmp(page, INDEX_MAGIC, 8) != 0)
		return err_set(e, ERR_CORRUPT, "not an index");
	if (get_fields(&s, h, &version, e) < 0)
		return -1;
	if (load_le64(page + SUM_AT) != digest_hint(page, SUM_AT))
		return err_set(e, ERR_CORRUPT, "the header is damaged");
	if (version != INDEX_VERSION)
		return err_set(e, ERR_VERSION, "an index of version %u, not %u",
			       version, INDEX_VERSION);
	if (!counts_make_sense(h))
		return err_set(e, ERR_CORRUPT, "the header makes no sense");
	return 0;
}

static int
hash_head(struct digest_stream *s, const struct index_header *h,
	  const struct image_part *parts, struct err *e)
{
	struct buf b;
	int ret = 0;

	buf_init(&b, 64 + PARTITION_PARTS_MAX * INDEX_PART_BYTES);
	if (buf_put(&b, "virt-mig index 1", 16, e) < 0 ||
	    buf_put_u64(&b, h->nblocks, e) < 0 ||
	    buf_put_u64(&b, h->nparts, e) < 0)
		ret = -1;
	for (uint32_t i = 0; ret == 0 && i < h->nparts; i++)
		ret = index_part_put(&b, &parts[i], e);
	if (ret == 0)
		ret = digest_stream_update(s, b.data, b.len, e);
	buf_fini(&b);
	return ret;
}

int
index_root_of(const struct index_header *h, const struct image_part *parts,
	      const struct digest *regions, struct digest *root, struct err *e)
{
	struct digest_stream s;
	int ret = -1;

	if (digest_stream_init(&s, e) == 0 && hash_head(&s, h, parts, e) == 0 &&
	    digest_stream_update(&s, regions, index_nregions(h) * DIGEST_BYTES,
				 e) == 0 &&
	    digest_stream_final(&s, root, e) == 0)
		ret = 0;
	digest_stream_fini(&s);
	return ret;
}

int
index_part_put(struct buf *b, const struct image_part *p, struct err *e)
{
	if (buf_put_u64(b, p->offset, e) < 0 ||
	    buf_put_u64(b, p->first_block, e) < 0)
		return -1;
	return buf_put_u64(b, p->nblocks, e);
}

int
index_part_get(struct span *s, struct image_part *p, struct err *e)
{
	if (span_get_u64(s, &p->offset, e) < 0 ||
	    span_get_u64(s, &p->first_block, e) < 0)
		return -1;
	return span_get_u64(s, &p->nblocks, e);
}

int
index_file_put(struct buf *b, const struct image_file *f, struct err *e)
{
	if (buf_put_u64(b, f->dev, e) < 0 || buf_put_u64(b, f->ino, e) < 0 ||
	    buf_put_u64(b, f->size, e) < 0 ||
	    buf_put_u64(b, (uint64_t)f->mtime_ns, e) < 0 ||
	    buf_put_u64(b, (uint64_t)f->ctime_ns, e) < 0)
		return -1;
	return buf_put_u64(b, f->silent, e);
}

int
index_file_get(struct span *s, struct image_file *f, struct err *e)
{
	uint64_t mtime, ctime, silent;

	if (span_get_u64(s, &f->dev, e) < 0 ||
	    span_get_u64(s, &f->ino, e) < 0 ||
	    span_get_u64(s, &f->size, e) < 0 ||
	    span_get_u64(s, &mtime, e) < 0 || span_get_u64(s, &ctime, e) < 0 ||
	    span_get_u64(s, &silent, e) < 0)
		return -1;
	f->mtime_ns = (int64_t)mtime;
	f->ctime_ns = (int64_t)ctime;
	f->silent = silent != 0;
	return 0;
}

static const struct index_piece *
piece_of(const struct index_pieces *p, uint64_t block)
{
	uint32_t slot = le32toh(p->slots[block / INDEX_REGION_BLOCKS]);

	return slot ? &p->at[slot - 1] : NULL;
}

const struct fingerprint *
index_pieces_print(const struct index_pieces *p, uint64_t block)
{
	static const struct fingerprint none;
	const struct index_piece *piece = piece_of(p, block);

	return piece ? &piece->prints[block % INDEX_REGION_BLOCKS] : &none;
}

uint64_t
index_pieces_hint(const struct index_pieces *p, uint64_t block)
{
	const struct index_piece *piece = piece_of(p, block);

	return piece ? le64toh(piece->hints[block % INDEX_REGION_BLOCKS]) : 0;
}

bool
index_print_is_zero(const struct fingerprint *f)
{
	uint64_t w[2];

	memcpy(w, f->b, sizeof(w));
	return (w[0] | w[1]) == 0;
}
