/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <openssl/evp.h>
#include <string.h>
#include <xxhash.h>
/* With it XXH3 takes the widest vectors of the CPU, not those of the ABI. */
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

#include "common/digest.h"
#include "common/page.h"
#include "common/sha256x16.h"
#include "common/sha256x2.h"

static int
digest_failed(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "libcrypto: SHA-256 failed");
}

int
digest_stream_init(struct digest_stream *s, struct err *e)
{
	s->ctx = EVP_MD_CTX_new();
	if (s->ctx && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL))
		return 0;
	digest_stream_fini(s);
	return digest_failed(e);
}

int
digest_stream_update(struct digest_stream *s, const void *bytes, size_t len,
		     struct err *e)
{
	if (!EVP_DigestUpdate(s->ctx, bytes, len))
		return digest_failed(e);
	return 0;
}

int
digest_stream_final(struct digest_stream *s, struct digest *out, struct err *e)
{
	if (!EVP_DigestFinal_ex(s->ctx, out->b, NULL))
		return digest_failed(e);
	return 0;
}

void
digest_stream_fini(struct digest_stream *s)
{
	EVP_MD_CTX_free(s->ctx);
	s->ctx = NULL;
}

int
digest_bytes(const void *bytes, size_t len, struct digest *out, struct err *e)
{
	if (!EVP_Digest(bytes, len, out->b, NULL, EVP_sha256(), NULL))
		return digest_failed(e);
	return 0;
}

/* One context for all pages: making one costs more than hashing a page. */
static int
fingerprint_pages_evp(const uint8_t *const *pages, size_t n,
		      struct fingerprint *out, struct err *e)
{
	struct digest_stream s;
	struct digest d;
	int ret = digest_stream_init(&s, e);

	for (size_t i = 0; ret == 0 && i < n; i++) {
		if (!EVP_DigestInit_ex(s.ctx, NULL, NULL) ||
		    !EVP_DigestUpdate(s.ctx, pages[i], PAGE_BYTES) ||
		    !EVP_DigestFinal_ex(s.ctx, d.b, NULL))
			ret = digest_failed(e);
		else
			memcpy(out[i].b, d.b, FINGERPRINT_BYTES);
	}
	digest_stream_fini(&s);
	return ret;
}

static size_t
fingerprint_pages_x16(const uint8_t *const *pages, size_t n,
		      struct fingerprint *out)
{
	uint8_t digests[16][DIGEST_BYTES];
	size_t i = 0;

	for (; i + 16 <= n; i += 16) {
		sha256x16_pages(pages + i, digests);
		for (size_t k = 0; k < 16; k++)
			memcpy(out[i + k].b, digests[k], FINGERPRINT_BYTES);
	}
	return i;
}

static size_t
fingerprint_pages_x2(const uint8_t *const *pages, size_t n,
		     struct fingerprint *out)
{
	struct digest a, b;
	size_t i = 0;

	for (; i + 2 <= n; i += 2) {
		sha256x2_pages(pages[i], pages[i + 1], a.b, b.b);
		memcpy(out[i].b, a.b, FINGERPRINT_BYTES);
		memcpy(out[i + 1].b, b.b, FINGERPRINT_BYTES);
	}
	return i;
}

int
fingerprint_pages(const uint8_t *const *pages, size_t n,
		  struct fingerprint *out, struct err *e)
{
	size_t i = 0;

	if (n >= 16 && sha256x16_works())
		i = fingerprint_pages_x16(pages, n, out);
	if (sha256x2_works())
		i += fingerprint_pages_x2(pages + i, n - i, out + i);
	return i < n ? fingerprint_pages_evp(pages + i, n - i, out + i, e) : 0;
}

uint64_t
digest_hint(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}
