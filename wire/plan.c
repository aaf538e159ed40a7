/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/mem.h"
#include "wire/plan-impl.h"
#include "wire/plan.h"

const char *
plan_code_name(unsigned code)
{
	static const char *const names[PLAN__MAX] = {
		[PLAN_ZERO] = "zero", [PLAN_FILL] = "fill",
		[PLAN_FREE] = "free", [PLAN_REF] = "ref",
		[PLAN_MOVE] = "move", [PLAN_DELTA] = "delta",
		[PLAN_DATA] = "data", [PLAN_BYTES] = "bytes",
	};

	return code < PLAN__MAX ? names[code] : NULL;
}

const char *
plan_stream_name(unsigned stream)
{
	static const char *const names[STREAM__MAX] = {
		[STREAM_PLAN] = "plan",   [STREAM_RUN] = "run",
		[STREAM_JUMP] = "jump",   [STREAM_FILL] = "fill",
		[STREAM_MOVE] = "move",   [STREAM_SLOT] = "slot",
		[STREAM_MASK] = "mask",   [STREAM_WORD] = "word",
		[STREAM_COPY] = "copy",   [STREAM_FROM] = "from",
		[STREAM_DATA] = "data",   [STREAM_GAP] = "bytes",
		[STREAM_PLACE] = "place",
	};

	return stream < STREAM__MAX ? names[stream] : NULL;
}

bool
plan_is_guest_like(uint32_t guest_like, uint8_t base)
{
	return guest_like >> base & 1;
}

void
plan_cursor_move(struct plan_cursor *c, uint64_t own, struct plan_ref ref)
{
	c->base = ref.base;
	c->offset = (int64_t)(ref.page - own);
	c->next = ref.page + 1;
}

void
plan_moves_to_front(struct plan_moves *m, unsigned at, uint64_t by)
{
	if (at == m->n && m->n < PLAN_MOVES_KNOWN)
		m->n++;
	for (unsigned i = MIN(at, m->n - 1); i > 0; i--)
		m->by[i] = m->by[i - 1];
	m->by[0] = by;
}
