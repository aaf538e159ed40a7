/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "wire/message.h"
#include "wire/seal.h"

int
seal_init(struct seal *s, struct err *e)
{
	s->nframes = 0;
	return digest_stream_init(&s->chain, e);
}

void
seal_fini(struct seal *s)
{
	digest_stream_fini(&s->chain);
}

int
seal_add(struct seal *s, const struct digest *frame, struct err *e)
{
	s->nframes++;
	return digest_stream_update(&s->chain, frame->b, DIGEST_BYTES, e);
}

int
seal_put(struct buf *b, struct seal *s, struct err *e)
{
	struct digest d;
	size_t at;

	if (digest_stream_final(&s->chain, &d, e) < 0 ||
	    message_begin(b, MESSAGE_SEAL, &at, e) < 0 ||
	    buf_put_u32(b, s->nframes, e) < 0 ||
	    buf_put(b, d.b, DIGEST_BYTES, e) < 0)
		return -1;
	return message_end(b, at, e);
}

int
seal_check(struct span body, struct seal *ours, struct err *e)
{
	struct digest d, said;
	uint32_t nframes;

	if (span_get_u32(&body, &nframes, e) < 0 ||
	    span_get(&body, said.b, DIGEST_BYTES, e) < 0 ||
	    message_get_end(&body, e) < 0 ||
	    digest_stream_final(&ours->chain, &d, e) < 0)
		return -1;
	if (nframes != ours->nframes)
		return err_set(e, ERR_CORRUPT,
			       "the sender speaks of %u frames, %u came",
			       nframes, ours->nframes);
	if (memcmp(d.b, said.b, DIGEST_BYTES) != 0)
		return err_set(e, ERR_CORRUPT,
			       "the two ends do not agree on what was sent");
	return 0;
}
