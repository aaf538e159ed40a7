/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/mem.h"
#include "sender/flow.h"

#define FLOW_SAMPLE_NS 50000000ull
#define FLOW_BASE_NS   3000000000ull /* how long a base_ns lasts */
#define FLOW_BASE_MAX  200000000ull
/* Of the new sample in the average. */
#define FLOW_WEIGHT 0.4
/* More than the rate asks for, so that it can be found to be higher. */
#define FLOW_PROBE 1.25

void
flow_taken(struct flow *f, uint64_t taken, uint64_t now_ns)
{
	uint64_t ns = now_ns - f->since_ns;
	double sample;

	if (f->since_ns == 0) {
		f->since_ns = now_ns;
		f->since_taken = taken;
		return;
	}
	if (ns < FLOW_SAMPLE_NS)
		return;
	sample = (double)(taken - f->since_taken) * 1e9 / (double)ns;
	/* What was not held back could have been more: it bounds from below. */
	if (f->blocked && f->rate > 0)
		f->rate += FLOW_WEIGHT * (sample - f->rate);
	else
		f->rate = MAX(f->rate, sample);
	f->blocked = false;
	f->since_ns = now_ns;
	f->since_taken = taken;
}

void
flow_passed(struct flow *f, uint64_t ns, uint64_t now_ns)
{
	if (f->least_ns == 0 || ns < f->least_ns)
		f->least_ns = ns;
	if (f->base_ns == 0 || ns < f->base_ns)
		f->base_ns = ns;
	if (now_ns - f->base_since < FLOW_BASE_NS)
		return;
	f->base_ns = f->least_ns;
	f->least_ns = 0;
	f->base_since = now_ns;
}

void
flow_blocked(struct flow *f)
{
	f->blocked = true;
}

uint64_t
flow_limit(const struct flow *f)
{
	uint64_t ns =
		FLOW_MS * 1000000ull + MIN(f->base_ns, (uint64_t)FLOW_BASE_MAX);
	double limit = f->rate * FLOW_PROBE * (double)ns / 1e9;

	if (limit <= FLOW_MIN)
		return FLOW_MIN;
	return limit >= FLOW_MAX ? FLOW_MAX : (uint64_t)limit;
}
