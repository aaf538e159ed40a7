/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/relay.h"

#define RELAY_RECONNECT_MS 60000

const char relay_usage[] =
	"  --keep FILE          keep the guest's memory there if the other end "
	"keeps it,\n"
	"                       too: --previous of the next migration\n"
	"  --shadow-dir DIR     where else it is while the guest moves, if it "
	"is large\n"
	"                       (/var/tmp)\n"
	"  --reconnect-timeout S  seconds in which a lost connection may be "
	"made "
	"again\n"
	"                       (60; 0: it may not)\n";

void
relay_init(struct relay *r, const char *verb)
{
	*r = (struct relay){ .name = verb,
			     .reconnect_ms = RELAY_RECONNECT_MS,
			     .file.fd = -1 };
	transfer_init(&r->transfer, verb);
}

void
relay_close(struct relay *r)
{
	newfile_close(&r->file);
	transfer_close(&r->transfer);
}

/* "60": seconds, as milliseconds. */
static int
relay_parse_seconds(const char *text, unsigned *ms, struct err *e)
{
	char *end;
	unsigned long s = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || s > 86400)
		return err_set(e, ERR_USAGE, "'%.40s' is no number of seconds",
			       text);
	*ms = (unsigned)s * 1000;
	return 0;
}

int
relay_set(struct relay *r, int option, const char *value, struct err *e)
{
	switch (option) {
	case RELAY_KEEP:
		r->keep = value;
		return 0;
	case RELAY_RECONNECT:
		return relay_parse_seconds(value, &r->reconnect_ms, e);
	case RELAY_SHADOW_DIR:
		r->shadow_dir = value;
		return 0;
	default:
		return transfer_set(&r->transfer, option, value, e);
	}
}

int
relay_shadow(struct relay *r, int *fd, struct err *e)
{
	const char *dir = r->shadow_dir ? r->shadow_dir : "/var/tmp";

	newfile_close(&r->file);
	if (r->keep) {
		if (newfile_open(&r->file, r->keep, e) < 0)
			return -1;
		*fd = fcntl(r->file.fd, F_DUPFD_CLOEXEC, 0);
	} else {
		*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	if (*fd >= 0)
		return 0;
	(void)err_sys(e, "a file in %.120s", dir);
	newfile_close(&r->file);
	return -1;
}

void
relay_keep(struct relay *r, bool kept)
{
	struct err e;

	if (!r->keep)
		return;
	if (!kept)
		(void)err_set(&e, ERR_LIMIT, "not by both ends");
	if (kept && newfile_commit(&r->file, &e) == 0)
		return;
	fprintf(stderr, "virt-mig %s: %s is not kept: %s\n", r->name, r->keep,
		e.text);
}

int
relay_connect(const struct endpoint *to, int *fd, struct err *e)
{
	if (endpoint_connect(to, fd, e) == 0)
		return 0;
	return err_prefix(e, "%.120s", to->host);
}

bool
relay_memory(void *arg, int qemu_fd, struct qemu_maps *out)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	struct err ignored;

	(void)arg;
	return getsockopt(qemu_fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       qemu_maps_open(out, who.pid, &ignored) == 0;
}
