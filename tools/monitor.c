/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tools/beside.h"
#include "tools/format.h"
#include "tools/monitor.h"
#include "tools/report.h"

#define SESSION_FD 3

static void
tell_daemon(struct monitor *m, json_t *body)
{
	struct err ignored;

	/* Whoever restarts virt-migd does not end migrations. */
	if (m->daemon >= 0 &&
	    parcel_send(m->daemon, body, NULL, 0, &ignored) < 0) {
		close(m->daemon);
		m->daemon = -1;
	} else if (m->daemon < 0) {
		json_decref(body);
	}
}

static void
end_with(struct monitor *m, const struct err *why)
{
	if (!m->ended)
		tell_daemon(m, report_end(why));
	m->ended = true;
}

/* ---- the session */

static void __attribute__((noreturn)) exec_session(int fd, const char *program)
{
	char *const argv[] = { (char *)"virt-mig-session", NULL };
	char *const env[] = { (char *)"LC_ALL=C", NULL };
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0 && dup2(null, 0) == 0 && dup2(fd, SESSION_FD) >= 0) {
		closefrom(SESSION_FD + 1);
		execve(program, argv, env);
	}
	_exit(127);
}

static int
start_session(struct monitor *m, struct err *e)
{
	char program[PATH_MAX];
	int pair[2];

	if (!beside_path("virt-mig-session", program, sizeof(program)))
		return err_set(e, ERR_SYSTEM,
			       "virt-mig-session is not installed");
	if (parcel_pair(pair, e) < 0)
		return -1;
	m->pid = fork();
	if (m->pid == 0)
		exec_session(pair[1], program);
	close(pair[1]);
	m->session = pair[0];
	return m->pid > 0 ? 0 : err_sys(e, "fork");
}

static json_t *
allowed_names(const struct settings *s)
{
	json_t *names = json_array();

	for (size_t i = 0; i < s->allow.n; i++)
		json_array_append_new(names, json_string(s->allow.at[i]));
	return names;
}

static json_t *
images(const struct monitor *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->nloans; i++) {
		auto_free char *name = format_printable(m->names[i]);

		json_array_append_new(
			all, json_pack("{s:s, s:s, s:b}", "name",
				       name ? name : "an image", "format",
				       m->loans[i].format, "programs",
				       m->loans[i].programs >= 0));
	}
	return all;
}

/* Plain only where nothing leaves this host, and nobody asked for TLS.  That
 * is for us to say, not for the listener: what only the network can resolve is
 * another host.
 */
static bool
is_plain(const struct monitor *m)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	struct err ignored;
	size_t n = 0;

	if (m->settings->tls_dir)
		return false;
	if (m->role != MONITOR_SEND)
		return m->peer_is_local;
	if (endpoint_resolve(&m->to, addrs, &n, &ignored) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!endpoint_addr_is_local(&addrs[i]))
			return false;
	return n > 0;
}

static const char *const roles[] = {
	[MONITOR_SEND] = "send",
	[MONITOR_RECEIVE] = "receive",
	[MONITOR_ANSWER] = "answer",
};

static long
reconnect_s(const struct monitor *m)
{
	return m->role == MONITOR_SEND && m->reconnect_s >= 0
		       ? m->reconnect_s
		       : (long)m->settings->reconnect_timeout;
}

/* Everything that the session gets to begin with (session-job.c).  refusal:
 * that it is to say to the peer, and to end; or NULL.
 */
