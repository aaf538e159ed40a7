/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "codec/codec.h"
#include "common/mem.h"

/* One byte: the codec (low four bits) and the level to encode at (high four).
 * Two bytes: how long the decoded block is said to be.  The rest is a block to
 * decode, and then bytes to encode that must come back.
 */
static struct codec_set *set; /* as in a worker: contexts are reused */

static void
decode_hostile(unsigned id, struct span in, uint16_t out_len)
{
	auto_free uint8_t *out = malloc(MAX(out_len, 1));
	struct err e;

	fuzz_check(out != NULL);
	if (codec_decode(set, id, in.at, in.left, out, out_len, &e) < 0)
		fuzz_check(e.code == ERR_PROTOCOL);
}

static void
come_back(struct codec_choice choice, struct span in)
{
	auto_free uint8_t *coded = malloc(MAX(codec_bound(in.left), 1ul));
	auto_free uint8_t *out = malloc(MAX(in.left, 1ul));
	enum codec_id used;
	struct err e;
	size_t n;

	fuzz_check(coded && out);
	fuzz_ok(codec_encode(set, choice, in.at, in.left, coded, &n, &used, &e),
		&e);
	fuzz_check(n <= in.left);
	fuzz_ok(codec_decode(set, used, coded, n, out, in.left, &e), &e);
	fuzz_check(memcmp(out, in.at, in.left) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int lowest[CODEC__MAX] = { 0, 0, 1, -7, 0, 0 };
	static const int highest[CODEC__MAX] = { 0, 0, 9, 8, 9, 2 };
	struct span in = span_of(data, size);
	struct codec_choice choice;
	uint16_t out_len;
	uint8_t codec;
	struct err e;

	if (!set)
		set = codec_set_new(&e);
	fuzz_check(set != NULL);
	if (span_get_u8(&in, &codec, &e) < 0 ||
	    span_get_u16(&in, &out_len, &e) < 0)
		return 0;
	decode_hostile(codec & 15, in, out_len);
	choice.id = (codec & 15) % CODEC__MAX;
	choice.level = lowest[choice.id] + (codec >> 4);
	choice.level = MIN(choice.level, highest[choice.id]);
	come_back(choice, in);
	return 0;
}

/* Each codec with a block that it made itself. */
const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const int levels[CODEC__MAX] = { 0, 0, 6, 3, 2, 1 };
	uint8_t plain[1024], coded[1024];
	enum codec_id used;
	struct err e;
	size_t n;

	if (i >= CODEC__MAX)
		return NULL;
	for (size_t at = 0; at < sizeof(plain); at++)
		plain[at] = (uint8_t)(at % 8 == 0 ? at / 8 : at * at >> 12);
	if (!set)
		set = codec_set_new(&e);
	fuzz_check(set != NULL);
	fuzz_ok(codec_encode(set, (struct codec_choice){ i, levels[i] }, plain,
			     sizeof(plain), coded, &n, &used, &e),
		&e);
	fuzz_check(used == i);
	fuzz_ok(buf_put_u8(out, (uint8_t)i, &e), &e);
	fuzz_ok(buf_put_u16(out, sizeof(plain), &e), &e);
	fuzz_ok(buf_put(out, coded, n, &e), &e);
	return codec_name(i);
}
