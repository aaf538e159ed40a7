/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>

#include "sender/window.h"
#include "wire/message.h"

void
window_add(struct window *w, const struct encoding *x)
{
	struct window_frame *f = &w->frames[w->sent++ % WINDOW_FRAMES];

	assert(window_waiting(w) <= WINDOW_FRAMES);
	*f = (struct window_frame){ .range = encoding_range(x),
				    .digest = x->frame.digest,
				    .plain = x->plain };
	for (uint32_t i = 0; i < x->batch->npages; i++)
		f->plans[x->planned.codes[i]]++;
	if (!x->plain || (x->range.npages == 0 && x->range.nbytes == 0))
		return;
	assert(w->nagain < WINDOW_AGAIN);
	w->again[w->nagain++] = x->range;
}

const struct window_frame *
window_take(struct window *w, struct span body, struct err *e)
{
	uint32_t seq;

	if (message_get_u32(body, &seq, e) < 0)
		return NULL;
	if (w->acked == w->sent || seq != w->acked) {
		(void)err_set(e, ERR_PROTOCOL,
			      "word of frame %u, not of frame %u", seq,
			      w->acked);
		return NULL;
	}
	return &w->frames[w->acked++ % WINDOW_FRAMES];
}

int
window_refused(struct window *w, const struct window_frame *f, struct err *e)
{
	if (f->plain)
		return err_set(e, ERR_CORRUPT,
			       "the receiver cannot rebuild page %llu and "
			       "those after it, even from their words",
			       (unsigned long long)f->range.at.page);
	assert(w->nagain < WINDOW_AGAIN);
	w->again[w->nagain++] = f->range;
	return 0;
}
