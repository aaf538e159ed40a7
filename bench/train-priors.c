/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"

/* train-priors FILE... >codec/page-priors.c: makes the models that blocks of
 * the page codec begin with from what 'virt-mig bench --residual' wrote.  Every
 * file has the same weight, however long it is.  They are part of the format:
 * when they change, so do BLOCK_PRIORS and HELLO_VERSION.
 */
#define BLOCK (1u << 20)
#define LINE  128 /* letters: eight models */

static double counts[MODELS_ALL][16], weights[MODELS_ALL][16];

#define CODE_SEEN(model, symbol) (counts[model][symbol] += put)
#define CODE_TARGET
#define CODE_AVX2 0
#include "codec/page-code.h"

static const struct page_code counting = CODE_FUNCTIONS;

static int
learn(void *ctx, const char *path, struct err *e)
{
	static uint8_t in[BLOCK], out[BLOCK];
	FILE *f = fopen(path, "rb");
	size_t len, out_len, all = 0;
	int ret = 0;

	if (!f)
		return err_sys(e, "%s", path);
	memset(counts, 0, sizeof(counts));
	while (ret == 0 && (len = fread(in, 1, BLOCK, f)) > 0) {
		all += len;
		for (int level = 0; ret == 0 && level < CODEC_PAGE_LEVELS;
		     level++)
			ret = codec_page.encode(ctx, level, in, len, out, len,
						&out_len, e);
	}
	fclose(f);
	for (unsigned m = 0; m < MODELS_ALL; m++)
		for (unsigned s = 0; s < 16; s++)
			weights[m][s] += counts[m][s] / (double)all;
	return ret;
}

static void
print_letter(char letter)
{
	static unsigned n;

	if (n++ % LINE == 0)
		printf(n > 1 ? "\"\n\"" : "\n\"");
	putchar(letter);
}

static void
print_model(const double *w)
{
	double most = 0;

	for (unsigned s = 0; s < 16; s++)
		most = MAX(most, w[s] + 1e-8);
	for (unsigned s = 0; s < 16; s++) {
		double below = 2 * log2(most / (w[s] + 1e-8));

		print_letter((char)('z' - lround(MIN(below, 25.0))));
	}
}

int
main(int argc, char **argv)
{
	void *ctx = codec_page.ctx_new();
	struct err e;

	if (!ctx || argc < 2) {
		fprintf(stderr, "Usage: train-priors FILE...\n");
		return 2;
	}
	page_use_code(ctx, &counting);
	for (int i = 1; i < argc; i++)
		if (learn(ctx, argv[i], &e) < 0) {
			fprintf(stderr, "train-priors: %s\n", e.text);
			return 1;
		}
	printf("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
	       "/* Made by bench/train-priors. */\n#include \"config.h\"\n\n"
	       "#include \"codec/page-impl.h\"\n\n"
	       "/* clang-format off */\n"
	       "const char page_priors[16 * MODELS_ALL + 1] =");
	for (unsigned m = 0; m < MODELS_ALL; m++)
		print_model(weights[m]);
	printf("\";\n");
	codec_page.ctx_free(ctx);
	return 0;
}
