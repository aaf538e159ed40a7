/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tools/worker.h"
#include "wire/hello.h"

/* Before libvirt is asked to do anything: is there a virt-migd at the other
 * end, does it accept our certificate and we its own, does it speak our
 * version?  It says so in one line, "virt-mig OLDEST NEWEST\n".
 */
#define PROBE_MS   8000
#define PROBE_LINE 64

struct probe {
	int fd;
	SSL *ssl; /* NULL: plain */
	uint64_t until_ns;
};

static int
probe_wait(const struct probe *p, short events, struct err *e)
{
	uint64_t now = clock_wall_ns();
	struct pollfd f = { .fd = p->fd, .events = events };
	int n = 0;

	if (now < p->until_ns)
		n = poll(&f, 1, (int)((p->until_ns - now) / 1000000) + 1);
	if (n < 0 && errno != EINTR)
		return err_sys(e, "poll");
	if (n == 0)
		return err_set(e, ERR_LIMIT,
			       "the other end's virt-migd does not answer");
	return 0;
}

/* After a call of libssl that gave ret: 0 to try again. */
static int
probe_again(const struct probe *p, int ret, struct err *e)
{
	switch (SSL_get_error(p->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return probe_wait(p, POLLIN, e);
	case SSL_ERROR_WANT_WRITE:
		return probe_wait(p, POLLOUT, e);
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		return err_set(e, ERR_SYSTEM,
			       "the other end's virt-migd hung up; its log "
			       "says why");
	default:
		return tls_failed(p->ssl, e);
	}
}

static int
probe_handshake(const struct probe *p, struct err *e)
{
	int ret;

	while (p->ssl && (ret = SSL_do_handshake(p->ssl)) != 1)
		if (probe_again(p, ret, e) < 0)
			return -1;
	return 0;
}

static int
probe_read(const struct probe *p, char *byte, struct err *e)
{
	int n;

	for (;;) {
		if (p->ssl) {
			n = SSL_read(p->ssl, byte, 1);
			if (n == 1)
				return 0;
			if (probe_again(p, n, e) < 0)
				return -1;
			continue;
		}
		n = (int)recv(p->fd, byte, 1, 0);
		if (n == 1)
			return 0;
		if (n == 0 || errno != EAGAIN)
			return err_set(
				e, ERR_SYSTEM,
				"the other end's virt-migd hung up; its log "
				"says why");
		if (probe_wait(p, POLLIN, e) < 0)
			return -1;
	}
}

static int
probe_check(const char *line, struct err *e)
{
	unsigned oldest, newest;

	if (sscanf(line, "virt-mig %u %u", &oldest, &newest) != 2)
		return err_set(e, ERR_PROTOCOL,
			       "the other end is no virt-migd");
	if (oldest > HELLO_VERSION || newest < HELLO_OLDEST_VERSION)
		return err_set(e, ERR_VERSION,
			       "the other end speaks versions %u to %u, this "
			       "one %u to %u",
			       oldest, newest, HELLO_OLDEST_VERSION,
			       HELLO_VERSION);
	return 0;
}

static int
probe_begin(const struct worker *w, struct probe *p, int fd, const char *host,
	    struct err *e)
{
	*p = (struct probe){ .fd = fd,
			     .until_ns =
				     clock_wall_ns() + PROBE_MS * 1000000ull };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "socket");
	if (w->tls) {
		p->ssl = tls_session(w->tls, fd, host, e);
		if (!p->ssl)
			return -1;
	}
	return probe_handshake(p, e);
}

int
probe_ask(const struct worker *w, int fd, struct err *e)
{
	char line[PROBE_LINE] = "";
	struct probe p;
	int ret = probe_begin(w, &p, fd, w->job.host, e);

	for (size_t n = 0; ret == 0 && n < sizeof(line) - 1; n++) {
		ret = probe_read(&p, &line[n], e);
		if (ret == 0 && line[n] == '\n')
			break;
	}
	if (ret == 0)
		ret = probe_check(line, e);
	SSL_free(p.ssl);
	close(fd);
	return ret;
}

int
probe_answer(const struct worker *w, int fd, struct err *e)
{
	char line[PROBE_LINE];
	struct probe p;
	int ret = probe_begin(w, &p, fd, NULL, e);
	int n = snprintf(line, sizeof(line), "virt-mig %u %u\n",
			 HELLO_OLDEST_VERSION, HELLO_VERSION);

	/* A line always fits into a fresh socket. */
	if (ret == 0)
		ret = p.ssl ? SSL_write(p.ssl, line, n)
			    : (int)send(fd, line, (size_t)n, MSG_NOSIGNAL);
	ret = ret == n ? 0 : -1;
	if (p.ssl)
		SSL_shutdown(p.ssl);
	SSL_free(p.ssl);
	close(fd);
	return ret;
}
