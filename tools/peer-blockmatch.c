/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/peer-pipe.h"

/* What anybody would do first who holds the disk image at both ends: a page
 * that equals a 4 KiB block of an image is named instead of sent, a zero page
 * is said to be one, and everything, the names too, goes through gzip.
 *
 * The stream is batches of up to BATCH pages:
 *	u32 bytes of names, u32 literal pages, the names, the literal pages
 * A name is a varint, pages in a row << 2 | kind; for blocks the image and
 * the zigzag distance from the block after the last one named follow.
 */
#define BATCH       256u
#define NAME_MAX    24u /* bytes */
#define BATCH_BYTES (8 + BATCH * (NAME_MAX + PAGE_BYTES))

enum kind {
	KIND_ZERO = 0,
	KIND_SENT = 1,
	KIND_BLOCK = 2,
};

struct place {
	size_t image;
	uint64_t block;
};

struct choice {
	enum kind kind;
	struct place place; /* of a KIND_BLOCK */
};

struct blockmatch {
	const struct peer *peer;
	const struct bench_input *in;
	struct peer_totals sum;
	struct peer_pipe pipe;
	/* The sender's. */
	struct choice choices[BATCH];
	uint64_t hints[BATCH];
	struct place next; /* after the last block named */
	struct buf names, batch;
	uint8_t scratch
		[PAGE_BYTES]; /* a block of an image that is not mapped */
	/* The receiver's. */
	struct place back_next;
	struct buf back; /* what came back and is not yet a whole batch */
	uint8_t *rebuilt;
	uint64_t back_page;
};

/* The bytes of a block, NULL with *e filled. */
static const uint8_t *
block_bytes(struct blockmatch *b, struct place at, struct err *e)
{
	struct image *img = b->in->images[at.image];
	const uint8_t *bytes = image_block(img, at.block);

	if (bytes)
		return bytes;
	if (image_read(img, at.block, 1, b->scratch, e) != 0)
		return NULL;
	return b->scratch;
}

/* Whether the block at that place is the page: 1, 0, or -1 with *e filled. */
static int
is_equal(struct blockmatch *b, struct place at, const uint8_t *page,
	 struct err *e)
{
	const uint8_t *bytes;

	if (at.block >= image_nblocks(b->in->images[at.image]))
		return 0;
	bytes = block_bytes(b, at, e);
	if (!bytes)
		return -1;
	return memcmp(bytes, page, PAGE_BYTES) == 0;
}

/* Finds a block that is the page, the one after the last first: runs cost
 * least.
 */
static int
find_block(struct blockmatch *b, const uint8_t *page, uint64_t hint,
	   struct choice *c, struct err *e)
{
	uint32_t found[INDEX_CANDIDATES];
	int same = 0;

	c->place = b->next;
	if (b->next.block)
		same = is_equal(b, c->place, page, e);
	for (size_t i = 0; i < b->in->nimages && same == 0; i++) {
		size_t n = index_find(b->in->indexes[i], hint, found);

		for (size_t k = 0; k < n && same == 0; k++) {
			c->place = (struct place){ i, found[k] };
			same = is_equal(b, c->place, page, e);
		}
	}
	if (same < 0)
		return -1;
	c->kind = same ? KIND_BLOCK : KIND_SENT;
	if (same)
		b->next = (struct place){ c->place.image, c->place.block + 1 };
	return 0;
}

static int
choose(struct blockmatch *b, uint64_t first, uint64_t n, struct err *e)
{
	const struct memory *m = b->in->memory;
	uint64_t value;

	for (uint64_t i = 0; i < n; i++) {
		b->hints[i] =
			digest_hint(memory_page(m, first + i), PAGE_BYTES);
		for (size_t k = 0; k < b->in->nimages; k++)
			index_prefetch(b->in->indexes[k], b->hints[i]);
	}
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *page = memory_page(m, first + i);

		if (fill_find(page, &value) && value == 0)
			b->choices[i].kind = KIND_ZERO;
		else if (find_block(b, page, b->hints[i], &b->choices[i], e) !=
			 0)
			return -1;
	}
	return 0;
}

/* Whether page i goes on with the run that page i-1 is in. */
static bool
is_run(const struct choice *c, uint64_t i)
{
	if (c[i].kind != c[i - 1].kind)
		return false;
	return c[i].kind != KIND_BLOCK ||
	       (c[i].place.image == c[i - 1].place.image &&
		c[i].place.block == c[i - 1].place.block + 1);
}

