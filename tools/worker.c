/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "memory/shadow.h"
#include "tools/report.h"
#include "tools/worker.h"

static void
job_names(struct worker_job *job)
{
	json_t *allow = json_object_get(job->parcel.body, "allow"), *name;
	size_t i;

	json_array_foreach(allow, i, name)
	{
		const char *text = json_string_value(name);

		if (text && job->names.n < ARRAY_LEN(job->allow))
			job->allow[job->names.n++] = text;
	}
	job->names.at = job->allow;
}

static int
job_role(struct worker_job *job, struct err *e)
{
	const char *role = parcel_text(&job->parcel, "role");

	if (strcmp(role, "send") == 0)
		job->role = WORKER_SEND;
	else if (strcmp(role, "receive") == 0)
		job->role = WORKER_RECEIVE;
	else if (strcmp(role, "answer") == 0)
		job->role = WORKER_ANSWER;
	else
		return err_set(e, ERR_PROTOCOL, "not a job");
	return 0;
}

int
worker_get_job(struct worker_job *job, struct err *e)
{
	struct parcel *p = &job->parcel;
	json_t *body;

	if (parcel_receive(WORKER_FD, p, e) <= 0)
		return err_set(e, ERR_USAGE,
			       "virt-migd starts this program, with a job");
	if (job_role(job, e) < 0)
		return -1;
	body = p->body;
	job->host = parcel_text(p, "host");
	job->tls_dir = json_string_value(json_object_get(body, "tls_dir"));
	job->root = parcel_text(p, "root");
	job->plain = json_is_true(json_object_get(body, "plain"));
	job->keep = json_is_true(json_object_get(body, "keep"));
	job->uid = (unsigned)parcel_number(p, "uid");
	job->gid = (unsigned)parcel_number(p, "gid");
	job->threads = (unsigned)parcel_number(p, "threads");
	job->reconnect_ms = (unsigned)parcel_number(p, "reconnect_ms");
	job->rate = parcel_number(p, "rate");
	job->room = shadow_room();
	job_names(job);
	job->socket = parcel_take_fd(p, 0);
	job->shadow = job->role == WORKER_ANSWER ? -1 : parcel_take_fd(p, 1);
	return 0;
}

/* A base that cannot be used costs bytes; the migration goes on. */
static void
held_or_not(struct worker *w, int ret, const struct err *why)
{
	if (ret == 0)
		w->nheld++;
	else
		fprintf(stderr, "virt-mig-session: %s\n", why->text);
}

static bool
has_room(const struct worker *w)
{
	return w->nheld < ARRAY_LEN(w->held);
}

/* What is made from the images comes behind all of them. */
struct lent_programs {
	size_t image; /* in held */
	int fd;
};

/* Returns of how many images there are programs. */
static size_t
open_images(struct worker *w, size_t at, struct lent_programs *programs)
{
	struct parcel *p = &w->job.parcel;
	json_t *images = json_object_get(p->body, "images"), *image;
	size_t i, nprograms = 0;
	struct err why;

	json_array_foreach(images, i, image)
	{
		int disk = parcel_take_fd(p, at++);
		int index = parcel_take_fd(p, at++), more = -1;
		const char *name = NULL, *format = NULL;
		size_t before = w->nheld;

		if (json_is_true(json_object_get(image, "programs")))
			more = parcel_take_fd(p, at++);
		if (json_unpack(image, "{s:s, s:s}", "name", &name, "format",
				&format) < 0 ||
		    disk < 0 || index < 0 || !has_room(w))
			continue;
		held_or_not(w,
			    held_take_image(&w->held[w->nheld], name, format,
					    disk, index, &why),
			    &why);
		if (more >= 0 && w->nheld > before)
			programs[nprograms++] =
				(struct lent_programs){ before, more };
		else if (more >= 0)
			close(more);
	}
	return nprograms;
}

static void
open_programs(struct worker *w, const struct lent_programs *programs, size_t n)
{
	struct err why;

	for (size_t i = 0; i < n; i++)
		if (has_room(w))
			held_or_not(
				w,
				held_take_programs(&w->held[w->nheld],
						   &w->held[programs[i].image],
						   programs[i].fd, &why),
				&why);
		else
			close(programs[i].fd);
}

