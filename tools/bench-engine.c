/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "receiver/decode.h"
#include "sender/encode.h"
#include "tools/bench-engine.h"

/* Type and length of the message, and number of the frame. */
#define ENGINE_MESSAGE_TOP (1 + 4 + 4)

#define ENGINE_WIRE_MAX (64u << 20)

/* One frame on its way through both ends. */
struct engine_slot {
	struct engine *engine;
	struct encoding *encoding;
	struct decoding *decoding;
	struct buf wire;
	uint8_t *pages; /* what the receiver rebuilt */
	bool bytes_differ;
};

struct engine {
	const struct bench_engine *b;
	const struct effort *effort;
	struct bench_tier *tier;
	struct encoder *encoder;
	struct decoder *decoder;
	struct pool *encoders, *decoders;
	struct engine_slot *slots;
	size_t nslots;
	uint64_t plan_ns, match_ns, seal_ns, codec_ns;
	uint64_t unpack_ns, rebuild_ns, check_ns;
};

/* The receiver's output for one frame.  Earlier pages are looked up in the
 * memory itself: they were compared with it, or the run fails.
 */
static uint8_t *
engine_page(void *arg, uint64_t n)
{
	struct engine_slot *s = arg;
	uint64_t first = s->decoding->frame.first_page;

	if (n < first || n >= first + FRAME_PAGES_MAX)
		return NULL;
	return s->pages + (n - first) * PAGE_BYTES;
}

static const uint8_t *
engine_history(void *arg, uint64_t n)
{
	struct engine_slot *s = arg;

	if (n >= s->decoding->frame.first_page)
		return engine_page(arg, n);
	return memory_page(s->engine->b->memory, n);
}

/* Opaque bytes are numbered over the segments that are not pages. */
static int
engine_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	     struct err *e)
{
	struct engine_slot *s = arg;
	const struct memory *m = s->engine->b->memory;

	(void)e;
	for (size_t i = 0; i < m->nsegments && n > 0; i++) {
		const struct memory_segment *g = &m->segments[i];
		uint64_t part;

		if (g->is_pages)
			continue;
		if (first >= g->len) {
			first -= g->len;
			continue;
		}
		part = MIN(g->len - first, n);
		if (memcmp(m->map.data + g->offset + first, bytes, part) != 0)
			s->bytes_differ = true;
		bytes += part;
		n -= part;
		first = 0;
	}
	s->bytes_differ |= n > 0;
	return 0;
}

static int
engine_slot_init(struct engine_slot *s, struct engine *g, struct err *e)
{
	s->engine = g;
	buf_init(&s->wire, ENGINE_WIRE_MAX);
	s->encoding = encoding_new(g->encoder, e);
	if (!s->encoding)
		return -1;
	s->decoding = decoding_new(g->decoder, e);
	if (!s->decoding)
		return -1;
	s->pages = malloc((size_t)FRAME_PAGES_MAX * PAGE_BYTES);
	return s->pages ? 0 : err_sys(e, "pages of a frame");
}

static void
engine_fini(struct engine *g)
{
	pool_free(g->encoders);
	pool_free(g->decoders);
	for (size_t i = 0; g->slots && i < g->nslots; i++) {
		encoding_free(g->slots[i].encoding);
		decoding_free(g->slots[i].decoding);
		buf_fini(&g->slots[i].wire);
		free(g->slots[i].pages);
	}
	free(g->slots);
	encoder_free(g->encoder);
	decoder_free(g->decoder);
}

static int
engine_init(struct engine *g, struct err *e)
{
	const struct bench_engine *b = g->b;
	struct planner_config config = { .memory = b->memory,
					 .bases = b->bases,
					 .nbases = b->nbases,
					 .guest = b->guest };
	uint64_t t = clock_cpu_ns();

	g->encoder = encoder_new(&config, b->threads, e);
	g->plan_ns = clock_cpu_ns() - t;
	if (!g->encoder)
		return -1;
	g->decoder = decoder_new(b->bases, b->nbases, b->threads, e);
	if (!g->decoder)
		return -1;
	g->encoders = pool_new(b->threads, e);
	if (!g->encoders)
		return -1;
	g->decoders = pool_new(b->threads, e);
	if (!g->decoders)
		return -1;
	g->nslots = b->threads + 1;
	g->slots = calloc(g->nslots, sizeof(*g->slots));
	if (!g->slots)
		return err_sys(e, "frames");
	for (size_t i = 0; i < g->nslots; i++)
		if (engine_slot_init(&g->slots[i], g, e) < 0)
			return -1;
	return 0;
}

