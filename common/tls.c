/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/tls.h"

#define TLS_PATH_MAX 4096

struct tls {
	SSL_CTX *ctx;
	enum tls_role role;
	char dir[TLS_PATH_MAX - 32];
};

static const char *const tls_dirs[] = {
	"/etc/pki/virt-mig",
	"/etc/pki/libvirt-migrate",
	"/etc/pki/qemu",
};

static const char *const tls_files[][3] = {
	[TLS_CLIENT] = { "ca-cert.pem", "client-cert.pem", "client-key.pem" },
	[TLS_SERVER] = { "ca-cert.pem", "server-cert.pem", "server-key.pem" },
};

enum {
	FILE_CA,
	FILE_CERT,
	FILE_KEY
};

/* The newest libssl error; the queue is empty afterwards. */
static const char *
tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(code);

	ERR_clear_error();
	return text ? text : "unknown reason";
}

static void
tls_path(const struct tls *tls, int file, char out[TLS_PATH_MAX])
{
	snprintf(out, TLS_PATH_MAX, "%s/%s", tls->dir,
		 tls_files[tls->role][file]);
}

static bool
tls_dir_has_all(struct tls *tls, const char *dir, struct err *e)
{
	char path[TLS_PATH_MAX];

	snprintf(tls->dir, sizeof(tls->dir), "%s", dir);
	for (int i = FILE_CA; i <= FILE_KEY; i++) {
		tls_path(tls, i, path);
		if (access(path, R_OK) < 0) {
			(void)err_sys(e, "%.180s", path);
			e->code = ERR_AUTH;
			return false;
		}
	}
	return true;
}

static int
tls_find_dir(struct tls *tls, const char *dir, struct err *e)
{
	const char *const *names = tls_files[tls->role];

	if (dir)
		return tls_dir_has_all(tls, dir, e) ? 0 : -1;
	for (size_t i = 0; i < ARRAY_LEN(tls_dirs); i++)
		if (tls_dir_has_all(tls, tls_dirs[i], e))
			return 0;
	return err_set(e, ERR_AUTH,
		       "TLS is needed, but none of %s, %s, %s has %s, %s and "
		       "%s; see virt-mig(1)",
		       tls_dirs[0], tls_dirs[1], tls_dirs[2], names[FILE_CA],
		       names[FILE_CERT], names[FILE_KEY]);
}

static int
tls_load(struct tls *tls, struct err *e)
{
	char path[3][TLS_PATH_MAX];

	for (int i = FILE_CA; i <= FILE_KEY; i++)
		tls_path(tls, i, path[i]);
	if (!SSL_CTX_load_verify_file(tls->ctx, path[FILE_CA]))
		return err_set(e, ERR_AUTH, "%.150s: not a CA certificate: %s",
			       path[FILE_CA], tls_reason());
	if (!SSL_CTX_use_certificate_chain_file(tls->ctx, path[FILE_CERT]))
		return err_set(e, ERR_AUTH, "%.150s: not a certificate: %s",
			       path[FILE_CERT], tls_reason());
	if (!SSL_CTX_use_PrivateKey_file(tls->ctx, path[FILE_KEY],
					 SSL_FILETYPE_PEM))
		return err_set(e, ERR_AUTH, "%.150s: not the key of %s: %s",
			       path[FILE_KEY], tls_files[tls->role][FILE_CERT],
			       tls_reason());
	return 0;
}

/* Looks at our own certificate with the eyes of the other end. */
static int
tls_check_own(const struct tls *tls, struct err *e)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	X509 *cert = SSL_CTX_get0_certificate(tls->ctx);
	STACK_OF(X509) *chain = NULL;
	char path[TLS_PATH_MAX];
	int ok = 0, why = X509_V_ERR_OUT_OF_MEM;

	SSL_CTX_get0_chain_certs(tls->ctx, &chain);
	if (check &&
	    X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(tls->ctx), cert,
				chain)) {
		X509_STORE_CTX_set_default(check, tls->role == TLS_SERVER
							  ? "ssl_server"
							  : "ssl_client");
		ok = X509_verify_cert(check) == 1;
		why = X509_STORE_CTX_get_error(check);
	}
	X509_STORE_CTX_free(check);
	if (ok)
		return 0;
	ERR_clear_error();
	tls_path(tls, FILE_CERT, path);
	return err_set(e, ERR_AUTH, "%.150s: %s", path,
		       X509_verify_cert_error_string(why));
}

