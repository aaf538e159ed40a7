/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mover.h"
#include "common/tls.h"

void
mover_fini(struct mover *m)
{
	SSL_free(m->ssl);
	m->ssl = NULL;
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

static enum mover_answer
mover_sys(enum mover_answer again, struct err *e)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return again;
	if (errno == ETIMEDOUT)
		(void)err_set(e, ERR_LIMIT, "the other end does not answer");
	else
		(void)err_sys(e, "connection lost");
	return MOVER_FAILED;
}

static enum mover_answer
mover_tls(struct mover *m, int ret, struct err *e)
{
	switch (SSL_get_error(m->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return MOVER_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return MOVER_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return MOVER_END;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0)
			return mover_sys(MOVER_FAILED, e);
		break;
	default:
		break;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING)
		(void)err_set(e, ERR_SYSTEM,
			      "connection lost: it ended without a goodbye");
	else
		(void)tls_failed(m->ssl, e);
	ERR_clear_error();
	return MOVER_FAILED;
}

enum mover_answer
mover_handshake(struct mover *m, struct err *e)
{
	int ret;

	if (!m->ssl)
		return MOVER_DONE;
	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(m->ssl);
	return ret == 1 ? MOVER_DONE : mover_tls(m, ret, e);
}

enum mover_answer
mover_read(struct mover *m, void *out, size_t n, size_t *done, struct err *e)
{
	ssize_t got;
	int ret;

	if (m->ssl) {
		ERR_clear_error();
		errno = 0;
		ret = SSL_read_ex(m->ssl, out, n, done);
		return ret == 1 ? MOVER_DONE : mover_tls(m, ret, e);
	}
	got = recv(m->fd, out, n, 0);
	if (got < 0)
		return mover_sys(MOVER_WANTS_READ, e);
	*done = (size_t)got;
	return got == 0 ? MOVER_END : MOVER_DONE;
}

enum mover_answer
mover_write(struct mover *m, const void *bytes, size_t n, size_t *done,
	    struct err *e)
{
	ssize_t put;
	int ret;

	if (m->ssl) {
		ERR_clear_error();
		errno = 0;
		ret = SSL_write_ex(m->ssl, bytes, n, done);
		return ret == 1 ? MOVER_DONE : mover_tls(m, ret, e);
	}
	put = send(m->fd, bytes, n, MSG_NOSIGNAL);
	if (put < 0)
		return mover_sys(MOVER_WANTS_WRITE, e);
	*done = (size_t)put;
	return MOVER_DONE;
}

void
mover_end(struct mover *m)
{
	if (m->ssl) {
		ERR_clear_error();
		SSL_shutdown(m->ssl);
		ERR_clear_error();
	}
	shutdown(m->fd, SHUT_WR);
}
