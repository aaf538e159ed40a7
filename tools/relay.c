/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/relay.h"

int
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
relay_shadow(struct newfile *f, const char *keep, const char *dir, int *fd,
	     struct err *e)
{
	*f = (struct newfile){ .fd = -1 };
	if (keep) {
		if (newfile_open(f, keep, e) < 0)
			return -1;
		*fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
	} else {
		*fd = open(dir ? dir : "/var/tmp",
			   O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	if (*fd >= 0)
		return 0;
	(void)err_sys(e, "a file in %.120s", dir ? dir : "/var/tmp");
	newfile_close(f);
	return -1;
}

int
relay_keep(struct newfile *f, bool kept, struct err *e)
{
	if (f->fd >= 0 && kept)
		return newfile_commit(f, e);
	newfile_close(f);
	return 0;
}

static int
relay_try(const struct endpoint_addr *addr, int *fd, struct err *e)
{
	*fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(e, "socket");
	if (connect(*fd, (const struct sockaddr *)&addr->sa, addr->len) == 0)
		return 0;
	(void)err_sys(e, "connecting");
	close(*fd);
	*fd = -1;
	return -1;
}

int
relay_connect(const struct endpoint *to, int *fd, struct err *e)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	char text[ENDPOINT_TEXT_MAX];
	size_t n, i = 0;

	if (endpoint_resolve(to, addrs, &n, e) < 0)
		return -1;
	while (relay_try(&addrs[i], fd, e) < 0) {
		endpoint_addr_text(&addrs[i], text);
		(void)err_prefix(e, "%.120s", text);
		if (++i == n)
			return -1;
	}
	return 0;
}

bool
relay_memory(void *arg, int qemu_fd, struct qemu_maps *out)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	struct err ignored;

	(void)arg;
	if (getsockopt(qemu_fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	    qemu_maps_open(out, who.pid, &ignored) == 0)
		return true;
	qemu_maps_close(out);
	return false;
}
