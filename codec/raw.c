/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"

static int
raw_decode(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	   size_t out_len, struct err *e)
{
	(void)ctx;
	if (len != out_len)
		return codec_bad_block("raw", len, e);
	if (len > 0)
		memcpy(out, in, len);
	return 0;
}

/* codec_encode() copies by itself. */
const struct codec_impl codec_raw = {
	.name = "raw",
	.decode = raw_decode,
};
