/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/endpoint.h"
#include "common/mem.h"

#define LISTEN_BACKLOG 8

static int
endpoint_bad(const char *text, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "'%.100s': %s", text, why);
}

static int
endpoint_set_host(struct endpoint *ep, const char *text, const char *host,
		  size_t len, struct err *e)
{
	if (len >= sizeof(ep->host))
		return endpoint_bad(text, "the host name is too long", e);
	memcpy(ep->host, host, len);
	ep->host[len] = '\0';
	return 0;
}

static int
endpoint_set_port(struct endpoint *ep, const char *text, const char *port,
		  struct err *e)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(port, &end, 10);
	if (errno || *port < '0' || *port > '9' || *end || n > UINT16_MAX)
		return endpoint_bad(text, "the port is not 0 to 65535", e);
	ep->port = (uint16_t)n;
	return 0;
}

static int
endpoint_parse_unix(struct endpoint *ep, const char *text, const char *path,
		    struct err *e)
{
	struct sockaddr_un sun;

	if (!*path || strlen(path) >= sizeof(sun.sun_path))
		return endpoint_bad(text, "the path is empty or too long", e);
	ep->is_unix = true;
	return endpoint_set_host(ep, text, path, strlen(path), e);
}

int
endpoint_parse(const char *text, uint16_t default_port, struct endpoint *ep,
	       struct err *e)
{
	const char *colon = strchr(text, ':'), *host = text, *port = NULL;
	size_t len = strlen(text);

	*ep = (struct endpoint){ .port = default_port };
	if (strncmp(text, "unix:", 5) == 0)
		return endpoint_parse_unix(ep, text, text + 5, e);
	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return endpoint_bad(text, "not [IPV6]:PORT", e);
		host = text + 1;
		len = (size_t)(close - host);
		port = close[1] ? close + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		len = (size_t)(colon - text);
		port = colon + 1;
	}
	if (port && endpoint_set_port(ep, text, port, e) < 0)
		return -1;
	return endpoint_set_host(ep, text, host, len, e);
}

static struct endpoint_addr
endpoint_unix_addr(const struct endpoint *ep)
{
	struct endpoint_addr addr = { .len = sizeof(struct sockaddr_un) };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, ep->host,
	       MIN(strlen(ep->host), sizeof(sun.sun_path) - 1));
	memcpy(&addr.sa, &sun, sizeof(sun));
	return addr;
}

static int
endpoint_lookup(const struct endpoint *ep, int flags,
		struct endpoint_addr out[ENDPOINT_ADDRS_MAX], size_t *n,
		struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = flags | AI_NUMERICSERV };
	struct addrinfo *list;
	char port[8];
	int gai;

	snprintf(port, sizeof(port), "%u", ep->port);
	gai = getaddrinfo(*ep->host ? ep->host : NULL, port, &hints, &list);
	if (gai)
		return err_set(e, ERR_SYSTEM, "%.100s: %s", ep->host,
			       gai_strerror(gai));
	*n = 0;
	for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		if (*n == ENDPOINT_ADDRS_MAX)
			break;
		out[*n] = (struct endpoint_addr){ .len = ai->ai_addrlen };
		memcpy(&out[*n].sa, ai->ai_addr, ai->ai_addrlen);
		*n += 1;
	}
	freeaddrinfo(list);
	return 0;
}

int
endpoint_resolve(const struct endpoint *ep,
		 struct endpoint_addr out[ENDPOINT_ADDRS_MAX], size_t *n,
		 struct err *e)
{
	if (!ep->is_unix)
		return endpoint_lookup(ep, 0, out, n, e);
	out[0] = endpoint_unix_addr(ep);
	*n = 1;
	return 0;
}

/* Removes the socket file of a listener that is no more.  One that still
 * answers is left alone; bind() then says that it is in use.
 */
static void
endpoint_clear_stale(const struct endpoint_addr *addr, const char *path)
{
	struct stat st;
	auto_fd int fd = -1;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0 &&
	    errno == ECONNREFUSED)
		unlink(path);
}