static int
send_job(struct monitor *m, const struct err *refusal, struct err *e)
{
	const struct settings *s = m->settings;
	int fds[PARCEL_FDS];
	size_t n = 0;
	json_t *job;

	m->plain = is_plain(m);
	job = json_pack(
		"{s:s, s:s, s:s, s:b, s:s*, s:o, s:i, s:i, s:s, s:I, s:I, "
		"s:I, s:b, s:b, s:o}",
		"do", "start", "role", roles[m->role], "host", m->to.host,
		"plain", m->plain, "tls_dir", s->tls_dir, "allow",
		allowed_names(s), "uid", (int)m->ids->user, "gid",
		(int)m->ids->group, "root", SETTINGS_RUN "/empty", "threads",
		(json_int_t)s->threads, "rate", (json_int_t)m->rate,
		"reconnect_ms", (json_int_t)reconnect_s(m) * 1000, "keep",
		s->keep_memory, "kept", m->kept >= 0, "images", images(m));

	if (refusal)
		json_object_set_new(job, "refuse", report_end(refusal));
	fds[n++] = m->role == MONITOR_SEND ? m->listening : m->peer;
	if (m->shadow >= 0)
		fds[n++] = m->shadow;
	if (m->kept >= 0)
		fds[n++] = m->kept;
	for (size_t i = 0; i < m->nloans; i++) {
		fds[n++] = m->loans[i].disk;
		fds[n++] = m->loans[i].index;
		if (m->loans[i].programs >= 0)
			fds[n++] = m->loans[i].programs;
	}
	return parcel_send(m->session, job, fds, n, e);
}

/* ---- what the session asks for */

static int
answer(struct monitor *m, const char *with, int fd, int ret,
       const struct err *why, struct err *e)
{
	json_t *body;

	if (ret == 0)
		return parcel_send(m->session, json_pack("{s:s}", "do", with),
				   &fd, 1, e);
	body = json_pack("{s:s, s:i, s:s}", "do", "none", "code", why->code,
			 "text", why->text);
	return parcel_send(m->session, body, NULL, 0, e);
}

/* The first connection once QEMU has come, and the guest's memory with it: not
 * earlier, since a file that is open is there even where the guest has ended.
 */
static int
give_memory(struct monitor *m, int fd, struct err *e)
{
	struct qemu_maps maps = monitor_guest(m);
	const int fds[] = { fd, maps.fd, maps.file };
	json_t *list = json_array();
	size_t nfds = 1 + (maps.fd >= 0) + (maps.file >= 0);
	int ret;

	for (size_t i = 0; i < maps.n; i++)
		json_array_append_new(list,
				      json_pack("[I, I, b]",
						(json_int_t)maps.list[i].at,
						(json_int_t)maps.list[i].len,
						maps.list[i].in_file));
	ret = parcel_send(
		m->session,
		json_pack("{s:s, s:o}", "do", "connection", "maps", list), fds,
		nfds, e);
	qemu_maps_close(&maps);
	return ret;
}

static int
give_connection(struct monitor *m, bool probe, struct err *e)
{
	auto_fd int fd = -1;
	bool first = !probe && !m->used;
	struct err why;
	int ret = m->role == MONITOR_SEND
			  ? monitor_connect(m, probe, &fd, &why)
			  : err_set(&why, ERR_PROTOCOL, "not the sender");

	m->used |= !probe;
	return ret == 0 && first ? give_memory(m, fd, e)
				 : answer(m, "connection", fd, ret, &why, e);
}

static int
give_channel(struct monitor *m, struct err *e)
{
	auto_fd int fd = -1;
	struct err why;
	int ret = m->role == MONITOR_RECEIVE
			  ? monitor_connect_qemu(m, &fd, &why)
			  : err_set(&why, ERR_PROTOCOL, "not the receiver");

	return answer(m, "channel", fd, ret, &why, e);
}

static int
on_session(struct monitor *m, const struct parcel *p, struct err *e)
{
	const char *say = parcel_text(p, "say");

	if (strcmp(say, "connect") == 0)
		return give_connection(
			m, json_is_true(json_object_get(p->body, "probe")), e);
	if (strcmp(say, "channel") == 0)
		return give_channel(m, e);
	if (strcmp(say, "ready") == 0) {
		tell_daemon(m, json_pack("{s:s, s:s}", "say", "ready", "path",
					 m->socket_path));
		return 0;
	}
	if (strcmp(say, "status") == 0 || strcmp(say, "end") == 0) {
		m->ended |= *say == 'e';
		if (m->ended && json_is_true(json_object_get(p->body, "kept")))
			monitor_keep(m);
		tell_daemon(m, report_checked(p->body));
		return 0;
	}
	return err_set(e, ERR_PROTOCOL, "the session says something unknown");
}

/* What the daemon says goes to the session: another connection of its peer,
 * or that it is to end.
 */
