/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/peer-pipe.h"

/* All pages, in order, through one coder: what "gzip -6 < memory" does. */
#define PIECE_PAGES 256u

/* Where the decoder has come to. */
struct cursor {
	const struct peer *peer;
	const struct memory *memory;
	uint64_t at; /* bytes, over all pages */
};

static int
compare(void *arg, const uint8_t *bytes, size_t n, struct err *e)
{
	struct cursor *c = arg;

	while (n) {
		uint64_t page = c->at / PAGE_BYTES;
		size_t off = c->at % PAGE_BYTES;
		size_t len = MIN(n, (size_t)PAGE_BYTES - off);

		if (page >= c->memory->npages ||
		    memcmp(memory_page(c->memory, page) + off, bytes, len) != 0)
			return peer_differs(c->peer, page, e);
		bytes += len;
		n -= len;
		c->at += len;
	}
	return 0;
}

/* How many pages from 'page' on stand one after the other in the file, at
 * most PIECE_PAGES.
 */
static uint64_t
piece_len(const struct memory *m, uint64_t page)
{
	const struct memory_segment *s = memory_segment_of(m, page);
	uint64_t left = s->first_page + s->len / PAGE_BYTES - page;

	return MIN(left, PIECE_PAGES);
}

static int
put_all(struct peer_pipe *pipe, const struct bench_input *in, struct err *e)
{
	uint64_t page, n;

	for (page = 0; page < in->memory->npages; page += n) {
		n = piece_len(in->memory, page);
		if (peer_progress(in, page, e) != 0 ||
		    peer_pipe_put(pipe, memory_page(in->memory, page),
				  n * PAGE_BYTES, PEER_MORE, e) != 0)
			return -1;
	}
	return peer_pipe_put(pipe, NULL, 0, PEER_END, e);
}

int
peer_run_whole(const struct peer *p, const struct bench_input *in,
	       struct bench_result *out, struct err *e)
{
	struct peer_totals sum = { .begun_ns = clock_wall_ns() };
	uint64_t total = in->memory->npages * PAGE_BYTES;
	struct cursor cursor = { p, in->memory, 0 };
	struct peer_pipe pipe;
	int rc = peer_pipe_init(&pipe, p, total, &sum, e);

	pipe.sink = compare;
	pipe.arg = &cursor;
	if (rc == 0)
		rc = put_all(&pipe, in, e);
	peer_pipe_fini(&pipe);
	if (rc != 0)
		return -1;
	if (cursor.at != total)
		return err_set(e, ERR_CORRUPT,
			       "%s: %" PRIu64 " bytes did not come back",
			       p->name, total - cursor.at);
	peer_finish(p, &sum, out);
	return 0;
}
