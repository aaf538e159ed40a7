/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_TLS_H
#define MIG_TLS_H

#include <openssl/types.h>

#include "common/err.h"

/* Who we are and whom we trust: TLS 1.3 only, and both ends always show a
 * certificate of the same CA.  Nothing turns that off.  The files have the
 * names QEMU and libvirt use; a host that migrates with TLS has them already.
 */
enum tls_role {
	TLS_CLIENT, /* client-cert.pem, client-key.pem */
	TLS_SERVER, /* server-cert.pem, server-key.pem */
};

struct tls;

/* Loads ca-cert.pem and the role's certificate and key from dir, or, when dir
 * is NULL, from the first of /etc/pki/virt-mig, /etc/pki/libvirt-migrate and
 * /etc/pki/qemu that has them.  A certificate of ours that the other end is
 * sure to refuse (expired, of another CA, not for this role) is refused here:
 * ERR_AUTH, naming the file and the reason.
 */
struct tls *tls_open(enum tls_role role, const char *dir, struct err *e)
	__attribute__((nonnull(3), warn_unused_result));
/* Of the ends that come to us as clients only those whose certificate has one
 * of these names, as its subject's common name or as a DNS name; '*' stands
 * for anything: "*.example.org".  The names outlive all sessions.
 */
struct tls_names {
	const char *const *at;
	size_t n;
};

void tls_allow(struct tls *tls, const struct tls_names *names)
	__attribute__((nonnull));
void tls_close(struct tls *tls);
const char *tls_dir(const struct tls *tls) __attribute__((nonnull));

/* A TLS connection over fd, which stays the caller's.  A client names the
 * host, a DNS name or an IP address, that the certificate must be for; for a
 * server host is NULL.  May outlive tls.  The owner calls SSL_free().
 */
SSL *tls_session(const struct tls *tls, int fd, const char *host, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));

/* Call after a libssl call on ssl failed for good: fills *e with whose fault
 * it was and why (ERR_AUTH where a certificate or the lack of one is the
 * reason) and is -1.  An end that speaks no TLS at all is told, by an alert
 * in the clear, that this one does.
 */
int tls_failed(SSL *ssl, struct err *e) __attribute__((nonnull));

#endif
