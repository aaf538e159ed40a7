/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tools/daemon.h"
#include "tools/format.h"
#include "tools/leftover.h"
#include "tools/report.h"

/* What others call themselves, or a peer, ends in the log and in terminals. */
static void
set_name(char *to, size_t size, const char *name)
{
	auto_free char *safe = format_printable(name);

	snprintf(to, size, "%s", safe ? safe : "");
}

static void
migration_free(struct migration *m)
{
	if (m->readable)
		event_free(m->readable);
	if (m->fd >= 0)
		close(m->fd);
	json_decref(m->status);
	free(m);
}

void
migrations_free(struct daemon *d)
{
	while (d->migrations) {
		struct migration *m = d->migrations;

		d->migrations = m->next;
		migration_free(m);
	}
}

struct migration *
migration_find(struct daemon *d, const uint8_t id[CALL_ID_BYTES])
{
	struct migration *m = d->migrations;

	while (m && (m->ended || memcmp(m->call.id, id, CALL_ID_BYTES) != 0))
		m = m->next;
	return m;
}

/* Forgets those that ended but for the last few. */
static void
migrations_prune(struct daemon *d)
{
	struct migration **at = &d->migrations;
	unsigned ended = 0;

	while (*at) {
		struct migration *m = *at;

		if (m->ended && m->pid == 0 && ++ended > DAEMON_ENDED) {
			*at = m->next;
			migration_free(m);
		} else {
			at = &m->next;
		}
	}
}

static void
migration_end(struct migration *m, json_t *end)
{
	struct client *client = m->client;
	char id[CALL_TEXT_MAX];
	struct err why;

	m->ended = true;
	m->client = NULL;
	report_get_end(end, &why);
	call_id_text(m->call.id, id);
	if (m->role != MONITOR_ANSWER || why.code != ERR_NONE)
		fprintf(stderr, "virt-migd: session %s of %s ended: %s\n", id,
			*m->vm ? m->vm : "a VM",
			why.code == ERR_NONE ? "done" : why.text);
	json_object_update_missing(end, m->status);
	json_decref(m->status);
	m->status = json_incref(end);
	if (client)
		client_tell(client, json_incref(end));
	if (m->readable)
		event_del(m->readable);
}

static void
migration_hear(struct migration *m, json_t *said)
{
	const char *say = json_string_value(json_object_get(said, "say"));

	if (!say)
		return;
	if (strcmp(say, "end") == 0) {
		migration_end(m, said);
		return;
	}
	if (strcmp(say, "status") == 0) {
		const char *name =
			json_string_value(json_object_get(said, "name"));

		if (name)
			set_name(m->vm, sizeof(m->vm), name);
		json_object_update_missing(said, m->status);
		json_decref(m->status);
		m->status = json_incref(said);
	}
	if (m->client)
		client_tell(m->client, json_incref(said));
}

static void
migration_on_parcel(evutil_socket_t fd, short what, void *arg)
{
	struct migration *m = arg;
	struct err e = { .code = ERR_NONE };
	struct parcel p;
	int ret = parcel_receive(fd, &p, &e);

	(void)what;
	if (ret > 0) {
		migration_hear(m, p.body);
		parcel_free(&p);
		return;
	}
	if (m->ended)
		return;
	if (ret == 0)
		err_fill(&e, ERR_SYSTEM, "its monitor is gone");
	json_t *end = report_end(&e);

	migration_end(m, end);
	json_decref(end);
}

void
migration_on_child(struct daemon *d, int pid)
{
	for (struct migration *m = d->migrations; m; m = m->next)
		if (m->pid == pid) {
			m->pid = 0;
			/* It may have said how it ended just before. */
			while (!m->ended)
				migration_on_parcel(m->fd, EV_READ, m);
		}
	migrations_prune(d);
	leftover_clean(SETTINGS_RUN, LEFTOVER_AGE_S);
}

void
migration_tell(struct migration *m, const char *what, int fd)
{
	struct err e;

	/* Its peer may make one wait for its session; not all of us. */
	if (parcel_send_now(m->fd, json_pack("{s:s}", "do", what), &fd, fd >= 0,
			    &e) < 0)
		fprintf(stderr, "virt-migd: %s: %s\n", *m->vm ? m->vm : "a VM",
			e.text);
}

