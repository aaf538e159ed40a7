/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "common/clock.h"
#include "common/mem.h"
#include "receiver/decode.h"

struct decoder {
	const struct base *bases;
	size_t nbases;
	unsigned nworkers;
	struct codec_set **codecs; /* one for each worker */
	bool waits; /* for a bad frame to come again; of the turns */
};

struct decoder *
decoder_new(const struct base *bases, size_t nbases, unsigned nworkers,
	    struct err *e)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d) {
		(void)err_sys(e, "decoder");
		return NULL;
	}
	*d = (struct decoder){ .bases = bases,
			       .nbases = nbases,
			       .nworkers = nworkers,
			       .codecs = codec_sets_new(nworkers, e) };
	if (d->codecs)
		return d;
	decoder_free(d);
	return NULL;
}

void
decoder_free(struct decoder *d)
{
	if (!d)
		return;
	codec_sets_free(d->codecs, d->nworkers);
	free(d);
}

struct decoding *
decoding_new(struct decoder *d, struct err *e)
{
	struct decoding *x = calloc(1, sizeof(*x));

	if (x)
		x->rebuild.items =
			calloc(REBUILD_ITEMS_MAX, sizeof(*x->rebuild.items));
	if (!x || !x->rebuild.items) {
		(void)err_sys(e, "decoding");
		free(x);
		return NULL;
	}
	x->decoder = d;
	x->rebuild.bases = d->bases;
	x->rebuild.nbases = d->nbases;
	return x;
}

void
decoding_free(struct decoding *x)
{
	if (!x)
		return;
	free(x->rebuild.items);
	free(x->raw);
	free(x);
}

/* frame_get() has bounded the sum. */
static int
decode_room(struct decoding *x, struct err *e)
{
	size_t need = 0;

	for (unsigned i = 0; i < STREAM__MAX; i++)
		need += x->frame.streams[i].raw_len;
	if (need <= x->raw_cap)
		return 0;
	free(x->raw);
	x->raw_cap = need;
	x->raw = malloc(need);
	if (x->raw)
		return 0;
	x->raw_cap = 0;
	return err_sys(e, "frame of %zu bytes", need);
}

static int
decode_streams(struct decoding *x, struct codec_set *codecs, struct err *e)
{
	uint8_t *at;

	if (frame_get(x->coded, &x->frame, e) < 0 || decode_room(x, e) < 0)
		return -1;
	at = x->raw;
	for (unsigned i = 0; i < STREAM__MAX; i++) {
		const struct frame_stream *s = &x->frame.streams[i];

		x->streams[i] = span_of(at, s->raw_len);
		if (s->raw_len == 0)
			continue;
		if (codec_decode(codecs, s->codec, s->coded, s->coded_len, at,
				 s->raw_len, e) < 0)
			return err_prefix(e, "stream %s", plan_stream_name(i));
		at += s->raw_len;
	}
	return 0;
}

static void
decode_unpack(struct pool_job *job, unsigned worker)
{
	struct decoding *x = (struct decoding *)job;
	uint64_t t = clock_cpu_ns();

	x->failed = decode_streams(x, x->decoder->codecs[worker], &x->err) < 0;
	x->unpack_ns = clock_cpu_ns() - t;
}

static void
decode_rebuild(struct pool_job *job, unsigned worker)
{
	struct decoding *x = (struct decoding *)job;
	uint64_t t = clock_cpu_ns();

	(void)worker;
	if (x->failed)
		return;
	x->good =
		rebuild_frame(&x->rebuild, &x->frame, x->streams, &x->err) == 0;
	x->rebuild_ns = clock_cpu_ns() - t;
}

/* What stands before a framed page. */
static int
decode_digest_head(struct frame_digest *d, const struct rebuild_item *it,
		   struct err *e)
{
	return frame_digest_head(d, it->number, it->head, it->head_len, e);
}

/* Gives the digest some pages, hashed together, and what stands after them. */
static int
decode_digest_batch(struct frame_digest *d, const struct rebuild_item *items,
		    size_t n, bool framed, struct err *e)
{
	const uint8_t *pages[64];
	struct fingerprint fps[64];
	size_t npages = 0, used = 0;

	for (size_t i = 0; i < n; i++)
		if (items[i].at && items[i].nbytes == 0)
			pages[npages++] = items[i].at;
	if (fingerprint_pages(pages, npages, fps, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct rebuild_item *it = &items[i];
		int ret = 0;

		if (framed && it->nbytes == 0 &&
		    decode_digest_head(d, it, e) < 0)
			return -1;
		if (!it->at)
			ret = frame_digest_fill(d, it->fill, e);
		else if (it->nbytes > 0)
			ret = frame_digest_bytes(d, it->at, it->nbytes, e);
		else
			ret = frame_digest_page(d, &fps[used++], e);
		if (ret < 0)
			return -1;
	}
	return 0;
}

static int
decode_digest_items(const struct rebuild *r, struct frame_digest *d,
		    struct digest *out, struct err *e)
{
	for (size_t i = 0; i < r->nitems; i += 64)
		if (decode_digest_batch(d, r->items + i,
					MIN(r->nitems - i, (size_t)64),
					rebuild_is_framed(r), e) < 0)
			return -1;
	return frame_digest_final(d, out, e);
}

static int
decode_digest(const struct decoding *x, struct digest *out, struct err *e)
{
	struct frame_digest d;
	int ret;

	if (frame_digest_init(&d, x->frame.first_page, x->frame.first_byte, e) <
	    0)
		return -1;
	ret = decode_digest_items(&x->rebuild, &d, out, e);
	frame_digest_fini(&d);
	return ret;
}

static void
decode_check(struct pool_job *job, unsigned worker)
{
	struct decoding *x = (struct decoding *)job;
	uint64_t t = clock_cpu_ns();
	struct digest digest;

	(void)worker;
	if (x->failed || !x->good)
		return;
	x->failed = decode_digest(x, &digest, &x->err) < 0;
	x->good = !x->failed &&
		  memcmp(digest.b, x->frame.digest.b, DIGEST_BYTES) == 0;
	x->digest_ns = clock_cpu_ns() - t;
}

/* A framed frame: all of it in the turn. */
static void
decode_framed(struct pool_job *job, unsigned worker)
{
	struct decoding *x = (struct decoding *)job;
	struct decoder *d = x->decoder;

	x->held = d->waits && !x->again;
	if (x->failed || x->held)
		return;
	decode_rebuild(job, worker);
	decode_check(job, worker);
	d->waits = !x->good;
}

void
decoding_begin(struct decoding *x, struct span frame,
	       const struct rebuild_target *target)
{
	x->job.early = decode_unpack;
	x->job.turn = decode_rebuild;
	x->job.late = decode_check;
	x->coded = frame;
	x->rebuild.target = *target;
	x->failed = false;
	x->good = false;
	x->again = false;
	x->held = false;
	x->err.code = ERR_NONE;
	x->unpack_ns = x->rebuild_ns = x->digest_ns = 0;
}

void
decoding_begin_framed(struct decoding *x, struct span frame,
		      const struct rebuild_target *target, bool again)
{
	decoding_begin(x, frame, target);
	x->job.turn = decode_framed;
	x->job.late = NULL;
	x->again = again;
}
