/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <event2/event.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "common/pool.h"
#include "tests/test.h"

#define WORKERS 4
#define JOBS    400

/* Nothing here has a lock: whether the pool hands it over as it promises, the
 * build with a thread sanitizer tells.
 */
struct work {
	struct pool_job job; /* first */
	struct world *world;
	unsigned number, early_us, late_us;
	unsigned early, turn, late; /* how often each step ran */
};

struct world {
	struct work works[JOBS];
	unsigned turns[JOBS]; /* numbers, in the order of their turns */
	unsigned nturns;
	unsigned by_worker[WORKERS]; /* each its own */
};

static void
nap(unsigned us)
{
	const struct timespec t = { .tv_nsec = 1000 * (long)us };

	nanosleep(&t, NULL);
}

static void
work_early(struct pool_job *job, unsigned worker)
{
	struct work *w = (struct work *)job;

	assert(worker < WORKERS);
	w->world->by_worker[worker]++;
	nap(w->early_us);
	w->early++;
}

static void
work_turn(struct pool_job *job, unsigned worker)
{
	struct work *w = (struct work *)job;

	assert(worker < WORKERS);
	w->world->by_worker[worker]++;
	w->world->turns[w->world->nturns++] = w->number;
	w->turn++;
}

static void
work_late(struct pool_job *job, unsigned worker)
{
	struct work *w = (struct work *)job;

	assert(worker < WORKERS);
	w->world->by_worker[worker]++;
	nap(w->late_us);
	w->late++;
}

static struct world *
new_world(void)
{
	struct world *world = calloc(1, sizeof(*world));
	uint64_t seed = 3;

	for (unsigned i = 0; i < JOBS; i++) {
		struct work *w = &world->works[i];

		w->job.early = work_early;
		w->job.turn = work_turn;
		w->job.late = work_late;
		w->world = world;
		w->number = i;
		w->early_us = (unsigned)(test_random(&seed) % 300);
		w->late_us = (unsigned)(test_random(&seed) % 300);
	}
	return world;
}

static struct pool *
new_pool(unsigned nworkers)
{
	struct err e;
	struct pool *p = pool_new(nworkers, &e);

	if (!p)
		fail_msg("%s", e.text);
	return p;
}

static void
turns_and_results_come_in_order_of_submission(void **state)
{
	struct world *world = new_world();
	struct pool *p = new_pool(WORKERS);
	unsigned sum = 0;

	(void)state;
	assert_int_equal(pool_nworkers(p), WORKERS);
	for (unsigned i = 0; i < JOBS; i++)
		pool_submit(p, &world->works[i].job);
	for (unsigned i = 0; i < JOBS; i++) {
		struct work *w = (struct work *)pool_wait(p);

		assert_ptr_equal(w, &world->works[i]);
		assert_int_equal(w->early, 1);
		assert_int_equal(w->turn, 1);
		assert_int_equal(w->late, 1);
	}
	assert_null(pool_wait(p));
	pool_free(p);
	assert_int_equal(world->nturns, JOBS);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(world->turns[i], i);
	for (unsigned i = 0; i < WORKERS; i++)
		sum += world->by_worker[i];
	assert_int_equal(sum, 3 * JOBS);
	free(world);
}

static void
some_may_be_done(void *arg)
{
	*(bool *)arg = true;
}

/* A few jobs under way, each used again and again. */
static void
an_event_loop_takes_jobs(void **state)
{
	struct world *world = new_world();
	struct pool *p = new_pool(WORKERS);
	struct event_base *loop = event_base_new();
	unsigned given = 0, taken = 0;
	bool told = false;
	struct err e;

	(void)state;
	assert_int_equal(pool_watch(p, loop, some_may_be_done, &told, &e), 0);
	while (taken < JOBS) {
		struct pool_job *job;

		while (given < JOBS && given - taken < 6) {
			struct work *w = &world->works[given % 6];

			w->number = given++;
			pool_submit(p, &w->job);
		}
		assert_int_equal(event_base_loop(loop, EVLOOP_ONCE), 0);
		assert_true(told);
		told = false;
		while ((job = pool_take(p))) {
			struct work *w = (struct work *)job;

			assert_int_equal(w->number, taken);
			taken++;
			assert_int_equal(w->late, (taken + 5) / 6);
		}
	}
	assert_null(pool_take(p));
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(world->turns[i], i);
	pool_free(p);
	event_base_free(loop);
	free(world);
}