static int
on_daemon(struct monitor *m, struct parcel *p, struct err *e)
{
	const char *what = parcel_text(p, "do");

	/* Whoever asked for it is gone: too late, if it has begun. */
	if (strcmp(what, "hangup") == 0 && !m->used)
		what = "cancel";
	if (strcmp(what, "cancel") != 0 && strcmp(what, "connection") != 0)
		return 0;
	return parcel_send(m->session, json_pack("{s:s}", "do", what), p->fds,
			   MIN(p->nfds, 1u), e);
}

static int
monitor_hear(struct monitor *m, int *from, bool *gone, struct err *e)
{
	struct parcel p;
	int ret = parcel_receive(*from, &p, e);

	*gone = ret == 0;
	if (ret <= 0)
		return ret;
	ret = from == &m->session ? on_session(m, &p, e) : on_daemon(m, &p, e);
	parcel_free(&p);
	return ret;
}

/* Nobody may come for what was made ready for virsh.  Who waits for it may wait
 * long: disks are copied first.
 */
static int
check_use(const struct monitor *m, uint64_t *idle_since_ns, struct err *e)
{
	uint64_t now = clock_wall_ns();

	if (m->used || m->role != MONITOR_SEND || (!m->stay && m->daemon >= 0))
		*idle_since_ns = now;
	if (now - *idle_since_ns <= MONITOR_USE_S * 1000000000ull)
		return 0;
	return err_set(e, ERR_LIMIT, "nobody used it for %d minutes",
		       MONITOR_USE_S / 60);
}

/* One parcel from whoever has one; *over when the session is gone. */
static int
monitor_step(struct monitor *m, uint64_t *idle_since_ns, bool *over,
	     struct err *e)
{
	struct pollfd p[2] = { { .fd = m->session, .events = POLLIN },
			       { .fd = m->daemon, .events = POLLIN } };
	bool gone = false;
	int n = poll(p, 2, 1000);

	if (n < 0 && errno != EINTR)
		return err_sys(e, "poll");
	if (check_use(m, idle_since_ns, e) < 0)
		return -1;
	if (n > 0 && p[0].revents)
		return monitor_hear(m, &m->session, over, e);
	if (n > 0 && p[1].revents) {
		if (monitor_hear(m, &m->daemon, &gone, e) < 0)
			return -1;
		if (gone) {
			close(m->daemon);
			m->daemon = -1;
		}
	}
	return 0;
}

static int
serve(struct monitor *m, struct err *e)
{
	uint64_t idle_since_ns = clock_wall_ns();
	bool over = false, refuse = false;
	struct err why;

	if (m->role != MONITOR_ANSWER && monitor_open(m, &why) < 0) {
		*e = why;
		/* Who called should know; only a session may tell him. */
		refuse = m->role == MONITOR_RECEIVE;
		if (!refuse)
			return -1;
	}
	if (*m->vm)
		tell_daemon(m, json_pack("{s:s, s:s}", "say", "status", "name",
					 m->vm));
	if (start_session(m, e) < 0 || send_job(m, refuse ? &why : NULL, e) < 0)
		return -1;
	/* The session has copies; a socket that two hold never closes. */
	if (m->role != MONITOR_SEND) {
		close(m->peer);
		m->peer = -1;
	}
	while (!over)
		if (monitor_step(m, &idle_since_ns, &over, e) < 0)
			return -1;
	return 0;
}

/* How a session went that has not said so. */
static void
reap_session(struct monitor *m, struct err *e)
{
	int status = 0;

	while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		err_fill(e, ERR_SYSTEM, "the session died of signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_fill(e, ERR_SYSTEM, "the session ended with status %d",
			 WEXITSTATUS(status));
}

void
monitor_run(struct monitor *m)
{
	struct err e = { .code = ERR_NONE };

	m->listening = m->shadow = m->kept = m->session = -1;
	prctl(PR_SET_NAME, "virt-mig-mon", 0, 0, 0);
	if (serve(m, &e) < 0) {
		end_with(m, &e);
		if (m->session >= 0)
			close(m->session);
		m->session = -1;
	}
	if (m->pid > 0)
		reap_session(m, &e);
	end_with(m, &e);
	if (m->session >= 0)
		close(m->session);
	monitor_close(m);
}
