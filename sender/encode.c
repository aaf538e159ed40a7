/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "common/clock.h"
#include "common/mem.h"
#include "memory/memory.h"
#include "sender/encode.h"

/* Shorter streams are not worth a codec's header. */
#define ENCODE_SMALL 48

struct encoder {
	const struct memory *memory;
	struct planner *planner;
	struct source_cursor at; /* of the next batch */
	uint32_t guest_like;
	unsigned nworkers;
	struct codec_set **codecs; /* one for each worker */
};

void
encoder_free(struct encoder *enc)
{
	if (!enc)
		return;
	codec_sets_free(enc->codecs, enc->nworkers);
	planner_free(enc->planner);
	free(enc);
}

struct encoder *
encoder_new(const struct planner_config *c, unsigned nworkers, struct err *e)
{
	struct encoder *enc = calloc(1, sizeof(*enc));

	if (!enc) {
		(void)err_sys(e, "encoder");
		return NULL;
	}
	enc->memory = c->memory;
	enc->guest_like = base_guest_like(c->bases, c->nbases);
	enc->nworkers = nworkers;
	enc->codecs = codec_sets_new(nworkers, e);
	if (enc->codecs && (!c->memory || encoder_plan(enc, c, e) == 0))
		return enc;
	encoder_free(enc);
	return NULL;
}

int
encoder_plan(struct encoder *enc, const struct planner_config *c, struct err *e)
{
	enc->planner = planner_new(c, e);
	return enc->planner ? 0 : -1;
}

struct encoding *
encoding_new(struct encoder *enc, struct err *e)
{
	struct encoding *x = calloc(1, sizeof(*x));

	if (x)
		x->own = calloc(1, sizeof(*x->own));
	if (!x || !x->own) {
		(void)err_sys(e, "encoding");
		free(x);
		return NULL;
	}
	x->encoder = enc;
	plan_writer_init(&x->writer, enc->guest_like);
	return x;
}

void
encoding_free(struct encoding *x)
{
	if (!x)
		return;
	plan_writer_fini(&x->writer);
	free(x->coded);
	free(x->own);
	free(x);
}

/* The next frame of the memory. */
static int
encode_next(struct encoding *x, struct err *e)
{
	const struct planner_limits limits = {
		.match = x->effort->match,
		.keep = true,
		.block_bytes = x->effort->block_bytes,
	};
	struct encoder *enc = x->encoder;

	x->start = enc->at;
	source_fill(enc->memory, &enc->at, UINT32_MAX, UINT32_MAX, x->batch);
	if (planner_frame(enc->planner, &limits, x->batch, &x->writer,
			  &x->planned, e) < 0)
		return -1;
	source_advance(enc->memory, &enc->at, x->batch->npages,
		       x->batch->nbytes);
	return 0;
}

/* The next frame of the range. */
static int
encode_again(struct encoding *x, struct err *e)
{
	struct source_range *r = &x->range;

	x->start = r->at;
	source_fill(x->encoder->memory, &r->at, r->npages, r->nbytes, x->batch);
	if (planner_frame_plain(x->batch, &x->writer, &x->planned, e) < 0)
		return -1;
	source_advance(x->encoder->memory, &r->at, x->batch->npages,
		       x->batch->nbytes);
	r->npages -= x->batch->npages;
	r->nbytes -= x->batch->nbytes;
	return 0;
}

/* All of the batch that was given. */
static int
encode_given(struct encoding *x, struct err *e)
{
	const struct planner_limits limits = {
		.match = x->effort->match && x->keep,
		.keep = x->keep,
		.block_bytes = UINT32_MAX,
	};
	struct planner *p = x->encoder->planner;

	if (!p || x->plain)
		return planner_frame_plain(x->batch, &x->writer, &x->planned,
					   e);
	return planner_frame(p, &limits, x->batch, &x->writer, &x->planned, e);
}

