/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_BROTLI
#include <brotli/decode.h>
#include <brotli/encode.h>
#endif

#include "codec/codec.h"
#include "common/clock.h"
#include "common/mem.h"

/* bench-codec FILE [KIB [CODEC...]]: codecs on the words of pages that
 * 'virt-mig bench --residual FILE' wrote, in blocks of so many KiB (1024): bytes
 * a page and MB/s of one core each way.  Everything is decoded and compared.
 */
static const char *const usual[] = {
	"zstd:3", "lz4",    "zstd:1", "zstd:9", "zlib:6", "brotli:5",
	"lzma:0", "page:0", "page:1", "page:2", "lzma:6", "zstd:19"
};

struct bench {
	FILE *file;
	struct codec_set *set;
	uint8_t *in, *coded, *out;
	size_t block;
	double zstd3; /* bytes that it took; 0: not known */
};

/* A codec of virt-mig, or one that is only held against them. */
struct coder {
	const char *name;
	bool brotli;
	struct codec_choice choice;
	enum codec_id used;
};

#ifdef HAVE_BROTLI
static int
brotli_encode(struct bench *b, const struct coder *c, size_t n, size_t *len,
	      struct err *e)
{
	*len = codec_bound(n);
	if (BrotliEncoderCompress(c->choice.level, BROTLI_DEFAULT_WINDOW,
				  BROTLI_MODE_GENERIC, n, b->in, len, b->coded))
		return 0;
	return err_set(e, ERR_LIMIT, "brotli did not make a block smaller");
}

static int
brotli_decode(struct bench *b, size_t len, size_t n, struct err *e)
{
	size_t out = n;

	if (BrotliDecoderDecompress(len, b->coded, &out, b->out) ==
		    BROTLI_DECODER_RESULT_SUCCESS &&
	    out == n)
		return 0;
	return err_set(e, ERR_CORRUPT, "brotli does not decode");
}
#else
static int
brotli_encode(struct bench *b, const struct coder *c, size_t n, size_t *len,
	      struct err *e)
{
	(void)b, (void)c, (void)n, (void)len;
	return err_set(e, ERR_USAGE, "built without brotli");
}

static int
brotli_decode(struct bench *b, size_t len, size_t n, struct err *e)
{
	(void)b, (void)len, (void)n;
	return err_set(e, ERR_USAGE, "built without brotli");
}
#endif

static int
block_encode(struct bench *b, struct coder *c, size_t n, size_t *len,
	     struct err *e)
{
	if (c->brotli)
		return brotli_encode(b, c, n, len, e);
	return codec_encode(b->set, c->choice, b->in, n, b->coded, len,
			    &c->used, e);
}

static int
block_decode(struct bench *b, const struct coder *c, size_t len, size_t n,
	     struct err *e)
{
	if (c->brotli)
		return brotli_decode(b, len, n, e);
	return codec_decode(b->set, c->used, b->coded, len, b->out, n, e);
}

static int
run(struct bench *b, struct coder *c, struct err *e)
{
	uint64_t encode = 0, decode = 0, in = 0, out = 0;
	size_t n, len = 0;

	rewind(b->file);
	while ((n = fread(b->in, 1, b->block, b->file)) > 0) {
		uint64_t t0 = clock_cpu_ns(), t1;

		if (block_encode(b, c, n, &len, e) < 0)
			return -1;
		t1 = clock_cpu_ns();
		if (block_decode(b, c, len, n, e) < 0)
			return -1;
		decode += clock_cpu_ns() - t1;
		encode += t1 - t0;
		if (memcmp(b->in, b->out, n) != 0)
			return err_set(e, ERR_CORRUPT, "%s came out different",
				       c->name);
		in += n;
		out += len;
	}
	if (strcmp(c->name, "zstd:3") == 0)
		b->zstd3 = (double)out;
	printf("| %s | %.1f | %.3f | %.0f | %.0f |\n", c->name,
	       (double)out * 4096 / (double)in,
	       b->zstd3 > 0 ? (double)out / b->zstd3 : 0,
	       (double)in * 1e3 / (double)encode,
	       (double)in * 1e3 / (double)decode);
	fflush(stdout);
	return 0;
}

static int
run_all(struct bench *b, const char *const *names, size_t n, struct err *e)
{
	printf("| codec | bytes a page | of zstd:3 | encode MB/s | decode "
	       "MB/s |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		struct coder c = { .name = names[i] };

		c.brotli = strncmp(names[i], "brotli:", 7) == 0;
		c.choice.level = c.brotli ? atoi(names[i] + 7) : 0;
#ifndef HAVE_BROTLI
		if (c.brotli && names == usual)
			continue;
#endif
		if ((!c.brotli && codec_parse(names[i], &c.choice, e) < 0) ||
		    run(b, &c, e) < 0)
			return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench b = {
		.file = argc > 1 ? fopen(argv[1], "rb") : NULL,
		.block = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1024) << 10
	};
	const char *const *names =
		argc > 3 ? (const char *const *)argv + 3 : usual;
	struct err e;
	int ret = -1;

	if (!b.file || b.block == 0 || b.block > CODEC_BLOCK_MAX) {
		fprintf(stderr, "Usage: bench-codec FILE [KIB [CODEC...]]\n");
		return 2;
	}
	b.in = malloc(b.block);
	b.coded = malloc(codec_bound(b.block));
	b.out = malloc(b.block);
	b.set = codec_set_new(&e);
	if (!b.in || !b.coded || !b.out)
		(void)err_sys(&e, "blocks");
	else if (b.set)
		ret = run_all(&b, names,
			      argc > 3 ? (size_t)argc - 3 : ARRAY_LEN(usual),
			      &e);
	if (ret < 0)
		fprintf(stderr, "bench-codec: %s\n", e.text);
	codec_set_free(b.set);
	free(b.in);
	free(b.coded);
	free(b.out);
	fclose(b.file);
	return ret < 0;
}