static int
put_name(struct blockmatch *b, const struct choice *c, uint64_t run,
	 struct place *next, struct err *e)
{
	if (buf_put_varint(&b->names, run << 2 | c->kind, e) != 0)
		return -1;
	if (c->kind != KIND_BLOCK)
		return 0;
	if (buf_put_varint(&b->names, c->place.image, e) != 0 ||
	    buf_put_varint(&b->names,
			   zigzag((int64_t)(c->place.block - next->block)),
			   e) != 0)
		return -1;
	*next = (struct place){ c->place.image, c->place.block + run };
	return 0;
}

/* Writes the batch that choices describe; *next is the place after the last
 * block named before it.
 */
static int
put_batch(struct blockmatch *b, uint64_t first, uint64_t n, struct place next,
	  struct err *e)
{
	uint32_t nsent = 0;

	buf_reset(&b->names);
	buf_reset(&b->batch);
	for (uint64_t i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && is_run(b->choices, i + run);)
			run++;
		if (b->choices[i].kind == KIND_SENT)
			nsent += (uint32_t)run;
		if (put_name(b, &b->choices[i], run, &next, e) != 0)
			return -1;
	}
	if (buf_put_u32(&b->batch, (uint32_t)b->names.len, e) != 0 ||
	    buf_put_u32(&b->batch, nsent, e) != 0 ||
	    buf_put(&b->batch, b->names.data, b->names.len, e) != 0)
		return -1;
	for (uint64_t i = 0; i < n; i++)
		if (b->choices[i].kind == KIND_SENT &&
		    buf_put(&b->batch, memory_page(b->in->memory, first + i),
			    PAGE_BYTES, e) != 0)
			return -1;
	return 0;
}

/* Rebuilds one run of pages into out; names and sent are what is left of
 * those.  *n is how many pages it was, of at most 'max'.
 */
static int
rebuild_run(struct blockmatch *b, struct span *names, struct span *sent,
	    uint8_t *out, uint64_t max, uint64_t *n, struct err *e)
{
	uint64_t head, image, jump;
	const uint8_t *bytes;

	if (span_get_varint(names, &head, e) != 0)
		return -1;
	*n = head >> 2;
	if (*n == 0 || *n > max)
		return err_set(e, ERR_CORRUPT, "a run of %" PRIu64 " pages",
			       *n);
	if ((head & 3) == KIND_ZERO) {
		memset(out, 0, *n * PAGE_BYTES);
		return 0;
	}
	if ((head & 3) == KIND_SENT)
		return span_get(sent, out, *n * PAGE_BYTES, e);
	if (span_get_varint(names, &image, e) != 0 ||
	    span_get_varint(names, &jump, e) != 0)
		return -1;
	if (image >= b->in->nimages)
		return err_set(e, ERR_CORRUPT, "no image %" PRIu64, image);
	b->back_next.image = image;
	b->back_next.block += (uint64_t)unzigzag(jump);
	for (uint64_t i = 0; i < *n; i++, b->back_next.block++) {
		if (b->back_next.block >= image_nblocks(b->in->images[image]))
			return err_set(e, ERR_CORRUPT, "no such block");
		bytes = block_bytes(b, b->back_next, e);
		if (!bytes)
			return -1;
		memcpy(out + i * PAGE_BYTES, bytes, PAGE_BYTES);
	}
	return 0;
}

/* Rebuilds the batch made of names and sent pages, on the clock. */
static int
rebuild(struct blockmatch *b, struct span names, struct span sent, uint64_t *n,
	struct err *e)
{
	uint64_t begun = clock_cpu_ns(), run;
	int rc = 0;

	*n = 0;
	while (names.left && rc == 0) {
		rc = rebuild_run(b, &names, &sent, b->rebuilt + *n * PAGE_BYTES,
				 BATCH - *n, &run, e);
		if (rc == 0)
			*n += run;
	}
	if (rc == 0 && sent.left)
		rc = err_set(e, ERR_CORRUPT, "pages that nobody named");
	b->sum.decode_ns += clock_cpu_ns() - begun;
	return rc;
}