static void
encode_plan(struct pool_job *job, unsigned worker)
{
	struct encoding *x = (struct encoding *)job;
	uint64_t t = clock_cpu_ns(), wall = clock_wall_ns();
	int ret;

	(void)worker;
	if (x->batch->framed)
		ret = encode_given(x, &x->err);
	else if (x->plain)
		ret = encode_again(x, &x->err);
	else
		ret = encode_next(x, &x->err);
	x->failed = ret < 0;
	x->match_ns = x->planned.match_cpu_ns;
	x->plan_ns = clock_cpu_ns() - t - x->match_ns;
	x->turn_wall_ns = clock_wall_ns() - wall;
}

static bool
encode_is_filled(uint8_t code)
{
	return code == PLAN_ZERO || code == PLAN_FILL || code == PLAN_FREE;
}

/* Hashes, some pages at a time, those whose fingerprint is not known. */
static int
encode_fingerprints(struct encoding *x, struct err *e)
{
	struct planned *pl = &x->planned;
	const uint8_t *pages[64];
	struct fingerprint fps[64];
	uint32_t where[64];
	size_t n = 0;

	for (uint32_t i = 0; i < x->batch->npages; i++) {
		if (!encode_is_filled(pl->codes[i]) && !pl->known[i]) {
			pages[n] = x->batch->pages[i].bytes;
			where[n++] = i;
		}
		if (n < ARRAY_LEN(pages) && i + 1 < x->batch->npages)
			continue;
		if (fingerprint_pages(pages, n, fps, e) < 0)
			return -1;
		while (n > 0) {
			n--;
			pl->fps[where[n]] = fps[n];
		}
	}
	return 0;
}

static int
encode_digest_items(struct encoding *x, struct frame_digest *d, struct err *e)
{
	const struct planned *pl = &x->planned;
	const struct batch *b = x->batch;
	uint32_t run = 0;

	for (uint32_t i = 0; i <= b->npages; i++) {
		for (; run < b->nruns && b->runs[run].before == i; run++)
			if (frame_digest_bytes(d, b->runs[run].at,
					       b->runs[run].n, e) < 0)
				return -1;
		if (i == b->npages)
			break;
		if (b->framed &&
		    frame_digest_head(d, b->pages[i].number, b->pages[i].head,
				      b->pages[i].head_len, e) < 0)
			return -1;
		if (encode_is_filled(pl->codes[i])) {
			if (frame_digest_fill(d, pl->fills[i], e) < 0)
				return -1;
		} else if (frame_digest_page(d, &pl->fps[i], e) < 0) {
			return -1;
		}
	}
	return frame_digest_final(d, &x->frame.digest, e);
}

static int
encode_digest(struct encoding *x, struct err *e)
{
	struct frame_digest d;
	int ret;

	if (encode_fingerprints(x, e) < 0 ||
	    frame_digest_init(&d, x->frame.first_page, x->frame.first_byte, e) <
		    0)
		return -1;
	ret = encode_digest_items(x, &d, e);
	frame_digest_fini(&d);
	return ret;
}

static int
encode_room(struct encoding *x, struct err *e)
{
	size_t need = 0;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		need += codec_bound(x->writer.streams[i].len);
	if (need <= x->coded_cap)
		return 0;
	free(x->coded);
	x->coded_cap = need + need / 4;
	x->coded = malloc(x->coded_cap);
	if (x->coded)
		return 0;
	x->coded_cap = 0;
	return err_sys(e, "frame of %zu bytes", need);
}

/* Samples of a large block that a fast codec is tried on. */
#define ENCODE_SAMPLES      16
#define ENCODE_SAMPLE_BYTES 4096

