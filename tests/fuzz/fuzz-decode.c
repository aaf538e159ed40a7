/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/engine.h"

/* Any bytes as a frame, over a kept memory of 40 pages: refused, or rebuilt
 * within the output, and good only if the digest is that of the output.
 */
#define KEPT 40

static uint8_t kept_pages[KEPT * PAGE_BYTES];
static struct fuzz_memory kept;
static struct fuzz_output output;
static struct base bases[2];

static struct decoding *
decoding_once(void)
{
	static struct decoding *x;
	struct decoder *d;
	struct err e;

	if (x)
		return x;
	fuzz_pages(kept_pages, KEPT);
	fuzz_memory(&kept, kept_pages, KEPT);
	bases[0] = (struct base){ BASE_HISTORY, .npages = FUZZ_PAGES };
	bases[1] = (struct base){ BASE_MEMORY, .npages = KEPT,
				  .memory = &kept.memory };
	d = decoder_new(bases, 2, 1, &e);
	fuzz_check(d);
	x = decoding_new(d, &e);
	fuzz_check(x);
	return x;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoding *x = decoding_once();
	struct rebuild_target target = fuzz_target(&output);

	memset(output.pages, 0, sizeof(output.pages));
	decoding_begin(x, span_of(data, size), &target);
	fuzz_run(&x->job);
	fuzz_check(!x->failed || x->err.code == ERR_PROTOCOL);
	fuzz_check(!(x->failed && x->good));
	return 0;
}

static int
seed_of(const struct effort *effort, struct buf *out, struct err *e)
{
	static uint8_t pages[20 * PAGE_BYTES];
	struct fuzz_memory now;
	struct planner_config c = { .bases = bases, .nbases = 2 };
	struct encoder *enc;
	struct encoding *x;
	int ret;

	decoding_once();
	fuzz_pages(pages, 20);
	for (unsigned n = 0; n < 20; n++)
		memset(pages + n * PAGE_BYTES + 16, (int)n, n * 8);
	fuzz_memory(&now, pages, 20);
	c.memory = &now.memory;
	enc = encoder_new(&c, 1, e);
	fuzz_check(enc);
	x = encoding_new(enc, e);
	fuzz_check(x);
	encoding_begin(x, effort);
	fuzz_run(&x->job);
	fuzz_check(!x->failed);
	ret = frame_put(out, &x->frame, e);
	encoding_free(x);
	encoder_free(enc);
	return ret;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	size_t n;
	const struct effort *efforts = effort_all(&n);
	struct err e;

	if (i >= n)
		return NULL;
	fuzz_ok(seed_of(&efforts[i], out, &e), &e);
	return efforts[i].name;
}
