/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CODEC_H
#define MIG_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Bytes to fewer bytes and back, one block at a time.  The numbers are the
 * ones on the wire (virt-mig-protocol.7).
 */
enum codec_id {
	CODEC_RAW = 0,
	CODEC_LZ4 = 1,
	CODEC_ZLIB = 2, /* raw deflate: no header, no trailer */
	CODEC_ZSTD = 3,
	CODEC_LZMA = 4, /* raw LZMA1, lc=0 lp=3 pb=3, dictionary 8 MiB */
	CODEC_PAGE = 5, /* our own, for heap (virt-mig-codec.7) */
	CODEC__MAX
};

/* Levels of the page codec. */
#define CODEC_PAGE_LEVELS 3

/* The largest block either side handles. */
#define CODEC_BLOCK_MAX (8u << 20)

/* A codec at a level; the meaning of the level is the codec's:
 *   lz4   0: fast
 *   zlib  1..9
 *   zstd  -7..19
 *   lzma  0..9: how hard to search
 *   page  0..2: how hard to search
 */
struct codec_choice {
	enum codec_id id;
	int level;
};

/* The contexts of all codecs, made on first use and then reused: coding a
 * block allocates nothing.  One thread at a time.
 */
struct codec_set;

struct codec_set *codec_set_new(struct err *e)
	__attribute__((nonnull, warn_unused_result));
void codec_set_free(struct codec_set *set);

/* One for each of n workers. */
struct codec_set **codec_sets_new(unsigned n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void codec_sets_free(struct codec_set **sets, unsigned n);

/* "zstd", or NULL for a number that is not a codec. */
const char *codec_name(unsigned id);
/* Reads NAME[:LEVEL], "zstd:-1"; -1 with ERR_USAGE. */
int codec_parse(const char *text, struct codec_choice *choice, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Room that encoding len bytes may need. */
size_t codec_bound(size_t len);

/* Encodes len <= CODEC_BLOCK_MAX bytes into out, which holds
 * codec_bound(len).  Falls back to CODEC_RAW when the choice would not make
 * the block smaller, so that no block grows: *used says what it became and
 * *out_len how many bytes that took.
 */
int codec_encode(struct codec_set *set, struct codec_choice choice,
		 const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
		 enum codec_id *used, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Decodes exactly out_len bytes into out; any other outcome is ERR_PROTOCOL.
 * Never writes past out_len, never allocates by what the input says.
 */
int codec_decode(struct codec_set *set, unsigned id, const uint8_t *in,
		 size_t len, uint8_t *out, size_t out_len, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
