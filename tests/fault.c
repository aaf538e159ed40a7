/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <lzma.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "tests/fault.h"

static struct {
	uint64_t left; /* calls until one fails; 0: none will */
	bool all, failed;
	int64_t held, peak;
} fault;

void
fault_begin(uint64_t n, bool all)
{
	fault.left = n;
	fault.all = all;
	fault.failed = false;
}

bool
fault_end(void)
{
	fault.left = 0;
	return fault.failed;
}

static bool
fault_now(void)
{
	if (fault.left == 0 || --fault.left > 0)
		return false;
	fault.left = fault.all;
	fault.failed = true;
	errno = ENOMEM;
	return true;
}

int64_t
fault_held(void)
{
	return fault.held;
}

void
fault_peak_begin(void)
{
	fault.peak = fault.held;
}

int64_t
fault_peak(void)
{
	return fault.peak;
}

static void
fault_count(int64_t bytes)
{
	fault.held += bytes;
	if (fault.held > fault.peak)
		fault.peak = fault.held;
}

/* What the linker puts in place of each call, and how that reaches the real
 * one (--wrap).
 */
#define WRAP(type, name, ...)                                                  \
	type __real_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t n)
{
	void *p = fault_now() ? NULL : __real_malloc(n);

	fault_count((int64_t)malloc_usable_size(p));
	return p;
}

WRAP(void *, calloc, size_t n, size_t size)
{
	void *p = fault_now() ? NULL : __real_calloc(n, size);

	fault_count((int64_t)malloc_usable_size(p));
	return p;
}

WRAP(void *, aligned_alloc, size_t align, size_t n)
{
	void *p = fault_now() ? NULL : __real_aligned_alloc(align, n);

	fault_count((int64_t)malloc_usable_size(p));
	return p;
}

WRAP(void *, realloc, void *old, size_t n)
{
	int64_t was = (int64_t)malloc_usable_size(old);
	void *p = fault_now() ? NULL : __real_realloc(old, n);

	if (p)
		fault_count((int64_t)malloc_usable_size(p) - was);
	return p;
}

WRAP(void, free, void *p)
{
	fault_count(-(int64_t)malloc_usable_size(p));
	__real_free(p);
}

WRAP(int, eventfd, unsigned count, int flags)
{
	return fault_now() ? -1 : __real_eventfd(count, flags);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr,
     void *(*fn)(void *), void *arg)
{
	return fault_now() ? EAGAIN
			   : __real_pthread_create(thread, attr, fn, arg);
}

WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, void)
{
	EVP_MD_CTX *ctx = fault_now() ? NULL : __real_EVP_MD_CTX_new();

	fault_count(ctx != NULL);
	return ctx;
}

WRAP(void, EVP_MD_CTX_free, EVP_MD_CTX *ctx)
{
	fault_count(-(ctx != NULL));
	__real_EVP_MD_CTX_free(ctx);
}

WRAP(int, EVP_DigestInit_ex, EVP_MD_CTX *ctx, const EVP_MD *type, ENGINE *impl)
{
	return fault_now() ? 0 : __real_EVP_DigestInit_ex(ctx, type, impl);
}

WRAP(int, EVP_DigestUpdate, EVP_MD_CTX *ctx, const void *d, size_t n)
{
	return fault_now() ? 0 : __real_EVP_DigestUpdate(ctx, d, n);
}

WRAP(int, EVP_DigestFinal_ex, EVP_MD_CTX *ctx, unsigned char *md, unsigned *n)
{
	return fault_now() ? 0 : __real_EVP_DigestFinal_ex(ctx, md, n);
}

WRAP(ZSTD_CCtx *, ZSTD_createCCtx, void)
{
	return fault_now() ? NULL : __real_ZSTD_createCCtx();
}

WRAP(ZSTD_DCtx *, ZSTD_createDCtx, void)
{
	return fault_now() ? NULL : __real_ZSTD_createDCtx();
}

WRAP(size_t, ZSTD_compressCCtx, ZSTD_CCtx *c, void *out, size_t cap,
     const void *in, size_t n, int level)
{
	return fault_now()
		       ? (size_t)-ZSTD_error_memory_allocation
		       : __real_ZSTD_compressCCtx(c, out, cap, in, n, level);
}

WRAP(int, deflateInit2_, z_streamp s, int level, int method, int bits, int mem,
     int strategy, const char *version, int size)
{
	return fault_now() ? Z_MEM_ERROR
			   : __real_deflateInit2_(s, level, method, bits, mem,
						  strategy, version, size);
}

WRAP(int, inflateInit2_, z_streamp s, int bits, const char *version, int size)
{
	return fault_now() ? Z_MEM_ERROR
			   : __real_inflateInit2_(s, bits, version, size);
}

WRAP(lzma_ret, lzma_raw_encoder, lzma_stream *s, const lzma_filter *f)
{
	return fault_now() ? LZMA_MEM_ERROR : __real_lzma_raw_encoder(s, f);
}

WRAP(lzma_ret, lzma_raw_decoder, lzma_stream *s, const lzma_filter *f)
{
	return fault_now() ? LZMA_MEM_ERROR : __real_lzma_raw_decoder(s, f);
}

void
fault_libevent(void)
{
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
}
