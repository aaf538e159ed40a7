/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/control.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/settings.h"

#define CONTROL_STEP_MS 200

int
control_open(int *out, struct err *e)
{
	if (parcel_connect(SETTINGS_RUN "/control", SOCK_SEQPACKET, out, e) ==
	    0)
		return 0;
	if (e->sys == ENOENT || e->sys == ECONNREFUSED)
		return err_set(e, ERR_SYSTEM,
			       "virt-migd does not run on this host");
	return -1;
}

/* The next parcel; one that says how it ended is an error. */
static int
control_hear(int fd, struct parcel *p, struct err *e)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };
	int ret;

	while (poll(&f, 1, CONTROL_STEP_MS) <= 0)
		if (*interrupted())
			return err_set(e, ERR_CANCELLED, "interrupted");
	ret = parcel_receive(fd, p, e);
	if (ret == 0)
		return err_set(e, ERR_SYSTEM, "virt-migd is gone");
	if (ret < 0 || strcmp(parcel_text(p, "say"), "end") != 0)
		return ret < 0 ? -1 : 0;
	report_get_end(p->body, e);
	if (e->code == ERR_NONE)
		err_fill(e, ERR_SYSTEM, "virt-migd ended it");
	parcel_free(p);
	return -1;
}

int
control_prepare(int fd, const struct control_wish *wish, char path[108],
		struct err *e)
{
	struct parcel p;
	int said;

	if (parcel_send(fd,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:b}",
				  "do", "prepare", "vm", wish->vm, "uuid",
				  wish->uuid, "peer", wish->peer, "rate",
				  (json_int_t)wish->rate, "reconnect_s",
				  (json_int_t)wish->reconnect_s, "stay",
				  wish->stay, "no_free_drop",
				  wish->no_free_drop),
			NULL, 0, e) < 0)
		return -1;
	do {
		if (control_hear(fd, &p, e) < 0)
			return -1;
		said = strcmp(parcel_text(&p, "say"), "ready") == 0;
		if (said)
			snprintf(path, 108, "%.107s", parcel_text(&p, "path"));
		parcel_free(&p);
	} while (!said);
	return 0;
}

/* Adds the next one that is told of: 1, or 0 when that were all. */
static int
control_session(int fd, json_t *sessions, struct err *e)
{
	struct parcel p;
	int ret = -1;

	if (control_hear(fd, &p, e) < 0)
		return -1;
	if (strcmp(parcel_text(&p, "say"), "all") == 0)
		ret = 0;
	else if (json_array_append(sessions,
				   json_object_get(p.body, "session")) == 0)
		ret = 1;
	else
		(void)err_set(e, ERR_VERSION,
			      "virt-migd is of another version");
	parcel_free(&p);
	return ret;
}

json_t *
control_status(int fd, struct err *e)
{
	json_t *sessions = json_array();
	int ret;

	ret = parcel_send(fd, json_pack("{s:s}", "do", "status"), NULL, 0, e);
	if (ret == 0)
		do
			ret = control_session(fd, sessions, e);
		while (ret > 0);
	if (ret == 0)
		return sessions;
	json_decref(sessions);
	return NULL;
}

int
control_cancel(int fd, struct err *e)
{
	return parcel_send(fd, json_pack("{s:s}", "do", "cancel"), NULL, 0, e);
}
