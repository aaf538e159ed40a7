/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "wire/hello.h"
#include "wire/layout.h"
#include "wire/live.h"
#include "wire/message.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"

/* Any bytes as messages in a row: each body is refused, or says the same once
 * it has been written again.
 */
static struct buf again;
static struct err e;

/* The body of the message that was just written. */
static struct span
body_again(void)
{
	enum message_type type;
	uint32_t len;

	fuzz_ok(message_get_head(again.data, &type, &len, &e), &e);
	fuzz_check(again.len == MESSAGE_HEAD_BYTES + len);
	return span_of(again.data + MESSAGE_HEAD_BYTES, len);
}

static void
same_again(struct span body)
{
	struct span b = body_again();

	fuzz_check(b.left == body.left && memcmp(b.at, body.at, b.left) == 0);
}

static void
hear_hello(struct span body)
{
	struct hello h, g;

	if (hello_get(body, &h, &e) < 0)
		return;
	fuzz_ok(hello_put(&again, &h, &e), &e);
	fuzz_ok(hello_get(body_again(), &g, &e), &e);
	fuzz_check(h.version == g.version && h.purpose == g.purpose);
	fuzz_check(h.oldest > h.version || hello_check(&h, &g, &e) == 0);
}

static void
hear_offer(struct span body)
{
	struct offer o, g;

	if (offer_get(body, &o, &e) < 0)
		return;
	fuzz_ok(offer_put(&again, &o, &e), &e);
	fuzz_ok(offer_get(body_again(), &g, &e), &e);
	fuzz_check(o.nheld == g.nheld);
	for (size_t i = 0; i < o.nheld; i++)
		fuzz_check(strcmp(o.held[i].name, g.held[i].name) == 0 &&
			   o.held[i].npages == g.held[i].npages);
}

static void
hear_layout(struct span body)
{
	struct layout l;
	uint64_t offset, follow, before;

	layout_init(&l);
	if (layout_get(body, &l, &e) == 0) {
		fuzz_check(l.len <= LAYOUT_FILE_MAX);
		fuzz_check(!layout_page(&l, l.npages, &offset));
		fuzz_check(!layout_byte(&l, l.nbytes, &offset, &follow));
		if (l.npages > 0)
			fuzz_check(layout_page(&l, l.npages - 1, &offset) &&
				   offset <= l.len - 4096);
		if (l.nbytes > 0)
			fuzz_check(layout_byte(&l, l.nbytes - 1, &offset,
					       &follow) &&
				   offset < l.len && follow == 1);
		for (uint64_t n = 1; n < MIN(l.npages, (uint64_t)50); n++)
			fuzz_check(layout_page(&l, n - 1, &before) &&
				   layout_page(&l, n, &offset) &&
				   offset >= before + 4096);
		fuzz_ok(layout_put(&again, &l, &e), &e);
	}
	layout_fini(&l);
}

static void
hear_query(struct span body)
{
	struct fingerprint keyed[QUERY_MAX];
	size_t n;

	if (query_get(body, keyed, &n, &e) < 0)
		return;
	fuzz_ok(query_put(&again, keyed, n, &e), &e);
	same_again(body);
}

static void
hear_answer(struct span body)
{
	struct plan_ref refs[QUERY_MAX], back[QUERY_MAX];
	size_t n = MIN(body.left, (size_t)7);

	if (answer_get(body, refs, n, PLAN_BASES_MAX, &e) < 0)
		return;
	fuzz_ok(answer_put(&again, refs, n, &e), &e);
	fuzz_ok(answer_get(body_again(), back, n, PLAN_BASES_MAX, &e), &e);
	for (size_t i = 0; i < n; i++)
		fuzz_check(refs[i].base == back[i].base &&
			   refs[i].page == back[i].page);
}

static void
hear_agreement(enum message_type type, struct span body)
{
	struct digest regions[8];
	uint8_t held[PLAN_BASES_MAX - 1];
	struct want w;
	size_t n;

	if (type == MESSAGE_WANT && want_get(body, &w, &e) == 0)
		fuzz_ok(want_put(&again, &w, &e), &e);
	else if (type == MESSAGE_BASES && bases_get(body, 9, held, &n, &e) == 0)
		fuzz_ok(bases_put(&again, held, n, &e), &e);
	else if (type == MESSAGE_REGIONS && body.left <= sizeof(regions) &&
		 regions_get(body, regions, (uint32_t)body.left / DIGEST_BYTES,
			     &e) == 0)
		fuzz_ok(regions_put(&again, regions,
				    (uint32_t)body.left / DIGEST_BYTES, &e),
			&e);
	if (again.len > 0)
		same_again(body);
}

