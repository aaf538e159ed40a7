/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_UNPACK_H
#define MIG_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Unpacks what Linux kernels are packed with: gzip, xz, lzma, zstd or lz4
 * (its legacy format), told apart by their first bytes.  Writes exactly
 * out_len bytes; bytes after the packed data are not looked at.  Anything
 * else is ERR_CORRUPT, another packing ERR_USAGE.
 */
int unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len,
	   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