/* Strong codecs are slowest on noise, and find nothing in it either. */
static bool
encode_is_noise(struct codec_set *codecs, const struct buf *raw)
{
	const struct codec_choice fast = { CODEC_LZ4, 0 };
	uint8_t samples[ENCODE_SAMPLES * ENCODE_SAMPLE_BYTES];
	uint8_t out[ENCODE_SAMPLES * ENCODE_SAMPLE_BYTES];
	size_t step = raw->len / ENCODE_SAMPLES, len;
	enum codec_id used;
	struct err e;

	if (step < ENCODE_SAMPLE_BYTES)
		return false;
	for (size_t i = 0; i < ENCODE_SAMPLES; i++)
		memcpy(samples + i * ENCODE_SAMPLE_BYTES, raw->data + i * step,
		       ENCODE_SAMPLE_BYTES);
	return codec_encode(codecs, fast, samples, sizeof(samples), out, &len,
			    &used, &e) == 0 &&
	       used == CODEC_RAW;
}

static struct codec_choice
encode_choice(const struct effort *effort, struct codec_set *codecs,
	      unsigned stream, const struct buf *raw)
{
	const struct codec_choice none = { CODEC_RAW, 0 };

	if (stream == STREAM_DATA || stream == STREAM_WORD)
		return effort->data.id >= CODEC_LZMA &&
				       encode_is_noise(codecs, raw)
			       ? none
			       : effort->data;
	return raw->len < ENCODE_SMALL ? none : effort->side;
}

static int
encode_streams(struct encoding *x, struct codec_set *codecs, struct err *e)
{
	uint8_t *at;

	static_assert(PLAN_STREAM_MAX <= CODEC_BLOCK_MAX, "one block each");
	if (encode_room(x, e) < 0)
		return -1;
	at = x->coded;
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		const struct buf *raw = &x->writer.streams[i];
		struct frame_stream *s = &x->frame.streams[i];
		enum codec_id used;
		size_t len;

		*s = (struct frame_stream){ .coded = at };
		if (raw->len == 0)
			continue;
		if (codec_encode(codecs,
				 encode_choice(x->effort, codecs, i, raw),
				 raw->data, raw->len, at, &len, &used, e) < 0)
			return -1;
		s->codec = (uint8_t)used;
		s->raw_len = (uint32_t)raw->len;
		s->coded_len = (uint32_t)len;
		at += len;
	}
	return 0;
}

static void
encode_finish(struct pool_job *job, unsigned worker)
{
	struct encoding *x = (struct encoding *)job;
	uint64_t t0 = clock_cpu_ns(), t1, wall = clock_wall_ns();

	if (x->failed)
		return;
	x->frame.first_page = x->start.page;
	x->frame.first_byte = x->start.byte;
	x->frame.npages = x->batch->npages;
	x->frame.nbytes = x->batch->nbytes;
	x->failed = encode_digest(x, &x->err) < 0;
	t1 = clock_cpu_ns();
	x->failed = x->failed ||
		    encode_streams(x, x->encoder->codecs[worker], &x->err) < 0;
	x->digest_ns = t1 - t0;
	x->codec_ns = clock_cpu_ns() - t1;
	x->late_wall_ns = clock_wall_ns() - wall;
}

void
encoding_begin(struct encoding *x, const struct effort *effort)
{
	x->job.early = NULL;
	x->job.turn = encode_plan;
	x->job.late = encode_finish;
	x->effort = effort;
	x->batch = x->own;
	x->plain = false;
	x->failed = false;
}

void
encoding_begin_again(struct encoding *x, const struct effort *effort,
		     const struct source_range *range)
{
	encoding_begin(x, effort);
	x->plain = true;
	x->range = *range;
}

void
encoding_begin_batch(struct encoding *x, const struct effort *effort,
		     struct batch *b, unsigned channel, uint64_t byte,
		     bool keep, bool plain)
{
	encoding_begin(x, effort);
	x->batch = b;
	x->start = (struct source_cursor){ .page = channel, .byte = byte };
	x->keep = keep;
	x->plain = plain;
}

bool
encoding_is_end(const struct encoding *x)
{
	return x->batch->npages == 0 && x->batch->nbytes == 0;
}

struct source_range
encoding_range(const struct encoding *x)
{
	return (struct source_range){ x->start, x->batch->npages,
				      x->batch->nbytes };
}