static void
hear_error(struct span body)
{
	struct err said;

	if (message_get_error(body, &said, &e) < 0)
		return;
	fuzz_check(said.code > ERR_NONE && said.code <= ERR_CANCELLED);
	for (const char *at = said.text; *at; at++)
		fuzz_check(*at >= ' ' && *at <= '~');
	fuzz_ok(message_put_error(&again, &said, &e), &e);
}

static void
hear_seal(struct span body)
{
	struct seal s;

	fuzz_ok(seal_init(&s, &e), &e);
	if (seal_check(body, &s, &e) == 0)
		fuzz_check(s.nframes == 0);
	seal_fini(&s);
}

static void
hear_blocks(struct span body)
{
	struct span rest = body;
	const uint8_t *name;
	uint64_t bytes;
	uint8_t len;
	size_t at;

	fuzz_ok(message_begin(&again, MESSAGE_BLOCKS, &at, &e), &e);
	while (rest.left > 0) {
		if (live_get_block(&rest, &name, &len, &bytes, &e) < 0)
			return;
		fuzz_ok(live_put_block(&again, (const char *)name, len, bytes,
				       &e),
			&e);
	}
	fuzz_ok(message_end(&again, at, &e), &e);
	same_again(body);
}

/* What is said of one channel of QEMU's. */
static void
hear_channel(enum message_type type, struct span body)
{
	struct span rest = body;
	uint64_t taken;
	uint8_t n;

	if (type == MESSAGE_CHANNEL) {
		if (live_get_channel(body, &n, &e) < 0)
			return;
		fuzz_ok(live_put_channel(&again, n, &e), &e);
	} else if (type == MESSAGE_TAKEN) {
		if (live_get_taken(body, &n, &taken, &e) < 0)
			return;
		fuzz_ok(live_put_taken(&again, n, taken, &e), &e);
	} else {
		if (live_get_return(&rest, &n, &e) < 0)
			return;
		fuzz_ok(live_put_return(&again, n, rest.at, rest.left, &e), &e);
	}
	fuzz_check(n < LIVE_CHANNELS_MAX);
	same_again(body);
}

static void
hear_end(struct span body)
{
	struct digest root;
	bool keeps;

	if (live_get_end(body, &keeps, &root, &e) < 0)
		return;
	fuzz_ok(live_put_end(&again, keeps ? &root : NULL, &e), &e);
	same_again(body);
}

static void
hear_again(struct span body)
{
	uint8_t secret[LIVE_SECRET_BYTES];
	bool sender = body.left > LIVE_SECRET_BYTES;
	uint32_t heard;

	if (live_get_again(body, sender ? secret : NULL, &heard, &e) < 0)
		return;
	fuzz_ok(live_put_again(&again, sender ? secret : NULL, heard, &e), &e);
	same_again(body);
}

/* Of a running guest. */
static void
hear_live(enum message_type type, struct span body)
{
	struct live_frame_head head, back;

	switch ((int)type) {
	case MESSAGE_FRAME:
		if (live_get_frame_head(&body, &head, &e) < 0)
			break;
		fuzz_check(!(head.flags & ~LIVE_FLAGS));
		fuzz_ok(live_put_frame_head(&again, &head, &e), &e);
		body = span_of(again.data, again.len);
		fuzz_ok(live_get_frame_head(&body, &back, &e), &e);
		fuzz_check(back.seq == head.seq && back.heard == head.heard &&
			   body.left == 0);
		break;
	case MESSAGE_BLOCKS:
		hear_blocks(body);
		break;
	case MESSAGE_CHANNEL:
	case MESSAGE_TAKEN:
	case MESSAGE_RETURN:
		hear_channel(type, body);
		break;
	case MESSAGE_END:
		hear_end(body);
		break;
	case MESSAGE_AGAIN:
		hear_again(body);
		break;
	default:
		break;
	}
}