static void
open_kernels(struct worker *w, size_t nimages)
{
	struct err ignored;

	for (size_t i = 0; i < nimages; i++) {
		if (w->held[i].base.kind != BASE_IMAGE)
			continue;
		for (size_t k = 0; k < held_kernels(&w->held[i]); k++)
			if (has_room(w) &&
			    held_open_kernel(&w->held[w->nheld], &w->held[i], k,
					     &ignored) == 0)
				w->nheld++;
	}
}

void
worker_open_held(struct worker *w)
{
	struct parcel *p = &w->job.parcel;
	bool kept = json_is_true(json_object_get(p->body, "kept"));
	struct lent_programs programs[ARRAY_LEN(w->held)];
	size_t nprograms, at = 2;
	struct err why;

	if (kept)
		held_or_not(w,
			    held_take_memory(&w->held[0], "kept memory",
					     parcel_take_fd(p, at++), &why),
			    &why);
	nprograms = open_images(w, at, programs);
	open_kernels(w, w->nheld);
	open_programs(w, programs, nprograms);
}

void
worker_close_held(struct worker *w)
{
	/* Kernels come after the images that they were made from. */
	while (w->nheld > 0)
		held_close(&w->held[--w->nheld]);
}

void
worker_say(struct worker *w, json_t *body)
{
	struct err e;

	if (parcel_send(WORKER_FD, body, NULL, 0, &e) < 0)
		fprintf(stderr, "virt-mig-session: %s\n", e.text);
	(void)w;
}

void
worker_say_end(struct worker *w, const struct err *why)
{
	const struct err none = { .code = ERR_NONE };
	json_t *end = report_end(why ? why : &none);

	if (w->report)
		json_object_update_missing_new(end, w->report(w));
	worker_say(w, end);
}

void
worker_refusal(const struct parcel *p, struct err *why)
{
	report_get_end(p->body, why);
	if (why->code == ERR_NONE)
		err_fill(why, ERR_SYSTEM, "virt-migd gave nothing");
}

void
worker_end(struct worker *w, const struct err *why)
{
	w->over = true;
	w->why = *why;
	event_base_loopbreak(w->base);
}

/* Without its monitor a session has nobody to end it any more: it ends by
 * itself, where that cannot cost a VM; the role decides.
 */
static void
worker_hear(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct err e = { .code = ERR_NONE };
	struct parcel p;
	int ret = parcel_receive(fd, &p, &e);

	(void)what;
	if (ret <= 0) {
		event_del(w->parcels);
		err_fill(&e, ERR_CANCELLED, "virt-migd's monitor is gone");
		w->cancel(w, &e);
		return;
	}
	if (strcmp(parcel_text(&p, "do"), "cancel") == 0) {
		err_fill(&e, ERR_CANCELLED, "cancelled");
		w->cancel(w, &e);
	} else {
		w->on_parcel(w, &p);
	}
	parcel_free(&p);
}

static void
worker_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->on_tick(w);
	if (!w->over && ++w->ticks % WORKER_STATUS == 0) {
		json_t *body = w->report(w);

		json_object_set_new(body, "say", json_string("status"));
		worker_say(w, body);
	}
}

int
worker_loop(struct worker *w, struct err *e)
{
	const struct timeval each = { .tv_usec = WORKER_TICK_MS * 1000 };

	w->parcels = event_new(w->base, WORKER_FD, EV_READ | EV_PERSIST,
			       worker_hear, w);
	w->tick = event_new(w->base, -1, EV_PERSIST, worker_on_tick, w);
	if (!w->parcels || !w->tick || event_add(w->parcels, NULL) < 0 ||
	    event_add(w->tick, &each) < 0)
		return err_set(e, ERR_SYSTEM, "no event loop");
	while (!w->over)
		if (event_base_loop(w->base, 0) < 0)
			return err_set(e, ERR_SYSTEM, "the event loop failed");
	*e = w->why;
	return w->why.code == ERR_NONE ? 0 : -1;
}