/* The frame as bytes, and over to the receiver. */
static int
engine_send(struct engine_slot *s, struct err *e)
{
	static const struct rebuild_target target = {
		.page = engine_page,
		.history = engine_history,
		.bytes = engine_bytes,
	};
	struct engine *g = s->engine;
	struct encoding *x = s->encoding;
	struct rebuild_target mine = target;

	if (x->failed) {
		*e = x->err;
		return -1;
	}
	g->plan_ns += x->plan_ns;
	g->match_ns += x->match_ns;
	g->seal_ns += x->digest_ns;
	g->codec_ns += x->codec_ns;
	buf_reset(&s->wire);
	if (frame_put(&s->wire, &x->frame, e) < 0)
		return -1;
	mine.arg = s;
	decoding_begin(s->decoding, span_of(s->wire.data, s->wire.len), &mine);
	pool_submit(g->decoders, &s->decoding->job);
	return 0;
}

static void
engine_count(struct engine_slot *s)
{
	struct bench_tier *t = s->engine->tier;
	const struct encoding *in = s->encoding;
	uint64_t coded = 0;

	for (uint32_t i = 0; i < in->batch->npages; i++) {
		t->plan[in->start.page + i] = in->planned.codes[i];
		t->pages[in->planned.codes[i]]++;
	}
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		const struct frame_stream *f = &s->decoding->frame.streams[i];

		t->raw[i] += f->raw_len;
		t->wire[i] += f->coded_len;
		coded += f->coded_len;
	}
	t->frame_bytes += s->wire.len - coded + ENGINE_MESSAGE_TOP;
	t->result.wire_bytes += s->wire.len + ENGINE_MESSAGE_TOP;
}

static bool
engine_page_is_right(const struct engine_slot *s, uint32_t i)
{
	static const uint8_t zeros[PAGE_BYTES];
	const struct encoding *x = s->encoding;
	const struct bench_engine *b = s->engine->b;
	uint64_t n = x->start.page + i;
	const uint8_t *want = memory_page(b->memory, n);

	if (x->planned.codes[i] == PLAN_FREE) {
		if (!b->guest || !guest_drops(b->guest, n))
			return false;
		want = zeros;
	}
	return memcmp(s->pages + (size_t)i * PAGE_BYTES, want, PAGE_BYTES) == 0;
}

/* What came out must be what went in. */
static int
engine_compare(struct engine_slot *s, struct err *e)
{
	uint64_t first = s->encoding->start.page;
	struct engine *g = s->engine;
	struct decoding *x = s->decoding;

	if (x->failed)
		return err_set(e, ERR_CORRUPT, "frame at page %llu: %s",
			       (unsigned long long)first, x->err.text);
	if (!x->good || s->bytes_differ)
		return err_set(e, ERR_CORRUPT,
			       "frame at page %llu came out different",
			       (unsigned long long)first);
	for (uint32_t i = 0; i < s->encoding->batch->npages; i++)
		if (!engine_page_is_right(s, i))
			return err_set(e, ERR_CORRUPT,
				       "page %llu came out different",
				       (unsigned long long)(first + i));
	g->unpack_ns += x->unpack_ns;
	g->rebuild_ns += x->rebuild_ns;
	g->check_ns += x->digest_ns;
	engine_count(s);
	return 0;
}

static int
engine_keep_residual(const struct engine_slot *s, struct err *e)
{
	const struct buf *data = &s->encoding->writer.streams[STREAM_DATA];

	if (data->len == 0 ||
	    fwrite(data->data, data->len, 1, s->engine->b->residual) == 1)
		return 0;
	return err_sys(e, "residual");
}

static int
engine_loop(struct engine *g, struct err *e)
{
	size_t encoding = 0, sent = 0, done = 0;
	bool end = false;

	/* Slots go round: encoding is ahead of sent, sent ahead of done. */
	while (!end || done < encoding) {
		while (!end && encoding - done < g->nslots) {
			struct engine_slot *s =
				&g->slots[encoding++ % g->nslots];

			encoding_begin(s->encoding, g->effort);
			pool_submit(g->encoders, &s->encoding->job);
		}
		if (sent < encoding) {
			struct engine_slot *s = &g->slots[sent % g->nslots];

			if (!pool_wait(g->encoders))
				return err_set(e, ERR_LIMIT, "no frame");
			end |= encoding_is_end(s->encoding);
			if (engine_send(s, e) < 0)
				return -1;
			sent++;
		}
		if (sent == encoding || sent - done == g->nslots) {
			struct engine_slot *s = &g->slots[done % g->nslots];

			pool_wait(g->decoders);
			if (engine_compare(s, e) < 0 ||
			    (g->b->residual && engine_keep_residual(s, e) < 0))
				return -1;
			done++;
			if (g->b->cancelled && *g->b->cancelled)
				return err_set(e, ERR_CANCELLED, "interrupted");
			if (g->b->progress)
				g->b->progress(g->b->progress_arg,
					       s->encoding->start.page,
					       g->b->memory->npages);
		}
	}
	return 0;
}

