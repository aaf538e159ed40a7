/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/control.h"
#include "tools/migrate.h"
#include "tools/report.h"
#include "wire/message.h"

#define STEP_MS 200
#define LAST_MS 5000 /* for the session to say how it went */

/* libvirt's call waits for as long as the migration takes; it does so on a
 * thread of its own, while this one shows how it goes and can end it.
 */
struct run {
	const struct migrate_wish *wish;
	struct migrate_place place;
	struct progress progress;
	json_t *status;
	pthread_t thread;
	int done_fd;
	bool done; /* the call has returned */
	int ret;
	char failure[200];
	uint64_t began_ns, passes;
	bool timed_out, aborted, switched;
	bool session_ended;
};

static int
add_params(const struct run *r, virTypedParameterPtr *params, int *n)
{
	const struct migrate_wish *w = r->wish;
	char uri[128];
	int max = 0, bad = 0;
	const struct {
		const char *name, *value;
	} texts[] = {
		{ VIR_MIGRATE_PARAM_URI, uri },
		{ VIR_MIGRATE_PARAM_DISKS_URI, w->disks_uri },
		{ VIR_MIGRATE_PARAM_MIGRATE_DISKS, w->migrate_disks },
		{ VIR_MIGRATE_PARAM_DEST_NAME, w->dname },
		{ VIR_MIGRATE_PARAM_DEST_XML, w->xml },
		{ VIR_MIGRATE_PARAM_PERSIST_XML, w->persistent_xml },
	};
	const struct {
		const char *name;
		unsigned value;
	} numbers[] = {
		{ VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, w->connections },
		{ VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL,
		  w->auto_converge_initial },
		{ VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT,
		  w->auto_converge_increment },
	};

	snprintf(uri, sizeof(uri), "unix://%s", r->place.path);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].value)
			bad |= virTypedParamsAddString(
				params, n, &max, texts[i].name, texts[i].value);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].value)
			bad |= virTypedParamsAddInt(params, n, &max,
						    numbers[i].name,
						    (int)numbers[i].value);
	if (w->switchover)
		bad |= virTypedParamsAddULLong(params, n, &max,
					       MIGRATE_PARAM_SWITCHOVER,
					       w->switchover);
	return bad;
}

static void *
run_thread(void *arg)
{
	struct run *r = arg;
	virTypedParameterPtr params = NULL;
	const char *why;
	uint64_t one = 1;
	int n = 0;

	r->ret = add_params(r, &params, &n);
	if (r->ret == 0)
		r->ret = virDomainMigrateToURI3(r->place.dom, r->wish->to,
						params, (unsigned)n,
						r->wish->flags);
	why = r->ret < 0 ? virGetLastErrorMessage() : NULL;
	snprintf(r->failure, sizeof(r->failure), "%.190s",
		 why ? why : "failed");
	message_make_printable(r->failure); /* QEMU's may have many lines */
	virTypedParamsFree(params, n);
	(void)!write(r->done_fd, &one, sizeof(one));
	return NULL;
}

/* ---- what the session says */

static void
run_hear(struct run *r)
{
	struct parcel p;
	struct err e;

	if (parcel_receive(r->place.control, &p, &e) <= 0) {
		close(r->place.control);
		r->place.control = -1;
		r->session_ended = true;
		return;
	}
	r->session_ended |= strcmp(parcel_text(&p, "say"), "end") == 0;
	json_decref(r->status);
	r->status = json_incref(p.body);
	parcel_free(&p);
}

static uint64_t
number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : (uint64_t)n;
}

/* Which round through the guest's memory QEMU is in. */
static void
run_get_pass(struct run *r)
{
	virTypedParameterPtr params = NULL;
	unsigned long long pass;
	int type, n = 0;

	if (virDomainGetJobStats(r->place.dom, &type, &params, &n, 0) == 0 &&
	    virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_MEMORY_ITERATION,
				    &pass) == 1)
		r->passes = MAX(r->passes, (uint64_t)pass);
	virTypedParamsFree(params, n);
}

/* What QEMU measured from when the guest stopped here until it went on there.
 * libvirt keeps it here as long as it knows the VM.
 */
static void
run_get_downtime(const struct run *r, struct migrate_result *result)
{
	virTypedParameterPtr params = NULL;
	unsigned long long ms;
	int type, n = 0;

	result->downtime_ms = number(r->status, "paused_ms");
	if (virDomainGetJobStats(r->place.dom, &type, &params, &n,
				 VIR_DOMAIN_JOB_STATS_COMPLETED |
					 VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED) ==
		    0 &&
	    type == VIR_DOMAIN_JOB_COMPLETED &&
	    virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_DOWNTIME, &ms) ==
		    1) {
		result->downtime_ms = ms;
		result->downtime_known = true;
	}
	virTypedParamsFree(params, n);
}

static void
run_show(struct run *r)
{
	uint64_t ram = number(r->status, "ram_bytes");
	char rate[24], more[80];
	double seconds = (double)(clock_wall_ns() - r->began_ns) / 1e9;
	uint64_t wire = number(r->status, "wire_bytes");
	struct progress_at at = { .all = ram, .wire = wire, .more = more };

	run_get_pass(r);
	/* Later rounds send pages again: they are more than all. */
	at.done = MIN(number(r->status, "pages") * PAGE_BYTES, ram);
	size_text((uint64_t)((double)wire / MAX(seconds, 0.001)), rate,
		  sizeof(rate));
	snprintf(more, sizeof(more), "%s/s, pass %llu%s", rate,
		 (unsigned long long)MAX(r->passes, 1u),
		 json_is_true(json_object_get(r->status, "lost"))
			 ? ", reconnecting"
			 : "");
	progress_show_at(&r->progress, &at);
}

