/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/mem.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"
#include "memory/qemu-stream.h"

/* What 'virsh save' and 'virsh managedsave' write: a header, the definition of
 * the guest in XML, and QEMU's stream, as it is or compressed by what
 * save_image_format in qemu.conf names.
 *
 *	16 bytes "LibvirtQemudSave"
 *	u32 version, 1 or 2; u32 bytes of the definition and what belongs to it
 *	u32 was running; u32 format; u32 offset of a cookie; 14 u32 unused
 */
#define SAVE_MAGIC   "LibvirtQemudSave"
#define HEADER_REST  (15 * 4)
#define CHUNK        (1u << 20)
#define LZMA_MEMORY  (256u << 20)
#define GZIP_WINDOW  (15 + 16)
#define VERSION_LAST 2

/* Each takes the compressed stream, and CHUNK bytes of room at out. */
typedef int unpacker(struct span in, uint8_t *out, struct qemu_stream *q,
		     struct err *e);

static int
damaged(const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s data damaged or cut off", what);
}

static int
inflate_all(z_stream *z, struct span in, uint8_t *out, struct qemu_stream *q,
	    struct err *e)
{
	int ret = Z_OK;

	z->next_in = (Bytef *)(uintptr_t)in.at;
	while (ret != Z_STREAM_END) {
		const uint8_t *end = in.at + in.left;

		z->avail_in = (uInt)MIN((size_t)(end - z->next_in), CHUNK);
		z->next_out = out;
		z->avail_out = CHUNK;
		ret = inflate(z, Z_NO_FLUSH);
		if (ret != Z_OK && ret != Z_STREAM_END)
			return damaged("gzip", e);
		if (qemu_stream_feed(q, out, CHUNK - z->avail_out, e) < 0)
			return -1;
	}
	return 0;
}

static int
unpack_gzip(struct span in, uint8_t *out, struct qemu_stream *q, struct err *e)
{
	z_stream z = { .next_in = NULL };
	int ret;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return err_set(e, ERR_SYSTEM, "zlib");
	ret = inflate_all(&z, in, out, q, e);
	inflateEnd(&z);
	return ret;
}

static int
unpack_xz(struct span in, uint8_t *out, struct qemu_stream *q, struct err *e)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret ret = lzma_stream_decoder(&z, LZMA_MEMORY, 0);
	int fed = 0;

	z.next_in = in.at;
	z.avail_in = in.left;
	while (ret == LZMA_OK && fed == 0) {
		z.next_out = out;
		z.avail_out = CHUNK;
		ret = lzma_code(&z, LZMA_FINISH);
		fed = qemu_stream_feed(q, out, CHUNK - z.avail_out, e);
	}
	lzma_end(&z);
	if (fed < 0)
		return -1;
	return ret == LZMA_STREAM_END ? 0 : damaged("xz", e);
}

static int
unpack_zstd(struct span in, uint8_t *out, struct qemu_stream *q, struct err *e)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer from = { in.at, in.left, 0 };
	size_t ret = 1;
	int fed = 0;

	if (!z)
		return err_set(e, ERR_SYSTEM, "zstd");
	while (ret != 0 && !ZSTD_isError(ret) && fed == 0) {
		ZSTD_outBuffer to = { out, CHUNK, 0 };
		size_t before = from.pos;

		ret = ZSTD_decompressStream(z, &to, &from);
		if (!ZSTD_isError(ret))
			fed = qemu_stream_feed(q, out, to.pos, e);
		if (to.pos == 0 && from.pos == before)
			break;
	}
	ZSTD_freeDStream(z);
	if (fed < 0)
		return -1;
	return ret == 0 ? 0 : damaged("zstd", e);
}

static int
unpack_raw(struct span in, uint8_t *out, struct qemu_stream *q, struct err *e)
{
	(void)out;
	return qemu_stream_feed(q, in.at, in.left, e);
}

static const struct {
	const char *name;
	unpacker *unpack; /* NULL: not supported */
} formats[] = {
	{ "raw", unpack_raw }, { "gzip", unpack_gzip }, { "bzip2", NULL },
	{ "xz", unpack_xz },   { "lzop", NULL },        { "zstd", unpack_zstd },
	{ "sparse", NULL },
};

struct header {
	char magic[16];
	uint32_t version, definition, running, format;
};

static int
get_header(struct span *s, struct header *h, struct err *e)
{
	const uint8_t *skipped;

	if (span_get(s, h->magic, sizeof(h->magic), e) < 0 ||
	    span_get_u32(s, &h->version, e) < 0 ||
	    span_get_u32(s, &h->definition, e) < 0 ||
	    span_get_u32(s, &h->running, e) < 0 ||
	    span_get_u32(s, &h->format, e) < 0 ||
	    span_take(s, HEADER_REST, &skipped, e) < 0 ||
	    span_take(s, h->definition, &skipped, e) < 0)
		return err_set(e, ERR_CORRUPT,
			       "a libvirt save file that is cut off in its "
			       "header");
	if (h->version < 1 || h->version > VERSION_LAST)
		return err_set(e, ERR_USAGE,
			       "a libvirt save file of version %u; "
			       "not supported",
			       h->version);
	if (h->format >= ARRAY_LEN(formats))
		return err_set(e, ERR_USAGE,
			       "a libvirt save file in format %u; "
			       "not supported",
			       h->format);
	if (!formats[h->format].unpack)
		return err_set(e, ERR_USAGE,
			       "a libvirt save file in format %s; "
			       "not supported",
			       formats[h->format].name);
	return 0;
}

static bool
save_is(const struct map *map)
{
	return map->len >= sizeof(SAVE_MAGIC) - 1 &&
	       memcmp(map->data, SAVE_MAGIC, sizeof(SAVE_MAGIC) - 1) == 0;
}

static int
save_lay_out(struct memory *m, struct err *e)
{
	struct span s = span_of(m->map.data, m->map.len);
	auto_free uint8_t *out = malloc(CHUNK);
	struct qemu_stream q;
	struct header h;
	int ret;

	if (!out)
		return err_sys(e, "%u bytes", CHUNK);
	if (get_header(&s, &h, e) < 0)
		return -1;
	qemu_stream_init(&q);
	ret = formats[h.format].unpack(s, out, &q, e);
	if (ret == 0)
		ret = qemu_stream_lay_out(&q, m, e);
	qemu_stream_fini(&q);
	return ret;
}

const struct memory_format memory_libvirt_save = {
	.name = "libvirt save",
	.decodes = true,
	.is = save_is,
	.lay_out = save_lay_out,
};
