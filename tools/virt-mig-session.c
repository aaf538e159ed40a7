/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/sandbox.h"
#include "tools/worker.h"

#define THREADS_MAX 8

static struct event_base *
loop_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

static unsigned
threads(unsigned wanted)
{
	cpu_set_t set;

	if (wanted > 0)
		return wanted;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return MIN((unsigned)MAX(CPU_COUNT(&set), 1), THREADS_MAX);
}

/* What only root can do; then root is left behind. */
static int
prepare(struct worker *w, struct err *e)
{
	struct worker_job *job = &w->job;

	job->threads = threads(job->threads);
	/* Inside, it could not make the pipe that it keeps for signals. */
	w->base = loop_base();
	if (!w->base)
		return err_set(e, ERR_SYSTEM, "no event loop");
	if (!job->plain) {
		w->tls = tls_open(job->role == WORKER_SEND ? TLS_CLIENT
							   : TLS_SERVER,
				  job->tls_dir, e);
		if (!w->tls)
			return -1;
		if (job->names.n > 0 && job->role != WORKER_SEND)
			tls_allow(w->tls, &job->names);
	}
	return sandbox_enter(job->uid, job->gid, job->root, e);
}

static int
work(struct worker *w, struct err *e)
{
	int socket = w->job.socket;

	if (w->job.role == WORKER_ANSWER) {
		w->job.socket = -1;
		return probe_answer(w, socket, e);
	}
	worker_open_held(w);
	return w->job.role == WORKER_SEND ? worker_send(w, e)
					  : worker_receive(w, e);
}

int
main(void)
{
	static struct worker w;
	struct err e = { .code = ERR_NONE };
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = worker_get_job(&w.job, &e);
	if (ret < 0) {
		fprintf(stderr, "virt-mig-session: %s\n", e.text);
		return err_exit_status(&e);
	}
	ret = prepare(&w, &e);
	if (ret == 0)
		ret = work(&w, &e);
	/* The roles have said how it went, if they came so far. */
	if (!w.state)
		worker_say_end(&w, &e);
	worker_close_held(&w);
	if (w.parcels)
		event_free(w.parcels);
	if (w.tick)
		event_free(w.tick);
	if (w.base)
		event_base_free(w.base);
	tls_close(w.tls);
	parcel_free(&w.job.parcel);
	return ret == 0 ? 0 : err_exit_status(&e);
}