static void
hear(enum message_type type, struct span body)
{
	uint32_t u32;
	uint64_t u64;

	switch ((int)type) {
	case MESSAGE_HELLO:
		hear_hello(body);
		break;
	case MESSAGE_OFFER:
		hear_offer(body);
		break;
	case MESSAGE_LAYOUT:
		hear_layout(body);
		break;
	case MESSAGE_WANT:
	case MESSAGE_REGIONS:
	case MESSAGE_BASES:
		hear_agreement(type, body);
		break;
	case MESSAGE_ACK:
	case MESSAGE_NAK:
		fuzz_ok(message_get_u32(body, &u32, &e), &e);
		fuzz_ok(message_put_u32(&again, type, u32, &e), &e);
		same_again(body);
		break;
	case MESSAGE_PING:
	case MESSAGE_PONG:
		fuzz_ok(message_get_u64(body, &u64, &e), &e);
		fuzz_ok(message_put_u64(&again, type, u64, &e), &e);
		same_again(body);
		break;
	case MESSAGE_QUERY:
		hear_query(body);
		break;
	case MESSAGE_ANSWER:
		hear_answer(body);
		break;
	case MESSAGE_SEAL:
		hear_seal(body);
		break;
	case MESSAGE_ERROR:
		hear_error(body);
		break;
	default:
		hear_live(type, body);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	buf_init(&again, 1 << 21);
	for (;;) {
		const uint8_t *head, *body;
		enum message_type type;
		uint32_t len;

		if (span_take(&in, MESSAGE_HEAD_BYTES, &head, &e) < 0 ||
		    message_get_head(head, &type, &len, &e) < 0 ||
		    span_take(&in, len, &body, &e) < 0)
			break;
		buf_reset(&again);
		hear(type, span_of(body, len));
	}
	buf_fini(&again);
	return 0;
}

static void
seed_agreement(struct buf *out)
{
	const struct offer o = {
		.held = { { OFFER_IMAGE, 2621440, { { 1 } }, "disk.img" },
			  { OFFER_MEMORY, 524288, { { 2 } }, "kept" },
			  { OFFER_KERNEL, 8192, { { 3 } }, "" } },
		.nheld = 3
	};
	const struct want w = { 1, 0, 512 };
	const struct digest regions[2] = { { { 1 } }, { { 2 } } };
	const uint8_t held[] = { 0, 2, 1 };

	fuzz_ok(offer_put(out, &o, &e), &e);
	fuzz_ok(want_put(out, &w, &e), &e);
	fuzz_ok(regions_put(out, regions, 2, &e), &e);
	fuzz_ok(bases_put(out, held, 3, &e), &e);
}

static void
seed_layout(struct buf *out)
{
	struct layout l;

	layout_init(&l);
	for (unsigned i = 1; i < 9; i++)
		fuzz_ok(layout_add(&l, i % 2, i * 700, &e), &e);
	fuzz_ok(layout_put(out, &l, &e), &e);
	layout_fini(&l);
}

static void
seed_stream(struct buf *out)
{
	const struct fingerprint keyed[3] = { { { 7 } }, { { 8 } } };
	const struct plan_ref refs[7] = { { 1, 5 }, { 0, 0 }, { 2, 70000 } };
	struct seal s;

	fuzz_ok(query_put(out, keyed, 3, &e), &e);
	fuzz_ok(answer_put(out, refs, 7, &e), &e);
	fuzz_ok(message_put_u32(out, MESSAGE_ACK, 1, &e), &e);
	fuzz_ok(message_put_u32(out, MESSAGE_NAK, 2, &e), &e);
	fuzz_ok(message_put_u64(out, MESSAGE_PING, 3, &e), &e);
	fuzz_ok(message_put_u64(out, MESSAGE_PONG, 4, &e), &e);
	fuzz_ok(seal_init(&s, &e), &e);
	fuzz_ok(seal_put(out, &s, &e), &e);
	seal_fini(&s);
}

static void
seed_live(struct buf *out)
{
	static const uint8_t secret[LIVE_SECRET_BYTES] = { 9 };
	const struct live_frame_head head = { 7, LIVE_TAIL | LIVE_LAST, 5 };
	const struct digest root = { { 3 } };
	size_t at;

	fuzz_ok(live_put_channel(out, 1, &e), &e);
	fuzz_ok(message_begin(out, MESSAGE_BLOCKS, &at, &e), &e);
	fuzz_ok(live_put_block(out, "pc.ram", 6, 1 << 30, &e), &e);
	fuzz_ok(live_put_block(out, "pc.bios", 7, 1 << 18, &e), &e);
	fuzz_ok(message_end(out, at, &e), &e);
	fuzz_ok(live_put_taken(out, 1, 4096, &e), &e);
	fuzz_ok(live_put_return(out, 0, secret, 8, &e), &e);
	fuzz_ok(message_begin(out, MESSAGE_FRAME, &at, &e), &e);
	fuzz_ok(live_put_frame_head(out, &head, &e), &e);
	fuzz_ok(message_end(out, at, &e), &e);
	fuzz_ok(live_put_end(out, NULL, &e), &e);
	fuzz_ok(live_put_end(out, &root, &e), &e);
	fuzz_ok(live_put_again(out, secret, 12, &e), &e);
	fuzz_ok(live_put_again(out, NULL, 13, &e), &e);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	const struct hello h = { 1, 1, 0, HELLO_MEMORY_IMAGE };
	struct err why;

	switch (i) {
	case 0:
		fuzz_ok(hello_put(out, &h, &e), &e);
		return "hello";
	case 1:
		seed_agreement(out);
		return "agreement";
	case 2:
		seed_layout(out);
		return "layout";
	case 3:
		seed_stream(out);
		return "stream";
	case 4:
		(void)err_set(&why, ERR_LIMIT, "no room for 24 MiB");
		fuzz_ok(message_put_error(out, &why, &e), &e);
		return "error";
	case 5:
		seed_live(out);
		return "live";
	default:
		return NULL;
	}
}
