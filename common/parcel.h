/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PARCEL_H
#define MIG_PARCEL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* What our own processes say to each other: one JSON object and the open
 * files that go with it, over unix sockets that keep packets apart.  The other
 * end may be a process that a peer has taken over: all is checked.
 */
#define PARCEL_BYTES 65536
#define PARCEL_FDS   48

struct parcel {
	json_t *body; /* an object */
	int fds[PARCEL_FDS];
	size_t nfds;
};

/* A connected pair, closed on exec. */
int parcel_pair(int pair[2], struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A socket of that type at path, in place of one that is there, for uid and
 * gid only, by mode; and a connection to one.  SOCK_SEQPACKET, or SOCK_DGRAM
 * where parcels only come.
 */
struct parcel_socket {
	const char *path;
	int type;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

int parcel_listen(const struct parcel_socket *s, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int parcel_connect(const char *path, int type, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Sends body, which is released even if that fails, and copies of fds.
 * Waits; ERR_PROTOCOL with nobody at the other end.
 */
int parcel_send(int fd, json_t *body, const int *fds, size_t nfds,
		struct err *e) __attribute__((nonnull(5), warn_unused_result));
/* The same, but does not wait: ERR_LIMIT where that would be needed. */
int parcel_send_now(int fd, json_t *body, const int *fds, size_t nfds,
		    struct err *e)
	__attribute__((nonnull(5), warn_unused_result));
/* The next parcel: 1, or 0 when the other end is gone.  Waits, unless fd is
 * non-blocking: then ERR_LIMIT where there is none yet.
 */
int parcel_receive(int fd, struct parcel *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Releases the body and closes all files that parcel_take_fd() has left. */
void parcel_free(struct parcel *p) __attribute__((nonnull));

/* "" where the parcel has no such text. */
const char *parcel_text(const struct parcel *p, const char *key)
	__attribute__((nonnull));
/* 0 where it has no such number or one that is less than 0. */
uint64_t parcel_number(const struct parcel *p, const char *key)
	__attribute__((nonnull));
/* The i-th file, which is now the caller's; -1 where there is none. */
int parcel_take_fd(struct parcel *p, size_t i) __attribute__((nonnull));

#endif