static sem_t begun, may_go_on;

static void
early_that_waits(struct pool_job *job, unsigned worker)
{
	(void)job, (void)worker;
	sem_wait(&may_go_on);
}

static void
early_that_tells(struct pool_job *job, unsigned worker)
{
	(void)job, (void)worker;
	sem_post(&begun);
}

/* The second is done with its early step, but its turn is not before the
 * first one's, and it is not given out.
 */
static void
a_slow_job_holds_up_those_behind_it(void **state)
{
	struct world *world = new_world();
	struct pool *p = new_pool(2);

	(void)state;
	sem_init(&begun, 0, 0);
	sem_init(&may_go_on, 0, 0);
	world->works[0].job.early = early_that_waits;
	world->works[1].job.early = early_that_tells;
	pool_submit(p, &world->works[0].job);
	pool_submit(p, &world->works[1].job);
	sem_wait(&begun);
	nap(10000);
	assert_null(pool_take(p));
	sem_post(&may_go_on);
	assert_ptr_equal(pool_wait(p), &world->works[0]);
	assert_ptr_equal(pool_wait(p), &world->works[1]);
	assert_int_equal(world->turns[0], 0);
	assert_int_equal(world->turns[1], 1);
	pool_free(p);
	free(world);
	sem_destroy(&begun);
	sem_destroy(&may_go_on);
}

static void
each_step_is_optional(void **state)
{
	struct world *world = new_world();
	struct pool *p = new_pool(WORKERS);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct work *w = &world->works[i];

		w->job.early = i & 1 ? work_early : NULL;
		w->job.turn = i & 2 ? work_turn : NULL;
		w->job.late = i & 4 ? work_late : NULL;
		pool_submit(p, &w->job);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct work *w = (struct work *)pool_wait(p);

		assert_int_equal(w->number, i);
		assert_int_equal(w->early, i & 1);
		assert_int_equal(w->turn, i >> 1 & 1);
		assert_int_equal(w->late, i >> 2);
	}
	pool_free(p);
	free(world);
}

/* What runs is finished, what has not begun is not touched; afterwards all of
 * it is the owner's again.
 */
static void
a_pool_can_be_freed_with_jobs_pending(void **state)
{
	unsigned pending = 0;

	(void)state;
	for (unsigned round = 0; round < 30; round++) {
		struct world *world = new_world();
		struct pool *p = new_pool(WORKERS);
		unsigned done = 0;

		for (unsigned i = 0; i < JOBS; i++)
			pool_submit(p, &world->works[i].job);
		nap(100 * round);
		pool_free(p);
		while (done < JOBS && world->works[done].late)
			done++;
		assert_int_equal(world->nturns, done);
		for (unsigned i = 0; i < JOBS; i++) {
			assert_int_equal(world->works[i].early, i < done);
			assert_int_equal(world->works[i].turn, i < done);
			assert_int_equal(world->works[i].late, i < done);
		}
		pending += JOBS - done;
		memset(world, 0xee, sizeof(*world));
		free(world);
	}
	assert_true(pending > 0);
}

static void
an_idle_pool_can_be_freed(void **state)
{
	(void)state;
	pool_free(NULL);
	pool_free(new_pool(1));
	for (unsigned i = 0; i < 20; i++)
		pool_free(new_pool(WORKERS));
}

static void
no_pool_has_more_workers_than_there_may_be(void **state)
{
	struct pool *p = new_pool(1000);

	(void)state;
	assert_int_equal(pool_nworkers(p), 64);
	pool_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_and_results_come_in_order_of_submission),
		cmocka_unit_test(an_event_loop_takes_jobs),
		cmocka_unit_test(a_slow_job_holds_up_those_behind_it),
		cmocka_unit_test(each_step_is_optional),
		cmocka_unit_test(a_pool_can_be_freed_with_jobs_pending),
		cmocka_unit_test(an_idle_pool_can_be_freed),
		cmocka_unit_test(no_pool_has_more_workers_than_there_may_be),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
