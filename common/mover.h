/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MOVER_H
#define MIG_MOVER_H

#include <openssl/types.h>
#include <stddef.h>

#include "common/err.h"

/* How a link moves bytes over a non-blocking socket, with TLS or without: the
 * same calls, the same answers.  Owns both.
 */
struct mover {
	int fd;
	SSL *ssl; /* NULL: plain */
};

enum mover_answer {
	MOVER_DONE,
	MOVER_WANTS_READ,  /* call again when the socket is readable */
	MOVER_WANTS_WRITE, /* ... writable */
	MOVER_END,         /* the other end will send no more */
	MOVER_FAILED,      /* *e is filled; the connection is of no more use */
};

void mover_fini(struct mover *m) __attribute__((nonnull));

/* The TLS handshake, both ends verified; MOVER_DONE at once when plain. */
enum mover_answer mover_handshake(struct mover *m, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* MOVER_DONE: *done > 0 bytes of the n > 0 were moved. */
enum mover_answer mover_read(struct mover *m, void *out, size_t n, size_t *done,
			     struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* After MOVER_WANTS_..., the next write must begin with the same n bytes. */
enum mover_answer mover_write(struct mover *m, const void *bytes, size_t n,
			      size_t *done, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Ends our direction. */
void mover_end(struct mover *m) __attribute__((nonnull));

#endif