static void
engine_stage(struct bench_tier *t, const char *name, bool decoding,
	     uint64_t bytes, uint64_t ns)
{
	t->stages[t->nstages++] = (struct bench_stage){
		.name = name,
		.bytes = bytes,
		.cpu_s = (double)ns / 1e9,
		.decoding = decoding,
	};
}

static void
engine_report(struct engine *g, uint64_t wall_ns)
{
	struct bench_tier *t = g->tier;
	uint64_t all = g->b->memory->map.len, some = 0, hashed;
	uint64_t encode = g->plan_ns + g->match_ns + g->seal_ns + g->codec_ns +
			  g->b->unpack_ns + g->b->guest_ns;
	uint64_t decode =
		g->unpack_ns + g->rebuild_ns + g->check_ns + g->b->unpack_ns;
	struct bench_sample sample = {
		(double)encode / 1e9, (double)decode / 1e9,
		(double)(wall_ns + g->b->unpack_ns + g->b->guest_ns) / 1e9
	};

	for (unsigned i = 0; i < STREAM__MAX; i++)
		some += t->raw[i];
	hashed = (t->npages - t->pages[PLAN_ZERO] - t->pages[PLAN_FILL] -
		  t->pages[PLAN_FREE]) *
		 PAGE_BYTES;
	if (g->b->guest_ns)
		engine_stage(t, "guest", false, all, g->b->guest_ns);
	if (g->b->unpack_ns)
		engine_stage(t, "kernels", false, g->b->unpack_bytes,
			     g->b->unpack_ns);
	engine_stage(t, "find", false, all, g->plan_ns);
	if (g->effort->match)
		engine_stage(t, "match", false,
			     t->pages[PLAN_DATA] * PAGE_BYTES, g->match_ns);
	engine_stage(t, "digest", false, hashed, g->seal_ns);
	engine_stage(t, "encode", false, some, g->codec_ns);
	if (g->b->unpack_ns)
		engine_stage(t, "kernels", true, g->b->unpack_bytes,
			     g->b->unpack_ns);
	engine_stage(t, "decode", true, some, g->unpack_ns);
	engine_stage(t, "rebuild", true, all, g->rebuild_ns);
	engine_stage(t, "check", true, hashed, g->check_ns);
	t->result.verified = true;
	bench_result_add(&t->result, &sample);
}

/* Every page and every opaque byte came out once. */
static int
engine_complete(const struct engine *g, struct err *e)
{
	const struct memory *m = g->b->memory;
	uint64_t pages = 0, bytes = g->tier->raw[STREAM_GAP];

	for (unsigned i = 0; i < PLAN__MAX; i++)
		pages += g->tier->pages[i];
	if (pages == m->npages && bytes == m->map.len - m->npages * PAGE_BYTES)
		return 0;
	return err_set(
		e, ERR_CORRUPT,
		"%llu pages and %llu bytes came out of %llu and %llu",
		(unsigned long long)pages, (unsigned long long)bytes,
		(unsigned long long)m->npages,
		(unsigned long long)(m->map.len - m->npages * PAGE_BYTES));
}

int
bench_engine_run(const struct bench_engine *b, const struct effort *effort,
		 struct bench_tier *out, struct err *e)
{
	struct engine g = { .b = b, .effort = effort, .tier = out };
	uint64_t t;
	int ret;

	memset(out, 0, sizeof(*out));
	snprintf(out->result.name, sizeof(out->result.name), "virt-mig-%s",
		 effort->name);
	out->npages = b->memory->npages;
	out->plan = calloc(out->npages ? out->npages : 1, 1);
	if (!out->plan)
		return err_sys(e, "map of the pages");
	ret = engine_init(&g, e);
	t = clock_wall_ns();
	if (ret == 0)
		ret = engine_loop(&g, e);
	if (ret == 0)
		ret = engine_complete(&g, e);
	if (ret == 0)
		engine_report(&g, clock_wall_ns() - t);
	engine_fini(&g);
	if (ret < 0)
		bench_tier_fini(out);
	return ret;
}