static int
compare_rebuilt(struct blockmatch *b, uint64_t n, struct err *e)
{
	for (uint64_t i = 0; i < n; i++, b->back_page++)
		if (b->back_page >= b->in->memory->npages ||
		    memcmp(memory_page(b->in->memory, b->back_page),
			   b->rebuilt + i * PAGE_BYTES, PAGE_BYTES) != 0)
			return peer_differs(b->peer, b->back_page, e);
	return 0;
}

/* Takes a whole batch off the front of what came back: 1, or 0 if there is
 * none yet.
 */
static int
take_batch(struct blockmatch *b, struct span *in, struct err *e)
{
	struct span at = *in, names, sent;
	uint32_t nnames, nsent;
	uint64_t n;

	if (at.left < 8)
		return 0;
	if (span_get_u32(&at, &nnames, e) != 0 ||
	    span_get_u32(&at, &nsent, e) != 0)
		return -1;
	if (nnames > BATCH * NAME_MAX || nsent > BATCH)
		return err_set(e, ERR_CORRUPT, "%s: a broken batch",
			       b->peer->name);
	if (at.left < nnames + (size_t)nsent * PAGE_BYTES)
		return 0;
	names = span_of(at.at, nnames);
	sent = span_of(at.at + nnames, (size_t)nsent * PAGE_BYTES);
	*in = span_of(sent.at + sent.left, at.left - nnames - sent.left);
	if (rebuild(b, names, sent, &n, e) != 0)
		return err_prefix(e, "%s", b->peer->name);
	return compare_rebuilt(b, n, e) == 0 ? 1 : -1;
}

static int
take(void *arg, const uint8_t *bytes, size_t n, struct err *e)
{
	struct blockmatch *b = arg;
	struct span in;
	int rc;

	if (buf_put(&b->back, bytes, n, e) != 0)
		return -1;
	in = span_of(b->back.data, b->back.len);
	do
		rc = take_batch(b, &in, e);
	while (rc > 0);
	if (rc < 0)
		return -1;
	if (in.left)
		memmove(b->back.data, in.at, in.left);
	b->back.len = in.left;
	return 0;
}

static int
put_all(struct blockmatch *b, struct err *e)
{
	uint64_t all = b->in->memory->npages, n;

	for (uint64_t first = 0; first < all; first += n) {
		struct place next = b->next;
		uint64_t begun = clock_cpu_ns();

		n = MIN(all - first, BATCH);
		if (peer_progress(b->in, first, e) != 0 ||
		    choose(b, first, n, e) != 0 ||
		    put_batch(b, first, n, next, e) != 0)
			return -1;
		b->sum.encode_ns += clock_cpu_ns() - begun;
		if (peer_pipe_put(&b->pipe, b->batch.data, b->batch.len,
				  PEER_MORE, e) != 0)
			return -1;
	}
	return peer_pipe_put(&b->pipe, NULL, 0, PEER_END, e);
}

static int
run(struct blockmatch *b, struct err *e)
{
	uint64_t all = b->in->memory->npages;

	buf_init(&b->names, BATCH * NAME_MAX);
	buf_init(&b->batch, BATCH_BYTES);
	buf_init(&b->back, 2 * BATCH_BYTES);
	b->rebuilt = malloc(BATCH * PAGE_BYTES);
	if (!b->rebuilt)
		return err_sys(e, "%s", b->peer->name);
	if (peer_pipe_init(&b->pipe, b->peer, 0, &b->sum, e) != 0)
		return -1;
	b->pipe.sink = take;
	b->pipe.arg = b;
	if (put_all(b, e) != 0)
		return -1;
	if (b->back_page != all)
		return err_set(e, ERR_CORRUPT,
			       "%s: %" PRIu64 " pages did not come back",
			       b->peer->name, all - b->back_page);
	return 0;
}

int
peer_run_blockmatch(const struct peer *p, const struct bench_input *in,
		    struct bench_result *out, struct err *e)
{
	struct blockmatch *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return err_sys(e, "%s", p->name);
	b->peer = p;
	b->in = in;
	b->sum.begun_ns = clock_wall_ns();
	rc = run(b, e);
	if (rc == 0)
		peer_finish(p, &b->sum, out);
	if (b->pipe.coder)
		peer_pipe_fini(&b->pipe);
	buf_fini(&b->names);
	buf_fini(&b->batch);
	buf_fini(&b->back);
	free(b->rebuilt);
	free(b);
	return rc;
}
