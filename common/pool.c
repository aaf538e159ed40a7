/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/pool.h"

#define POOL_MAX 64

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;   /* a job was submitted, or stop was set */
	pthread_cond_t turned; /* .turn went up */
	pthread_cond_t done;   /* a job finished */
	struct pool_job *oldest, *newest, *next_start;
	uint64_t submitted;
	uint64_t turn; /* seq of the job whose turn it is */
	bool stop;
	int event_fd;
	struct event *event; /* of a loop that watches event_fd */
	void (*on_done)(void *arg);
	void *arg;
	unsigned nworkers;
	pthread_t threads[POOL_MAX];
	struct pool_worker {
		struct pool *pool;
		unsigned number;
	} workers[POOL_MAX];
};

static struct pool_job *
pool_next_job(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while (!p->next_start && !p->stop)
		pthread_cond_wait(&p->work, &p->lock);
	job = p->stop ? NULL : p->next_start;
	if (job)
		p->next_start = job->next;
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void
pool_wait_turn(struct pool *p, const struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	while (p->turn != job->seq)
		pthread_cond_wait(&p->turned, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void
pool_pass_turn(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->turn++;
	pthread_cond_broadcast(&p->turned);
	pthread_mutex_unlock(&p->lock);
}

static void
pool_finish(struct pool *p, struct pool_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	job->finished = 1;
	pthread_cond_signal(&p->done);
	pthread_mutex_unlock(&p->lock);
	while (write(p->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *
pool_work(void *arg)
{
	struct pool_worker *w = arg;
	struct pool *p = w->pool;
	struct pool_job *job;

	while ((job = pool_next_job(p))) {
		if (job->early)
			job->early(job, w->number);
		pool_wait_turn(p, job);
		if (job->turn)
			job->turn(job, w->number);
		pool_pass_turn(p);
		if (job->late)
			job->late(job, w->number);
		pool_finish(p, job);
	}
	return NULL;
}

struct pool *
pool_new(unsigned nworkers, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)err_sys(e, "pool");
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->turned, NULL);
	pthread_cond_init(&p->done, NULL);
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event_fd < 0) {
		(void)err_sys(e, "eventfd");
		pool_free(p);
		return NULL;
	}
	if (nworkers > POOL_MAX)
		nworkers = POOL_MAX;
	while (p->nworkers < nworkers) {
		struct pool_worker *w = &p->workers[p->nworkers];

		*w = (struct pool_worker){ p, p->nworkers };
		errno = pthread_create(&p->threads[p->nworkers], NULL,
				       pool_work, w);
		if (errno) {
			(void)err_sys(e, "starting a thread");
			pool_free(p);
			return NULL;
		}
		p->nworkers++;
	}
	return p;
}

void
pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nworkers; i++)
		pthread_join(p->threads[i], NULL);
	if (p->event)
		event_free(p->event);
	if (p->event_fd >= 0)
		close(p->event_fd);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->turned);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

unsigned
pool_nworkers(const struct pool *p)
{
	return p->nworkers;
}

static void
pool_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == sizeof(n))
		p->on_done(p->arg);
}

int
pool_watch(struct pool *p, struct event_base *loop, void (*on_done)(void *arg),
	   void *arg, struct err *e)
{
	p->on_done = on_done;
	p->arg = arg;
	p->event = event_new(loop, p->event_fd, EV_READ | EV_PERSIST,
			     pool_on_event, p);
	if (!p->event || event_add(p->event, NULL) < 0)
		return err_set(e, ERR_SYSTEM, "pool: out of memory");
	return 0;
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	job->next = NULL;
	job->finished = 0;
	job->seq = p->submitted++;
	if (p->newest)
		p->newest->next = job;
	else
		p->oldest = job;
	p->newest = job;
	if (!p->next_start)
		p->next_start = job;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

static struct pool_job *
pool_unlink_oldest(struct pool *p)
{
	struct pool_job *job = p->oldest;

	p->oldest = job->next;
	if (!p->oldest)
		p->newest = NULL;
	return job;
}

struct pool_job *
pool_take(struct pool *p)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->oldest && p->oldest->finished)
		job = pool_unlink_oldest(p);
	pthread_mutex_unlock(&p->lock);
	return job;
}

struct pool_job *
pool_wait(struct pool *p)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->oldest && !p->oldest->finished)
		pthread_cond_wait(&p->done, &p->lock);
	if (p->oldest)
		job = pool_unlink_oldest(p);
	pthread_mutex_unlock(&p->lock);
	return job;
}
