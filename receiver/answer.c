/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/pool.h"
#include "dedup/finder.h"
#include "receiver/answer.h"
#include "wire/query.h"

/* One query.  The worker's while it is in the pool, else the loop's. */
struct answer {
	struct pool_job job; /* first: a pool_job of ours is an answer */
	struct answerer *answerer;
	struct fingerprint fps[QUERY_MAX];
	struct plan_ref refs[QUERY_MAX];
	size_t n;
	struct err err;
};

struct answerer {
	struct answerer_config config;
	struct finder *finder; /* the worker's, made for the first query */
	struct pool *pool;
	struct answer *slots;
	size_t asked, answered; /* slot of query n: n % QUERY_WINDOW */
};

static int
answer_find(struct answer *x, struct err *e)
{
	struct answerer *a = x->answerer;

	if (!a->finder)
		a->finder = finder_new(a->config.bases, a->config.nbases, e);
	if (!a->finder ||
	    keyed_open(a->config.key, x->fps, x->n, x->fps, e) < 0)
		return -1;
	finder_find(a->finder, x->fps, x->n, x->refs);
	return 0;
}

static void
answer_run(struct pool_job *job, unsigned worker)
{
	struct answer *x = (struct answer *)job;

	(void)worker;
	x->err.code = ERR_NONE;
	(void)answer_find(x, &x->err);
}

static void
answerer_on_ready(void *arg)
{
	struct answerer *a = arg;
	struct pool_job *job;

	while ((job = pool_take(a->pool))) {
		struct answer *x = (struct answer *)job;

		a->answered++;
		a->config.answered(a->config.arg, x->refs, x->n,
				   x->err.code == ERR_NONE ? NULL : &x->err);
		if (x->err.code != ERR_NONE)
			return;
	}
}

struct answerer *
answerer_new(const struct answerer_config *c, struct err *e)
{
	struct answerer *a = calloc(1, sizeof(*a));

	if (!a) {
		(void)err_sys(e, "answers");
		return NULL;
	}
	a->config = *c;
	a->slots = calloc(QUERY_WINDOW, sizeof(*a->slots));
	a->pool = pool_new(1, e);
	if (!a->slots)
		(void)err_set(e, ERR_SYSTEM, "answers: out of memory");
	if (a->slots && a->pool &&
	    pool_watch(a->pool, c->loop, answerer_on_ready, a, e) == 0)
		return a;
	answerer_free(a);
	return NULL;
}

void
answerer_free(struct answerer *a)
{
	if (!a)
		return;
	pool_free(a->pool);
	finder_free(a->finder);
	free(a->slots);
	free(a);
}

int
answerer_ask(struct answerer *a, struct span body, struct err *e)
{
	struct answer *x = &a->slots[a->asked % QUERY_WINDOW];

	if (a->asked - a->answered == QUERY_WINDOW)
		return err_set(e, ERR_PROTOCOL,
			       "more than %d queries at a time", QUERY_WINDOW);
	if (query_get(body, x->fps, &x->n, e) < 0)
		return -1;
	a->asked++;
	x->answerer = a;
	x->job.early = answer_run;
	pool_submit(a->pool, &x->job);
	return 0;
}
