/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "sender/control.h"

/* Of a new measurement, how much enters the average. */
#define CONTROL_WEIGHT 0.2
/* So much slower than the fastest is fast enough for fewer bytes, */
#define CONTROL_AS_FAST 1.1
/* and as much is a reason to change. */
#define CONTROL_SLOWER 1.2
#define CONTROL_PROBE  32
/* What is worth trying: a cost of at most so many times the present one. */
#define CONTROL_NEAR 2.0
/* Figures older than so many frames are of other data. */
#define CONTROL_OLD 256
/* How often the link is looked at, */
#define CONTROL_LOOK_NS 100000000u
/* and what is believed of it each time that it starved. */
#define CONTROL_FASTER 1.5
#define CONTROL_CREEP  1.05
/* Frames with fewer page words say little about a codec. */
#define CONTROL_SMALL 65536

/* What to expect before anything is measured: desktop memory on one core of
 * an EPYC of 2024 (CONTRIBUTING.md, "Measure").  Only the proportions matter:
 * the first measured frame says how fast this machine is.
 */
static const struct control_usual {
	const char *name;
	struct control_effort effort;
} usual[] = {
	{ "raw", { 1.00, 2500e6, 3000e6, 0.4, 0 } },
	{ "lz4", { 0.29, 780e6, 1200e6, 0.4, 0 } },
	{ "fast", { 0.19, 600e6, 900e6, 1.0, 0 } },
	{ "middle", { 0.15, 150e6, 230e6, 1.5, 0 } },
	{ "strong", { 0.14, 88e6, 230e6, 1.5, 0 } },
	{ "max", { 0.13, 8e6, 140e6, 1.5, 0 } },
};

#define CONTROL_FIRST "fast"

void
control_init(struct control *c, unsigned workers, const struct effort *pinned)
{
	*c = (struct control){ .workers = workers ? workers : 1 };
	c->efforts = pinned ? pinned : effort_all(&c->nefforts);
	if (pinned)
		c->nefforts = 1;
	c->nefforts = MIN(c->nefforts, (size_t)CONTROL_EFFORTS);
	for (size_t i = 0; i < c->nefforts; i++)
		for (size_t k = 0; k < ARRAY_LEN(usual); k++)
			if (strcmp(c->efforts[i].name, usual[k].name) == 0)
				c->usual[i] = c->tiers[i] = usual[k].effort;
	for (size_t i = 0; i < c->nefforts; i++)
		if (strcmp(c->efforts[i].name, CONTROL_FIRST) == 0)
			c->current = i;
}

void
control_assume(struct control *c, double link)
{
	c->link = link;
}

/* What to expect of an effort: what was measured, or where that is missing or
 * old, the usual figures in proportion to those of the present effort, on
 * this data and this machine.
 */
static struct control_effort
control_expect(const struct control *c, size_t i)
{
	const struct control_effort *now = &c->tiers[c->current];
	const struct control_effort *was = &c->usual[c->current];
	struct control_effort t = c->tiers[i];
	double pace = now->encode / was->encode;

	if (i == c->current || (t.frame && c->frames - t.frame < CONTROL_OLD))
		return t;
	t.ratio = MIN(c->usual[i].ratio * now->ratio / was->ratio, 1.0);
	t.encode = c->usual[i].encode * MIN(pace, 2.0);
	return t;
}

/* Seconds that a byte of page words takes: sending, planning (one frame at a
 * time), the workers' planning and encoding, and decoding overlap, so the
 * slowest counts.
 */
static double
control_cost(const struct control *c, size_t i)
{
	struct control_effort t = control_expect(c, i);
	double send = t.ratio / c->link;
	double plan = c->plan * t.plan;
	double work = (plan + 1 / t.encode) / c->workers;
	double decode = 1 / (t.decode * c->workers);

	return MAX(MAX(send, plan), MAX(work, decode));
}

/* A neighbour of the present effort, now the stronger, now the weaker one. */
static size_t
control_neighbour(const struct control *c)
{
	bool up = c->frames / CONTROL_PROBE % 2;

	if (up && c->current + 1 < c->nefforts)
		return c->current + 1;
	return !up && c->current > 0 ? c->current - 1 : c->current;
}

/* The strongest effort that is about as fast as the fastest. */
static size_t
control_best(const struct control *c)
{
	double least = control_cost(c, c->current);
	size_t best = c->current;

	for (size_t i = 0; i < c->nefforts; i++)
		least = MIN(least, control_cost(c, i));
	for (size_t i = 0; i < c->nefforts; i++)
		if (control_cost(c, i) <= CONTROL_AS_FAST * least)
			best = i;
	return best > c->current || control_cost(c, c->current) >
					    CONTROL_SLOWER * least
		       ? best
		       : c->current;
}

const struct effort *
control_choose(struct control *c)
{
	size_t next;

	c->frames++;
	if (c->link <= 0 || c->nefforts == 1)
		return &c->efforts[c->current];
	c->current = control_best(c);
	next = control_neighbour(c);
	if (c->frames % CONTROL_PROBE == 0 &&
	    control_cost(c, next) < CONTROL_NEAR * control_cost(c, c->current))
		return &c->efforts[next];
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
		uint64_t out, uint64_t plan_ns, uint64_t encode_ns)
{
	struct control_effort *t;
	double speed = (double)in * 1e9 / (double)(encode_ns + 1);

	if (in < CONTROL_SMALL || c->nefforts == 1)
		return;
	for (size_t i = 0; i < c->nefforts; i++) {
		if (&c->efforts[i] != effort)
			continue;
		t = &c->tiers[i];
		control_average(&c->plan,
				(double)plan_ns / 1e9 / (double)in / t->plan,
				c->plan <= 0);
		control_average(&t->encode, speed, t->frame == 0);
		control_average(&t->ratio, (double)out / (double)in,
				t->frame == 0);
		t->frame = c->frames;
	}
}

void
control_delivered(struct control *c, uint64_t bytes, uint64_t ns, bool starved)
{
	double rate = (double)bytes * 1e9 / (double)(ns + 1);

	/* What a link delivered while it starved is a lower bound.  How fast it
	 * is shows when it has enough to do: so believe in more, fast until
	 * that was measured, slowly from then on.
	 */
	if (starved && !c->was_busy)
		c->link = MAX(CONTROL_FASTER * c->link, rate);
	else if (starved)
		control_average(&c->link,
				MAX(CONTROL_CREEP * c->link, 1.5 * rate),
				false);
	else
		control_average(&c->link, rate, !c->was_busy);
	c->was_busy |= !starved;
}

void
control_look(struct control *c, uint64_t sent, bool starves, uint64_t now_ns)
{
	c->starved |= starves;
	if (c->look_ns && now_ns - c->look_ns < CONTROL_LOOK_NS)
		return;
	if (c->look_ns && sent > c->look_sent)
		control_delivered(c, sent - c->look_sent, now_ns - c->look_ns,
				  c->starved);
	c->look_ns = now_ns;
	c->look_sent = sent;
	c->starved = false;
}