json_t *
migration_status(const struct migration *m)
{
	json_t *all = json_deep_copy(m->status);
	char id[CALL_TEXT_MAX], uuid[CALL_TEXT_MAX];

	call_id_text(m->call.id, id);
	call_uuid_text(m->call.uuid, uuid);
	json_object_set_new(all, "id", json_string(id));
	json_object_set_new(all, "uuid", json_string(uuid));
	json_object_set_new(all, "vm", json_string(m->vm));
	json_object_set_new(all, "peer", json_string(m->peer));
	json_object_set_new(
		all, "role",
		json_string(m->role == MONITOR_SEND ? "send" : "receive"));
	json_object_set_new(all, "ended", json_boolean(m->ended));
	json_object_set_new(
		all, "age_s",
		json_integer((json_int_t)((clock_wall_ns() - m->began_ns) /
					  1000000000)));
	json_object_del(all, "say");
	return all;
}

/* Of the monitor's copy of the daemon, what it must not keep.  Events are left
 * alone: what they stand for in the kernel the two share.
 */
static void
leave_daemon(struct daemon *d, int keep)
{
	close(d->control_fd);
	close(d->calls_fd);
	if (d->peers_fd >= 0)
		close(d->peers_fd);
	if (d->asked_fd >= 0)
		close(d->asked_fd);
	for (struct migration *m = d->migrations; m; m = m->next)
		if (m->fd >= 0 && m->fd != keep)
			close(m->fd);
	clients_leave(d);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
}

static void __attribute__((noreturn))
run_monitor(struct daemon *d, const struct migration_plan *plan, int fd)
{
	struct monitor m = { .settings = d->settings,
			     .ids = &d->ids,
			     .role = plan->role,
			     .call = plan->call,
			     .daemon = fd,
			     .rate = plan->rate,
			     .reconnect_s = plan->reconnect_s,
			     .no_free_drop = plan->no_free_drop,
			     .stay = plan->stay,
			     .peer = plan->peer };

	if (plan->to)
		m.to = *plan->to;
	if (plan->from)
		m.peer_is_local = endpoint_addr_is_local(plan->from);
	leave_daemon(d, fd);
	monitor_run(&m);
	_exit(0);
}

static int
check_limits(struct daemon *d, const struct migration *fresh, struct err *e)
{
	unsigned all = 0, same = 0;

	for (struct migration *m = d->migrations; m; m = m->next) {
		if (m->pid == 0)
			continue;
		all++;
		same += *fresh->address &&
			strcmp(m->address, fresh->address) == 0;
	}
	if (all >= d->settings->sessions)
		return err_set(e, ERR_LIMIT, "%u migrations at a time", all);
	if (same >= d->settings->sessions_per_peer)
		return err_set(e, ERR_LIMIT, "%u migrations from %s", same,
			       fresh->address);
	return 0;
}

static int
migration_fork(struct migration *m, const struct migration_plan *plan,
	       struct err *e)
{
	int pair[2];

	if (parcel_pair(pair, e) < 0)
		return -1;
	fflush(NULL);
	m->pid = fork();
	if (m->pid == 0) {
		close(pair[0]);
		run_monitor(m->daemon, plan, pair[1]);
	}
	close(pair[1]);
	m->fd = pair[0];
	if (m->pid < 0) {
		m->pid = 0;
		return err_sys(e, "fork");
	}
	m->readable = event_new(m->daemon->base, m->fd, EV_READ | EV_PERSIST,
				migration_on_parcel, m);
	if (!m->readable || event_add(m->readable, NULL) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return 0;
}

struct migration *
migration_start(struct daemon *d, const struct migration_plan *plan,
		struct err *e)
{
	struct migration *m = calloc(1, sizeof(*m));
	char peer[ENDPOINT_TEXT_MAX];

	if (!m) {
		(void)err_sys(e, "migration");
		return NULL;
	}
	m->daemon = d;
	m->fd = -1;
	m->role = plan->role;
	m->stay = plan->stay;
	m->call = plan->call;
	m->began_ns = clock_wall_ns();
	m->status = json_object();
	set_name(m->vm, sizeof(m->vm), plan->vm);
	if (plan->from) {
		endpoint_addr_text(plan->from, m->peer);
		endpoint_addr_host(plan->from, m->address);
	} else {
		snprintf(peer, sizeof(peer), "%s:%u", plan->to->host,
			 plan->to->port);
		set_name(m->peer, sizeof(m->peer), peer);
	}
	if (!m->status || check_limits(d, m, e) < 0 ||
	    migration_fork(m, plan, e) < 0) {
		migration_free(m);
		return NULL;
	}
	m->next = d->migrations;
	d->migrations = m;
	return m;
}
