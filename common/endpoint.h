/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ENDPOINT_H
#define MIG_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/err.h"

/* Where a connection goes to or comes in: what the user wrote, and the socket
 * addresses that it means.
 */
#define ENDPOINT_HOST_MAX  256
#define ENDPOINT_ADDRS_MAX 8
#define ENDPOINT_TEXT_MAX  300
#define ENDPOINT_IP_MAX    64

struct endpoint {
	char host[ENDPOINT_HOST_MAX]; /* name or IP; "": any; a path if unix */
	uint16_t port;
	bool is_unix;
};

struct endpoint_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Takes HOST, HOST:PORT, [IPV6]:PORT, IPV6, :PORT or unix:PATH; ERR_USAGE. */
int endpoint_parse(const char *text, uint16_t default_port, struct endpoint *ep,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

/* The addresses to connect to, best first; waits for the name service. */
int endpoint_resolve(const struct endpoint *ep,
		     struct endpoint_addr out[ENDPOINT_ADDRS_MAX], size_t *n,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* A listening, non-blocking socket.  *bound is where it listens: the port is
 * filled in where ep says 0.  A unix socket is for its owner only, and the
 * remains of a listener that died are cleared away first.
 */
int endpoint_listen(const struct endpoint *ep, int *fd,
		    struct endpoint_addr *bound, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* A connection to there, non-blocking: the first of its addresses that takes
 * it within ENDPOINT_CONNECT_MS.  Waits.
 */
#define ENDPOINT_CONNECT_MS 5000
int endpoint_connect(const struct endpoint *ep, int *fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Whether what goes there never leaves this host: a unix socket, 127.0.0.0/8
 * or ::1.  Only there does virt-mig speak without TLS.
 */
bool endpoint_addr_is_local(const struct endpoint_addr *addr)
	__attribute__((nonnull));
/* "192.0.2.1:49216", "[2001:db8::1]:49216", "unix:/run/x".  Who calls by IPv4
 * is the same host whether the socket that took it is of IPv4 or IPv6.
 */
void endpoint_addr_text(const struct endpoint_addr *addr,
			char out[ENDPOINT_TEXT_MAX]) __attribute__((nonnull));
/* Without the port: "192.0.2.1"; "" of a unix socket. */
void endpoint_addr_host(const struct endpoint_addr *addr,
			char out[ENDPOINT_IP_MAX]) __attribute__((nonnull));

#endif