static int
tls_configure(SSL_CTX *ctx, struct err *e)
{
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
					   "TLS_AES_256_GCM_SHA384:"
					   "TLS_CHACHA20_POLY1305_SHA256"))
		return err_set(e, ERR_SYSTEM, "TLS 1.3: %s", tls_reason());
	SSL_CTX_set_verify(
		ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* Every session is verified from the start: nothing is resumed. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	/* The link retries a write from wherever its queue then stands. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, 128 << 10);
	return 0;
}

struct tls *
tls_open(enum tls_role role, const char *dir, struct err *e)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls) {
		(void)err_sys(e, "TLS");
		return NULL;
	}
	tls->role = role;
	tls->ctx = SSL_CTX_new(role == TLS_SERVER ? TLS_server_method()
						  : TLS_client_method());
	if (!tls->ctx)
		(void)err_set(e, ERR_SYSTEM, "TLS: %s", tls_reason());
	else if (tls_find_dir(tls, dir, e) == 0 &&
		 tls_configure(tls->ctx, e) == 0 && tls_load(tls, e) == 0 &&
		 tls_check_own(tls, e) == 0)
		return tls;
	tls_close(tls);
	return NULL;
}

static bool
tls_name_matches(const struct tls_names *names, const ASN1_STRING *name)
{
	const char *text = (const char *)ASN1_STRING_get0_data(name);
	size_t len = (size_t)ASN1_STRING_length(name);
	char copy[256];

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < names->n; i++)
		if (fnmatch(names->at[i], copy, FNM_NOESCAPE | FNM_CASEFOLD) ==
		    0)
			return true;
	return false;
}

static bool
tls_is_allowed(const struct tls_names *names, const X509 *cert)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	GENERAL_NAMES *others =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;
	int at = -1;

	while (!found && (at = X509_NAME_get_index_by_NID(
				  subject, NID_commonName, at)) >= 0)
		found = tls_name_matches(
			names, X509_NAME_ENTRY_get_data(
				       X509_NAME_get_entry(subject, at)));
	for (int i = 0; !found && i < sk_GENERAL_NAME_num(others); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(others, i);

		found = name->type == GEN_DNS &&
			tls_name_matches(names, name->d.dNSName);
	}
	GENERAL_NAMES_free(others);
	return found;
}

/* Called for each certificate of a chain, the end's own last. */
static int
tls_on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_names *names =
		SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!ok || X509_STORE_CTX_get_error_depth(store) > 0 || !names ||
	    tls_is_allowed(names, X509_STORE_CTX_get_current_cert(store)))
		return ok;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

void
tls_allow(struct tls *tls, const struct tls_names *names)
{
	SSL_CTX_set_app_data(tls->ctx, (void *)(uintptr_t)names);
	SSL_CTX_set_verify(tls->ctx, SSL_CTX_get_verify_mode(tls->ctx),
			   tls_on_verify);
}

void
tls_close(struct tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

const char *
tls_dir(const struct tls *tls)
{
	return tls->dir;
}

static bool
tls_host_is_ip(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 ||
	       inet_pton(AF_INET6, host, &any) == 1;
}

/* The name goes into the ClientHello too (SNI), where an IP has no place. */
static bool
tls_expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (tls_host_is_ip(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *
tls_session(const struct tls *tls, int fd, const char *host, struct err *e)
{
	SSL *ssl = SSL_new(tls->ctx);
	bool client = tls->role == TLS_CLIENT;

	if (ssl && SSL_set_fd(ssl, fd) == 1 &&
	    (!client || (host && *host && tls_expect_host(ssl, host)))) {
		if (client)
			SSL_set_connect_state(ssl);
		else
			SSL_set_accept_state(ssl);
		return ssl;
	}
	(void)err_set(e, ERR_SYSTEM, "TLS session: %s", tls_reason());
	SSL_free(ssl);
	return NULL;
}

/* What the other end's alert means for the user of this end; NULL where it
 * is not about certificates.
 */
static const char *
tls_alert_meaning(int reason)
{
	switch (reason) {
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return "it is of a CA the other end does not trust";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
		return "it has expired";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
		return "it was revoked";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
		return "it is damaged or not for this host";
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
		return "it is not for this use";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return "the other end does not accept it";
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "none was shown";
	default:
		return NULL;
	}
}

static int
tls_failed_verify(SSL *ssl, long verify, struct err *e)
{
	const char *host = X509_VERIFY_PARAM_get0_host(SSL_get0_param(ssl), 0);

	if (verify == X509_V_ERR_HOSTNAME_MISMATCH && host)
		return err_set(e, ERR_AUTH,
			       "the other end's certificate is not for %.150s",
			       host);
	if (verify == X509_V_ERR_APPLICATION_VERIFICATION)
		return err_set(e, ERR_AUTH,
			       "the other end's certificate has no name that "
			       "is allowed here");
	return err_set(e, ERR_AUTH, "the other end's certificate: %s",
		       X509_verify_cert_error_string(verify));
}

/* libssl says nothing to an end whose first bytes are no TLS. */
static void
tls_tell_stranger(const SSL *ssl)
{
	/* alert, version, length; fatal, protocol_version */
	static const uint8_t alert[] = { 0x15, 3, 3, 0, 2, 2, 70 };

	if (SSL_is_init_finished(ssl) ||
	    send(SSL_get_fd(ssl), alert, sizeof(alert), MSG_NOSIGNAL) < 0)
		return;
}

int
tls_failed(SSL *ssl, struct err *e)
{
	unsigned long code = ERR_peek_last_error();
	long verify = SSL_get_verify_result(ssl);
	int reason = ERR_GET_REASON(code);
	const char *meaning = tls_alert_meaning(reason);

	if (verify != X509_V_OK) {
		ERR_clear_error();
		return tls_failed_verify(ssl, verify, e);
	}
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return err_set(e, ERR_SYSTEM, "TLS: %s", tls_reason());
	if (meaning) {
		ERR_clear_error();
		return err_set(e, ERR_AUTH, "our certificate was refused: %s",
			       meaning);
	}
	switch (reason) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		ERR_clear_error();
		return err_set(e, ERR_AUTH,
			       "the other end showed no certificate");
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		ERR_clear_error();
		tls_tell_stranger(ssl);
		return err_set(e, ERR_AUTH, "the other end does not speak TLS");
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		ERR_clear_error();
		return err_set(e, ERR_AUTH,
			       "the other end does not speak TLS 1.3");
	default:
		return err_set(e, ERR_PROTOCOL, "TLS: %s", tls_reason());
	}
}
