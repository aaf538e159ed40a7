/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tools/peer-pipe.h"

/* More than any coder here gives for one piece. */
#define CODED_MAX   (64u << 20)
#define DECODED_LEN (256u << 10)

int
peer_pipe_init(struct peer_pipe *p, const struct peer *peer, uint64_t total,
	       struct peer_totals *sum, struct err *e)
{
	*p = (struct peer_pipe){ .coder = peer->coder, .sum = sum };
	buf_init(&p->coded, CODED_MAX);
	p->decoded = malloc(DECODED_LEN);
	if (!p->decoded)
		return err_sys(e, "%s", peer->name);
	p->encoder = p->coder->encoder_new(&peer->setting, total, e);
	if (!p->encoder)
		return -1;
	p->decoder = p->coder->decoder_new(e);
	return p->decoder ? 0 : -1;
}

void
peer_pipe_fini(struct peer_pipe *p)
{
	if (p->encoder)
		p->coder->encoder_free(p->encoder);
	if (p->decoder)
		p->coder->decoder_free(p->decoder);
	buf_fini(&p->coded);
	free(p->decoded);
}

static int
decode_all(struct peer_pipe *p, struct err *e)
{
	struct span in = span_of(p->coded.data, p->coded.len);
	uint64_t begun;
	size_t n;
	int rc;

	do {
		begun = clock_cpu_ns();
		rc = p->coder->decode(p->decoder, &in, p->decoded, DECODED_LEN,
				      &n, e);
		p->sum->decode_ns += clock_cpu_ns() - begun;
		if (rc != 0)
			return -1;
		if (p->sink(p->arg, p->decoded, n, e) != 0)
			return -1;
	} while (n == DECODED_LEN);
	if (in.left)
		return err_set(e, ERR_CORRUPT, "%zu bytes were not decoded",
			       in.left);
	return 0;
}

int
peer_pipe_put(struct peer_pipe *p, const uint8_t *bytes, size_t n,
	      enum peer_flush flush, struct err *e)
{
	uint64_t begun = clock_cpu_ns();
	int rc;

	buf_reset(&p->coded);
	rc = p->coder->encode(p->encoder, span_of(bytes, n), flush, &p->coded,
			      e);
	p->sum->encode_ns += clock_cpu_ns() - begun;
	if (rc != 0)
		return -1;
	p->sum->wire_bytes += p->coded.len;
	return p->coded.len ? decode_all(p, e) : 0;
}

int
peer_progress(const struct bench_input *in, uint64_t done_pages, struct err *e)
{
	const struct bench_progress *p = &in->progress;

	if (p->cancelled && *p->cancelled)
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (p->report)
		p->report(p->arg, done_pages, in->memory->npages);
	return 0;
}

int
peer_differs(const struct peer *p, uint64_t page, struct err *e)
{
	return err_set(e, ERR_CORRUPT,
		       "%s: page %" PRIu64 " came back different", p->name,
		       page);
}

void
peer_finish(const struct peer *p, const struct peer_totals *sum,
	    struct bench_result *out)
{
	struct bench_sample s = {
		.encode_cpu_s = (double)sum->encode_ns / 1e9,
		.decode_cpu_s = (double)sum->decode_ns / 1e9,
		.wall_s = (double)(clock_wall_ns() - sum->begun_ns) / 1e9,
	};

	*out = (struct bench_result){ .wire_bytes = sum->wire_bytes,
				      .verified = true };
	strncpy(out->name, p->name, sizeof(out->name) - 1);
	bench_result_add(out, &s);
}
