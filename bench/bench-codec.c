/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "common/clock.h"
#include "common/mem.h"

/* bench-codec FILE [MIB]: every codec on the words of pages that 'virt-mig
 * bench --residual FILE' wrote, in blocks of so many MiB (1): bytes a page and
 * MB/s of one core each way.  Everything is decoded and compared.
 */
struct row {
	const char *name;
	struct codec_choice choice;
};

static const struct row rows[] = {
	{ "lz4", { CODEC_LZ4, 0 } },        { "zstd -1", { CODEC_ZSTD, 1 } },
	{ "zstd -3", { CODEC_ZSTD, 3 } },   { "zstd -9", { CODEC_ZSTD, 9 } },
	{ "zlib -6", { CODEC_ZLIB, 6 } },   { "lzma 0", { CODEC_LZMA, 0 } },
	{ "lzma 1", { CODEC_LZMA, 1 } },    { "page 0", { CODEC_PAGE, 0 } },
	{ "page 1", { CODEC_PAGE, 1 } },    { "page 2", { CODEC_PAGE, 2 } },
	{ "zstd -19", { CODEC_ZSTD, 19 } }, { "lzma 6", { CODEC_LZMA, 6 } },
};

struct buffers {
	uint8_t *in, *coded, *out;
	size_t block;
};

static int
run(const struct row *r, FILE *f, struct codec_set *set,
    const struct buffers *b, double zstd3, double *bytes, struct err *e)
{
	uint64_t encode = 0, decode = 0, in = 0, out = 0;
	size_t n, len;

	rewind(f);
	while ((n = fread(b->in, 1, b->block, f)) > 0) {
		uint64_t t0 = clock_cpu_ns(), t1;
		enum codec_id used;

		if (codec_encode(set, r->choice, b->in, n, b->coded, &len,
				 &used, e) < 0)
			return -1;
		t1 = clock_cpu_ns();
		if (codec_decode(set, used, b->coded, len, b->out, n, e) < 0)
			return -1;
		decode += clock_cpu_ns() - t1;
		encode += t1 - t0;
		if (memcmp(b->in, b->out, n) != 0)
			return err_set(e, ERR_CORRUPT, "%s came out different",
				       r->name);
		in += n;
		out += len;
	}
	*bytes = (double)out;
	printf("| %s | %.1f | %.3f | %.0f | %.0f |\n", r->name,
	       (double)out * 4096 / (double)in,
	       zstd3 > 0 ? (double)out / zstd3 : 0,
	       (double)in * 1e3 / (double)encode,
	       (double)in * 1e3 / (double)decode);
	fflush(stdout);
	return 0;
}

static int
run_all(FILE *f, const struct buffers *b, struct err *e)
{
	struct codec_set *set = codec_set_new(e);
	double zstd3 = 0, bytes;
	int ret = set ? 0 : -1;

	printf("| codec | bytes a page | of zstd -3 | encode MB/s | decode "
	       "MB/s |\n|---|---|---|---|---|\n");
	/* The first round is for the figure that others are held against. */
	ret = ret ? ret : run(&rows[2], f, set, b, 0, &zstd3, e);
	for (size_t i = 0; ret == 0 && i < ARRAY_LEN(rows); i++)
		ret = run(&rows[i], f, set, b, zstd3, &bytes, e);
	codec_set_free(set);
	return ret;
}

int
main(int argc, char **argv)
{
	size_t block = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1) << 20;
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
	struct buffers b = { .block = block };
	struct err e;
	int ret;

	if (!f || block == 0 || block > CODEC_BLOCK_MAX) {
		fprintf(stderr, "Usage: bench-codec FILE [MIB]\n");
		return 2;
	}
	b.in = malloc(block);
	b.coded = malloc(codec_bound(block));
	b.out = malloc(block);
	ret = b.in && b.coded && b.out ? run_all(f, &b, &e)
				       : err_sys(&e, "blocks");
	if (ret < 0)
		fprintf(stderr, "bench-codec: %s\n", e.text);
	free(b.in);
	free(b.coded);
	free(b.out);
	fclose(f);
	return ret < 0;
}
