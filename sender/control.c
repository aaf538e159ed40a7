/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "sender/control.h"

/* Of a new measurement, how much enters the average. */
#define CONTROL_WEIGHT 0.2
/* A change must promise this much. */
#define CONTROL_GAIN  0.9
#define CONTROL_PROBE 32
/* Frames with fewer page words say little about a codec. */
#define CONTROL_SMALL 65536

/* What to expect before anything is measured: desktop memory on one core of
 * a 2 GHz server (CONTRIBUTING.md, "Measure").  Only the proportions matter:
 * the first measured frame says how fast this machine is.
 */
static const struct control_usual {
	const char *name;
	struct control_effort effort;
} usual[] = {
	{ "raw", { 1.00, 3000e6, 3000e6, false } },
	{ "lz4", { 0.29, 500e6, 1500e6, false } },
	{ "fast", { 0.20, 350e6, 700e6, false } },
	{ "middle", { 0.18, 200e6, 650e6, false } },
	{ "strong", { 0.15, 20e6, 80e6, false } },
	{ "max", { 0.14, 3e6, 80e6, false } },
};

#define CONTROL_FIRST "fast"

void
control_init(struct control *c, unsigned workers, const struct effort *pinned)
{
	*c = (struct control){ .workers = workers ? workers : 1, .pace = 1 };
	c->efforts = pinned ? pinned : effort_all(&c->nefforts);
	if (pinned)
		c->nefforts = 1;
	c->nefforts = MIN(c->nefforts, (size_t)CONTROL_EFFORTS);
	for (size_t i = 0; i < c->nefforts; i++)
		for (size_t k = 0; k < ARRAY_LEN(usual); k++)
			if (strcmp(c->efforts[i].name, usual[k].name) == 0)
				c->tiers[i] = usual[k].effort;
	for (size_t i = 0; i < c->nefforts; i++)
		if (strcmp(c->efforts[i].name, CONTROL_FIRST) == 0)
			c->current = i;
}

/* Seconds that a byte of page words takes: sending, encoding and decoding
 * overlap, so the slowest counts.
 */
static double
control_cost(const struct control *c, size_t i)
{
	const struct control_effort *t = &c->tiers[i];
	double pace = t->measured ? 1 : c->pace;
	double send = t->ratio / c->link;
	double encode = 1 / (t->encode * pace * c->workers);
	double decode = 1 / (t->decode * c->pace * c->workers);

	return MAX(send, MAX(encode, decode));
}

const struct effort *
control_choose(struct control *c)
{
	size_t best = c->current;

	c->frames++;
	if (c->link <= 0 || c->nefforts == 1)
		return &c->efforts[c->current];
	for (size_t i = 0; i < c->nefforts; i++)
		if (control_cost(c, i) < control_cost(c, best))
			best = i;
	if (control_cost(c, best) < CONTROL_GAIN * control_cost(c, c->current))
		c->current = best;
	if (c->frames % CONTROL_PROBE == 0) {
		bool up = c->frames / CONTROL_PROBE % 2;

		if (up && c->current + 1 < c->nefforts)
			return &c->efforts[c->current + 1];
		if (!up && c->current > 0)
			return &c->efforts[c->current - 1];
	}
	return &c->efforts[c->current];
}

static void
control_average(double *average, double sample, bool first)
{
	*average = first ? sample
			 : *average + CONTROL_WEIGHT * (sample - *average);
}

void
control_encoded(struct control *c, const struct effort *effort, uint64_t in,
		uint64_t out, uint64_t cpu_ns)
{
	struct control_effort *t;
	double speed = (double)in * 1e9 / (double)(cpu_ns + 1);

	if (in < CONTROL_SMALL)
		return;
	for (size_t i = 0; i < c->nefforts; i++) {
		if (&c->efforts[i] != effort)
			continue;
		t = &c->tiers[i];
		if (!t->measured && t->encode > 0)
			control_average(&c->pace, speed / t->encode,
					c->frames <= 1);
		control_average(&t->encode, speed, !t->measured);
		control_average(&t->ratio, (double)out / (double)in,
				!t->measured);
		t->measured = true;
	}
}

void
control_delivered(struct control *c, uint64_t bytes, uint64_t ns, bool starved)
{
	double rate = (double)bytes * 1e9 / (double)(ns + 1);

	/* What a link delivered while it starved is a lower bound; go up from
	 * it boldly, the next busy stretch will tell.
	 */
	if (starved)
		rate = MAX(c->link, 1.5 * rate);
	control_average(&c->link, rate, c->link <= 0);
}
