/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/parcel.h"

int
parcel_pair(int pair[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	return 0;
}

#define BACKLOG 64

static struct sockaddr_un
unix_address(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	assert(strlen(path) < sizeof(sun.sun_path));
	memcpy(sun.sun_path, path, strlen(path));
	return sun;
}

int
parcel_listen(const struct parcel_socket *s, int *out, struct err *e)
{
	const struct sockaddr_un sun = unix_address(s->path);
	auto_fd int fd = socket(AF_UNIX, s->type | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0777);
	int ret;

	unlink(s->path);
	ret = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (ret < 0 || (s->type != SOCK_DGRAM && listen(fd, BACKLOG) < 0) ||
	    chmod(s->path, s->mode) < 0 || chown(s->path, s->uid, s->gid) < 0)
		return err_sys(e, "%s", s->path);
	*out = fd;
	fd = -1;
	return 0;
}

int
parcel_connect(const char *path, int type, int *out, struct err *e)
{
	const struct sockaddr_un sun = unix_address(path);
	auto_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		return err_sys(e, "%s", path);
	*out = fd;
	fd = -1;
	return 0;
}

static int
parcel_write(int fd, char *text, size_t len, const int *fds, size_t nfds,
	     int flags, struct err *e)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * PARCEL_FDS)];
	} control = { .room = { 0 } };
	struct iovec bytes = { .iov_base = text, .iov_len = len };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1 };

	assert(nfds <= PARCEL_FDS);
	if (nfds > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * nfds);
	}
	while (sendmsg(fd, &m, MSG_NOSIGNAL | flags) < 0) {
		if (errno == EPIPE || errno == ECONNRESET)
			return err_set(e, ERR_PROTOCOL,
				       "the other process is gone");
		if (errno == EAGAIN)
			return err_set(e, ERR_LIMIT,
				       "the other process does not listen");
		if (errno != EINTR)
			return err_sys(e, "sendmsg");
	}
	return 0;
}

static int
parcel_pack(int fd, json_t *body, const int *fds, size_t nfds, int flags,
	    struct err *e)
{
	auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (!text)
		return err_set(e, ERR_SYSTEM, "out of memory");
	if (strlen(text) > PARCEL_BYTES)
		return err_set(e, ERR_LIMIT, "a parcel of %zu bytes",
			       strlen(text));
	return parcel_write(fd, text, strlen(text), fds, nfds, flags, e);
}

int
parcel_send(int fd, json_t *body, const int *fds, size_t nfds, struct err *e)
{
	return parcel_pack(fd, body, fds, nfds, 0, e);
}

int
parcel_send_now(int fd, json_t *body, const int *fds, size_t nfds,
		struct err *e)
{
	return parcel_pack(fd, body, fds, nfds, MSG_DONTWAIT, e);
}

/* Files that came, even with a parcel that is then refused. */
static void
parcel_keep_fds(struct parcel *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = MIN(n, PARCEL_FDS - p->nfds);
		memcpy(p->fds + p->nfds, CMSG_DATA(c), n * sizeof(int));
		p->nfds += n;
	}
}

static int
parcel_parse(struct parcel *p, const char *text, size_t len, struct err *e)
{
	json_error_t why;

	p->body = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(p->body))
		return err_set(e, ERR_PROTOCOL, "not a parcel");
	return 0;
}

int
parcel_receive(int fd, struct parcel *p, struct err *e)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * PARCEL_FDS)];
	} control;
	auto_free char *text = malloc(PARCEL_BYTES);
	struct iovec bytes = { .iov_base = text, .iov_len = PARCEL_BYTES };
	struct msghdr m = { .msg_iov = &bytes,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	*p = (struct parcel){ .body = NULL };
	if (!text)
		return err_sys(e, "parcel");
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(e, ERR_LIMIT, "nothing yet");
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return err_sys(e, "recvmsg");
	parcel_keep_fds(p, &m);
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
	    parcel_parse(p, text, (size_t)n, e) == 0)
		return 1;
	parcel_free(p);
	return err_set(e, ERR_PROTOCOL, "not a parcel");
}

void
parcel_free(struct parcel *p)
{
	for (size_t i = 0; i < p->nfds; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	json_decref(p->body);
	*p = (struct parcel){ .body = NULL };
}

const char *
parcel_text(const struct parcel *p, const char *key)
{
	const char *text = json_string_value(json_object_get(p->body, key));

	return text ? text : "";
}

uint64_t
parcel_number(const struct parcel *p, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(p->body, key));

	return n < 0 ? 0 : (uint64_t)n;
}

int
parcel_take_fd(struct parcel *p, size_t i)
{
	int fd = -1;

	if (i < p->nfds) {
		fd = p->fds[i];
		p->fds[i] = -1;
	}
	return fd;
}
