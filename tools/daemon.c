/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/daemon.h"
#include "tools/leftover.h"

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_accept(arg);
}

static void
on_call(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	call_accept(arg);
}

static void
on_child(evutil_socket_t number, short what, void *arg)
{
	pid_t pid;

	(void)number;
	(void)what;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (!listener_on_child(arg, pid))
			migration_on_child(arg, pid);
}

static void
on_stop(evutil_socket_t number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)number;
	(void)what;
	event_base_loopbreak(d->base);
}

static struct event *
add_event(struct daemon *d, int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(d->base, fd, what | EV_PERSIST, fn, d);

	if (ev)
		event_add(ev, NULL);
	return ev;
}

/* The folder of sockets: QEMU makes some of them, users come for others.  The
 * empty folder is where sessions go.
 */
static int
daemon_folders(const struct daemon *d, struct err *e)
{
	if (mkdir(SETTINGS_RUN, 0711) < 0 && errno != EEXIST)
		return err_sys(e, "%s", SETTINGS_RUN);
	if (chown(SETTINGS_RUN, 0, d->ids.qemu) < 0 ||
	    chmod(SETTINGS_RUN, 01771) < 0)
		return err_sys(e, "%s", SETTINGS_RUN);
	if (mkdir(SETTINGS_RUN "/empty", 0555) < 0 && errno != EEXIST)
		return err_sys(e, "%s", SETTINGS_RUN "/empty");
	return 0;
}

int
daemon_init(struct daemon *d, struct settings *s, struct err *e)
{
	d->settings = s;
	if (settings_ids(s, &d->ids, e) < 0 || daemon_folders(d, e) < 0)
		return -1;
	leftover_clean(SETTINGS_RUN, LEFTOVER_AGE_S);
	d->base = event_base_new();
	if (!d->base)
		return err_set(e, ERR_SYSTEM, "no event loop");
	d->control = add_event(d, d->control_fd, EV_READ, on_control);
	d->calls = add_event(d, d->calls_fd, EV_READ, on_call);
	d->child = add_event(d, SIGCHLD, EV_SIGNAL, on_child);
	if (!d->control || !d->calls || !d->child)
		return err_set(e, ERR_SYSTEM, "no event loop");
	return listener_start(d, e);
}

void
daemon_run(struct daemon *d)
{
	struct event *term = add_event(d, SIGTERM, EV_SIGNAL, on_stop);
	struct event *quit = add_event(d, SIGINT, EV_SIGNAL, on_stop);

	event_base_dispatch(d->base);
	if (term)
		event_free(term);
	if (quit)
		event_free(quit);
}

void
daemon_fini(struct daemon *d)
{
	listener_stop(d);
	clients_free(d);
	migrations_free(d);
	if (d->control)
		event_free(d->control);
	if (d->calls)
		event_free(d->calls);
	if (d->child)
		event_free(d->child);
	if (d->base)
		event_base_free(d->base);
}
