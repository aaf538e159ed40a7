/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "dedup/keyed.h"

int
keyed_draw(uint8_t key[KEYED_KEY_BYTES], struct err *e)
{
	if (RAND_bytes(key, KEYED_KEY_BYTES) != 1)
		return err_set(e, ERR_SYSTEM, "libcrypto: no random bytes");
	return 0;
}

/* Fingerprints are as good as random and none comes twice for a reason that
 * is secret, so single blocks (ECB) are what is wanted here.
 */
static int
keyed_code(const uint8_t key[KEYED_KEY_BYTES], const struct fingerprint *in,
	   size_t n, struct fingerprint *out, int seal, struct err *e)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0, ok;

	ok = ctx && n <= INT_MAX / FINGERPRINT_BYTES &&
	     EVP_CipherInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL, seal) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) &&
	     EVP_CipherUpdate(ctx, (uint8_t *)out, &len, (const uint8_t *)in,
			      (int)(n * FINGERPRINT_BYTES)) &&
	     (size_t)len == n * FINGERPRINT_BYTES;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : err_set(e, ERR_SYSTEM, "libcrypto: AES failed");
}

int
keyed_seal(const uint8_t key[KEYED_KEY_BYTES], const struct fingerprint *plain,
	   size_t n, struct fingerprint *keyed, struct err *e)
{
	return keyed_code(key, plain, n, keyed, 1, e);
}

int
keyed_open(const uint8_t key[KEYED_KEY_BYTES], const struct fingerprint *keyed,
	   size_t n, struct fingerprint *plain, struct err *e)
{
	return keyed_code(key, keyed, n, plain, 0, e);
}