static int
endpoint_bind(int fd, const struct endpoint_addr *addr, struct err *e)
{
	char text[ENDPOINT_TEXT_MAX];
	int on = 1, off = 0;
	bool is_unix = addr->sa.ss_family == AF_UNIX;
	mode_t mask = is_unix ? umask(0177) : 0;
	int ret;

	if (!is_unix)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (addr->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	ret = bind(fd, (const struct sockaddr *)&addr->sa, addr->len);
	if (ret == 0)
		ret = listen(fd, LISTEN_BACKLOG);
	if (is_unix)
		umask(mask);
	if (ret == 0)
		return 0;
	endpoint_addr_text(addr, text);
	return err_sys(e, "listening on %.150s", text);
}

static int
endpoint_listen_at(const struct endpoint_addr *addr, int *out, struct err *e)
{
	auto_fd int fd = socket(addr->sa.ss_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (endpoint_bind(fd, addr, e) < 0)
		return -1;
	*out = fd;
	fd = -1;
	return 0;
}

/* Where any address will do, IPv6 comes first: its socket takes IPv4 too. */
static void
endpoint_prefer_v6(struct endpoint_addr *addrs, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (addrs[0].sa.ss_family != AF_INET6 &&
		    addrs[i].sa.ss_family == AF_INET6) {
			struct endpoint_addr first = addrs[0];

			addrs[0] = addrs[i];
			addrs[i] = first;
		}
}

int
endpoint_listen(const struct endpoint *ep, int *fd, struct endpoint_addr *bound,
		struct err *e)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	size_t n = 1;

	if (ep->is_unix) {
		addrs[0] = endpoint_unix_addr(ep);
		endpoint_clear_stale(&addrs[0], ep->host);
	} else if (endpoint_lookup(ep, AI_PASSIVE, addrs, &n, e) < 0) {
		return -1;
	}
	if (!*ep->host)
		endpoint_prefer_v6(addrs, n);
	for (size_t i = 0; i < n; i++) {
		if (endpoint_listen_at(&addrs[i], fd, e) < 0)
			continue;
		bound->len = sizeof(bound->sa);
		memset(&bound->sa, 0, sizeof(bound->sa));
		if (getsockname(*fd, (struct sockaddr *)&bound->sa,
				&bound->len) == 0)
			return 0;
		(void)err_sys(e, "getsockname");
		close(*fd);
		return -1;
	}
	return -1;
}

static int
wait_connected(int fd, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int why = 0, n;

	do
		n = poll(&p, 1, ENDPOINT_CONNECT_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(e, ERR_LIMIT, "no answer within %d s",
			       ENDPOINT_CONNECT_MS / 1000);
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return err_sys(e, "connecting");
	errno = why;
	return why ? err_sys(e, "connecting") : 0;
}

static int
connect_to(const struct endpoint_addr *addr, int *out, struct err *e)
{
	auto_fd int fd = socket(addr->sa.ss_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0) {
		if (errno != EINPROGRESS)
			return err_sys(e, "connecting");
		if (wait_connected(fd, e) < 0)
			return -1;
	}
	*out = fd;
	fd = -1;
	return 0;
}

int
endpoint_connect(const struct endpoint *ep, int *fd, struct err *e)
{
	struct endpoint_addr addrs[ENDPOINT_ADDRS_MAX];
	size_t n;

	if (endpoint_resolve(ep, addrs, &n, e) < 0)
		return -1;
	(void)err_set(e, ERR_SYSTEM, "it has no address");
	for (size_t i = 0; i < n; i++)
		if (connect_to(&addrs[i], fd, e) == 0)
			return 0;
	return -1;
}

/* The same address; an IPv4 one as such, even if it came to an IPv6 socket. */
static struct endpoint_addr
endpoint_plain(const struct endpoint_addr *addr)
{
	struct endpoint_addr plain = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6;

	memcpy(&in6, &addr->sa, sizeof(in6));
	if (addr->sa.ss_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return *addr;
	in.sin_port = in6.sin6_port;
	memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, sizeof(in.sin_addr));
	memcpy(&plain.sa, &in, sizeof(in));
	return plain;
}

bool
endpoint_addr_is_local(const struct endpoint_addr *addr)
{
	const struct endpoint_addr plain = endpoint_plain(addr);
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (plain.sa.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		memcpy(&in, &plain.sa, sizeof(in));
		return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
	case AF_INET6:
		memcpy(&in6, &plain.sa, sizeof(in6));
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	default:
		return false;
	}
}

void
endpoint_addr_text(const struct endpoint_addr *addr,
		   char out[ENDPOINT_TEXT_MAX])
{
	const struct endpoint_addr plain = endpoint_plain(addr);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_un sun;
	bool v6 = plain.sa.ss_family == AF_INET6;

	if (addr->sa.ss_family == AF_UNIX) {
		memcpy(&sun, &addr->sa, sizeof(sun));
		snprintf(out, ENDPOINT_TEXT_MAX, "unix:%.*s",
			 (int)sizeof(sun.sun_path), sun.sun_path);
		return;
	}
	if (getnameinfo((const struct sockaddr *)&plain.sa, plain.len, host,
			sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(out, ENDPOINT_TEXT_MAX, "(unknown address)");
		return;
	}
	snprintf(out, ENDPOINT_TEXT_MAX, v6 ? "[%.200s]:%s" : "%.200s:%s", host,
		 port);
}

void
endpoint_addr_host(const struct endpoint_addr *addr, char out[ENDPOINT_IP_MAX])
{
	const struct endpoint_addr plain = endpoint_plain(addr);

	if (plain.sa.ss_family == AF_UNIX ||
	    getnameinfo((const struct sockaddr *)&plain.sa, plain.len, out,
			ENDPOINT_IP_MAX, NULL, 0, NI_NUMERICHOST) != 0)
		*out = '\0';
}