/* ---- ends */

static void
run_abort(struct run *r)
{
	struct err ignored;

	if (!r->aborted && virDomainAbortJob(r->place.dom) < 0 &&
	    r->place.control >= 0)
		(void)!control_cancel(r->place.control, &ignored);
	r->aborted = true;
}

/* As virsh: after so long the guest is stopped, so that there is an end to
 * it, or goes on at the other side.
 */
static void
run_time_out(struct run *r)
{
	int ret = r->wish->timeout_postcopy
			  ? virDomainMigrateStartPostCopy(r->place.dom, 0)
			  : virDomainSuspend(r->place.dom);

	r->timed_out = ret == 0;
}

static void
run_step(struct run *r)
{
	const struct migrate_wish *w = r->wish;
	struct pollfd p[2] = { { .fd = r->done_fd, .events = POLLIN },
			       { .fd = r->place.control, .events = POLLIN } };
	int n = poll(p, 2, STEP_MS);

	if (*interrupted() && !r->done)
		run_abort(r);
	/* A QEMU that is not yet in its first pass forgets what it is told. */
	if (!r->timed_out && w->timeout_s && r->passes > 0 &&
	    clock_wall_ns() - r->began_ns > w->timeout_s * 1000000000ull)
		run_time_out(r);
	if (!r->switched && w->postcopy_after_precopy && r->passes > 1)
		r->switched =
			virDomainMigrateStartPostCopy(r->place.dom, 0) == 0;
	if (n > 0 && p[1].revents)
		run_hear(r);
	if (n > 0 && p[0].revents)
		r->done = true;
	run_show(r);
}

/* It may take the session a moment longer to say how it went. */
static void
run_last_words(struct run *r)
{
	uint64_t until = clock_wall_ns() + LAST_MS * 1000000ull;
	struct pollfd p = { .fd = r->place.control, .events = POLLIN };
	struct err ignored;

	if (r->ret < 0 && r->place.control >= 0)
		(void)!control_cancel(r->place.control, &ignored);
	while (!r->session_ended && clock_wall_ns() < until)
		if (poll(&p, 1, STEP_MS) > 0)
			run_hear(r);
}

/* Where is the VM now?  A domain that is not here any more may be there. */
static int
run_failed(struct run *r, struct err *e)
{
	const char *why = r->failure;
	int state = 0, reason = 0;
	struct err session = { .code = ERR_NONE };

	if (r->status && r->session_ended)
		report_get_end(r->status, &session);
	/* Of a stream that ends libvirt only knows that it ended. */
	if (session.code != ERR_NONE && session.code != ERR_CANCELLED)
		why = session.text;
	if (virDomainGetState(r->place.dom, &state, &reason, 0) < 0 ||
	    state == VIR_DOMAIN_SHUTOFF)
		return err_set(e, ERR_UNKNOWN,
			       "%.150s; the VM is not here: see whether it "
			       "runs at the destination",
			       why);
	if (reason == VIR_DOMAIN_PAUSED_POSTCOPY ||
	    reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
		return err_set(e, ERR_UNKNOWN,
			       "%.150s; postcopy has failed: the VM is in "
			       "part here and in part there",
			       why);
	e->code = r->aborted ? ERR_CANCELLED : ERR_SYSTEM;
	if (!r->aborted && session.code != ERR_NONE &&
	    session.code != ERR_CANCELLED)
		e->code = session.code;
	snprintf(e->text, sizeof(e->text), "%.170s; the VM %s here",
		 r->aborted ? "interrupted" : why,
		 state == VIR_DOMAIN_RUNNING ? "runs" : "is paused");
	return -1;
}

static int
run_all(struct run *r, struct err *e)
{
	r->done_fd = eventfd(0, EFD_CLOEXEC);
	if (r->done_fd < 0)
		return err_sys(e, "eventfd");
	progress_init_to(&r->progress, r->wish->vm, r->wish->progress,
			 r->wish->progress_fd);
	r->began_ns = clock_wall_ns();
	errno = pthread_create(&r->thread, NULL, run_thread, r);
	if (errno) {
		close(r->done_fd);
		return err_sys(e, "a thread");
	}
	while (!r->done)
		run_step(r);
	pthread_join(r->thread, NULL);
	close(r->done_fd);
	run_last_words(r);
	progress_fini(&r->progress);
	return r->ret == 0 ? 0 : run_failed(r, e);
}

int
migrate_run(const struct migrate_wish *w, struct migrate_result *result,
	    struct err *e)
{
	struct run r = { .wish = w };
	int ret = migrate_prepare(w, &r.place, e);

	*result = (struct migrate_result){ .session = NULL };
	if (ret < 0 && e->code != ERR_USAGE && e->code != ERR_CANCELLED)
		(void)err_prefix(e, "not begun");
	if (ret == 0)
		ret = run_all(&r, e);
	result->session = r.status;
	result->passes = r.passes;
	if (ret == 0)
		run_get_downtime(&r, result);
	if (r.began_ns)
		result->elapsed_ms = (clock_wall_ns() - r.began_ns) / 1000000;
	migrate_place_close(&r.place);
	return ret;
}
