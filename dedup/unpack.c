/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/buf.h"
#include "common/mem.h"
#include "dedup/unpack.h"

#define UNPACK_MEMORY (512ull << 20) /* the most that xz may want */
#define LZ4_BLOCK_MAX (8u << 20)     /* of the legacy format */

static int
unpack_bad(const char *how, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s data does not unpack", how);
}

static int
unpack_gzip(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
	    struct err *e)
{
	z_stream z = { .next_in = (z_const Bytef *)in,
		       .avail_in = (uInt)len,
		       .next_out = out,
		       .avail_out = (uInt)out_len };

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return err_set(e, ERR_SYSTEM, "zlib: out of memory");
	(void)inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return z.avail_out == 0 ? 0 : unpack_bad("gzip", e);
}

static int
unpack_lzma(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
	    struct err *e)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret ret;

	if (lzma_auto_decoder(&z, UNPACK_MEMORY, 0) != LZMA_OK)
		return err_set(e, ERR_SYSTEM, "liblzma: out of memory");
	z.next_in = in;
	z.avail_in = len;
	z.next_out = out;
	z.avail_out = out_len;
	ret = lzma_code(&z, LZMA_RUN);
	out_len = z.avail_out;
	lzma_end(&z);
	if ((ret != LZMA_OK && ret != LZMA_STREAM_END) || out_len > 0)
		return unpack_bad("xz", e);
	return 0;
}

static int
unpack_zstd(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
	    struct err *e)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ZSTD_inBuffer from = { in, len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	size_t ret = d ? 1 : 0;

	if (!d)
		return err_set(e, ERR_SYSTEM, "zstd: out of memory");
	while (to.pos < to.size && ret != 0 && !ZSTD_isError(ret)) {
		size_t before = to.pos + from.pos;

		ret = ZSTD_decompressStream(d, &to, &from);
		if (to.pos + from.pos == before)
			break;
	}
	ZSTD_freeDCtx(d);
	return to.pos == to.size ? 0 : unpack_bad("zstd", e);
}

static int
unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
	   struct err *e)
{
	struct span s = span_of(in + 4, len - 4);
	size_t at = 0;

	while (at < out_len) {
		const uint8_t *block;
		uint32_t n;
		int got;

		if (span_get_u32(&s, &n, e) < 0 || n > LZ4_BLOCK_MAX * 2 ||
		    span_take(&s, n, &block, e) < 0)
			return unpack_bad("lz4", e);
		got = LZ4_decompress_safe(
			(const char *)block, (char *)out + at, (int)n,
			(int)MIN(out_len - at, (size_t)LZ4_BLOCK_MAX));
		if (got <= 0)
			return unpack_bad("lz4", e);
		at += (size_t)got;
	}
	return 0;
}

int
unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
       struct err *e)
{
	static const struct {
		const char *magic;
		size_t n;
		int (*run)(const uint8_t *in, size_t len, uint8_t *out,
			   size_t out_len, struct err *e);
	} kinds[] = {
		{ "\x1f\x8b\x08", 3, unpack_gzip },
		{ "\xfd"
		  "7zXZ",
		  6, unpack_lzma },
		{ "\x5d\0\0", 3, unpack_lzma },
		{ "\x28\xb5\x2f\xfd", 4, unpack_zstd },
		{ "\x02\x21\x4c\x18", 4, unpack_lz4 },
	};

	if (len > UINT32_MAX / 2 || out_len > UINT32_MAX / 2)
		return err_set(e, ERR_LIMIT, "%zu bytes packed as %zu", out_len,
			       len);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (len > kinds[i].n &&
		    memcmp(in, kinds[i].magic, kinds[i].n) == 0)
			return kinds[i].run(in, len, out, out_len, e);
	return err_set(e, ERR_USAGE, "packed in a way that is not known");
}
