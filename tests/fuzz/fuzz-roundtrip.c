/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/engine.h"

/* Any memory, coming back to a host that kept any other, arrives as it is.
 * The first byte says how hard to try; of the rest the first half is what was
 * kept, the second what it is now, each stretched to pages by repeating every
 * chunk of it.
 */
#define CHUNK 64

static uint64_t
stretch(const uint8_t *data, size_t size, uint8_t *pages)
{
	uint64_t n = 0;

	for (size_t at = 0; at < size && n < FUZZ_PAGES; at += CHUNK, n++) {
		size_t len = size - at < CHUNK ? size - at : CHUNK;

		for (size_t i = 0; i < PAGE_BYTES; i++)
			pages[n * PAGE_BYTES + i] =
				data[at + (i % CHUNK) % len];
		/* not all pages are one chunk over and over */
		if (data[at] & 1)
			memset(pages + n * PAGE_BYTES + 512, data[at], 2048);
	}
	return n;
}

static void
deliver(struct encoding *x, struct decoding *y, struct fuzz_output *out)
{
	struct rebuild_target target = fuzz_target(out);
	struct buf wire;
	struct err e;

	fuzz_check(!x->failed);
	buf_init(&wire, 4 << 20);
	fuzz_ok(frame_put(&wire, &x->frame, &e), &e);
	decoding_begin(y, span_of(wire.data, wire.len), &target);
	fuzz_run(&y->job);
	if (y->failed)
		fprintf(stderr, "%s\n", y->err.text);
	fuzz_check(!y->failed && y->good);
	buf_fini(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t old_pages[FUZZ_PAGES * PAGE_BYTES];
	static uint8_t new_pages[FUZZ_PAGES * PAGE_BYTES];
	static struct fuzz_output out;
	struct fuzz_memory was, now;
	struct base bases[2] = { { .kind = BASE_HISTORY },
				 { .kind = BASE_MEMORY } };
	struct planner_config c = { .memory = &now.memory,
				    .bases = bases,
				    .nbases = 2 };
	size_t nefforts, half = size / 2;
	const struct effort *efforts = effort_all(&nefforts);
	struct encoder *enc;
	struct encoding *x;
	struct decoder *dec;
	struct decoding *y;
	struct err e;

	if (size < 4)
		return 0;
	fuzz_memory(&was, old_pages, stretch(data + 1, half, old_pages));
	fuzz_memory(&now, new_pages,
		    stretch(data + 1 + half, size - 1 - half, new_pages));
	bases[0].npages = now.memory.npages;
	bases[1].npages = was.memory.npages;
	bases[1].memory = &was.memory;
	enc = encoder_new(&c, 1, &e);
	dec = decoder_new(bases, 2, 1, &e);
	fuzz_check(enc && dec);
	x = encoding_new(enc, &e);
	y = decoding_new(dec, &e);
	fuzz_check(x && y);
	memset(out.pages, 0xee, sizeof(out.pages));
	for (;;) {
		encoding_begin(x, &efforts[data[0] % nefforts]);
		fuzz_run(&x->job);
		if (encoding_is_end(x))
			break;
		deliver(x, y, &out);
	}
	fuzz_check(memcmp(out.pages, new_pages,
			  now.memory.npages * PAGE_BYTES) == 0);
	encoding_free(x);
	decoding_free(y);
	encoder_free(enc);
	decoder_free(dec);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	size_t n;
	const struct effort *efforts = effort_all(&n);
	struct err e;

	if (i >= n)
		return NULL;
	fuzz_ok(buf_put_u8(out, (uint8_t)i, &e), &e);
	for (unsigned k = 0; k < 1200; k++)
		fuzz_ok(buf_put_u8(out, (uint8_t)(k % 600 / 60 * (k % 7)), &e),
			&e);
	return efforts[i].name;
}
