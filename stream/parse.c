/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>

#include "common/mem.h"
#include "stream/parse-impl.h"
#include "stream/parse.h"

#define MAGIC_MAIN    0x5145564du /* "QEVM" */
#define MAGIC_MULTIFD 0x11223344u
#define TLS_HANDSHAKE 0x16

void
stream_parser_init(struct stream_parser *p, struct stream_blocks *blocks)
{
	*p = (struct stream_parser){
		.blocks = blocks,
		.block = STREAM_NO_BLOCK,
		/* no section has these numbers */
		.ram_id = UINT32_MAX,
		.bitmap_id = UINT32_MAX,
	};
}

bool
stream_go_opaque(struct stream_parser *p, struct stream_look *l,
		 const char *why)
{
	p->state = STATE_OPAQUE;
	p->opaque = why;
	if (p->role == STREAM_NEW)
		p->role = STREAM_OPAQUE;
	l->at = l->n;
	return true;
}

bool
stream_skip(struct stream_parser *p, uint64_t len, enum stream_state then)
{
	p->state = (uint8_t)(len > 0 ? STATE_SKIP : then);
	p->then = (uint8_t)then;
	p->skip = len;
	return true;
}

static bool
step_skip(struct stream_parser *p, struct stream_look *l,
	  struct stream_item *it)
{
	uint64_t now = MIN(p->skip, l->n);

	(void)it;
	l->at = now;
	return stream_skip(p, p->skip - now, p->then);
}

static bool
step_rest(struct stream_parser *p, struct stream_look *l,
	  struct stream_item *it)
{
	if (p->state == STATE_EOF)
		it->kind = STREAM_EOF;
	l->at = l->n;
	return true;
}

static bool
step_magic(struct stream_parser *p, struct stream_look *l,
	   struct stream_item *it)
{
	uint32_t magic;

	if (!look_be32(l, &magic))
		return false;
	if (magic == MAGIC_MAIN)
		return stream_begin_main(p, l, it);
	if (magic == MAGIC_MULTIFD)
		return stream_begin_multifd(p, l, it);
	p->coded = magic >> 24 == TLS_HANDSHAKE;
	return stream_go_opaque(p, l,
				p->coded ? "encrypted by QEMU (TLS)"
					 : "not the beginning of a migration");
}

static stream_step *const steps[] = {
	[STATE_MAGIC] = step_magic,
	[STATE_RECORD] = stream_step_record,
	[STATE_CONFIG] = stream_step_config,
	[STATE_BLOCKS] = stream_step_blocks,
	[STATE_RAM] = stream_step_ram,
	[STATE_BITMAP] = stream_step_bitmap,
	[STATE_FOOTER] = stream_step_footer,
	[STATE_DEVICES] = stream_step_devices,
	[STATE_EOF] = step_rest,
	[STATE_PACKET] = stream_step_packet,
	[STATE_PAGES] = stream_step_pages,
	[STATE_SKIP] = step_skip,
	[STATE_OPAQUE] = step_rest,
};

/* The bytes at 'in', behind those of the record before them that were passed
 * on in pieces, which are put together in whole.
 */
static struct stream_look
look_over(const struct stream_parser *p, const uint8_t *in, size_t n,
	  uint8_t whole[STREAM_WANT_MAX])
{
	size_t now = MIN(n, STREAM_WANT_MAX - p->nheld);

	if (p->nheld == 0)
		return (struct stream_look){ in, n, 0 };
	memcpy(whole, p->held, p->nheld);
	memcpy(whole + p->nheld, in, now);
	return (struct stream_look){ whole, p->nheld + now, 0 };
}

/* A record ends at l->at: its item is what of it was not passed on before.
 * False where that is nothing.
 */
static bool
take_record(struct stream_parser *p, const struct stream_look *l,
	    struct stream_item *it)
{
	if (p->nheld > 0) {
		const uint8_t *bytes = it->bytes;

		if (l->at <= p->nheld) {
			p->nheld -= (uint32_t)l->at;
			memmove(p->held, p->held + l->at, p->nheld);
			return false;
		}
		/* A page that begins before has no head to stand behind. */
		*it = (struct stream_item){ .kind = it->kind == STREAM_EOF
							    ? STREAM_EOF
							    : STREAM_BYTES,
					    .bytes = bytes,
					    .block = STREAM_NO_BLOCK };
	}
	it->len = l->at - p->nheld;
	p->nheld = 0;
	/* QEMU writes out what it has before it writes a footer. */
	it->section_end = p->state == STATE_RECORD ||
			  p->state == STATE_FOOTER || p->state == STATE_PACKET;
	return true;
}

int
stream_next(struct stream_parser *p, const uint8_t *in, size_t n,
	    struct stream_item *it, size_t *want)
{
	uint8_t whole[STREAM_WANT_MAX];
	struct stream_look l;

	do {
		*it = (struct stream_item){ .bytes = in,
					    .block = STREAM_NO_BLOCK };
		l = look_over(p, in, n, whole);
		if (n == 0 || !steps[p->state](p, &l, it)) {
			*want = MAX(l.at - MIN(l.at, p->nheld), n + 1);
			return 0;
		}
	} while (!take_record(p, &l, it));
	return 1;
}

int
stream_last(struct stream_parser *p, const uint8_t *in, size_t n,
	    struct stream_item *it)
{
	uint8_t whole[STREAM_WANT_MAX];
	struct stream_look l;
	size_t want;

	if (stream_next(p, in, n, it, &want))
		return 1;
	if (n == 0)
		return 0;
	l = look_over(p, in, n, whole);
	if (p->state == STATE_DEVICES && stream_devices_end(p, &l))
		return take_record(p, &l, it) ? 1 : stream_last(p, in, n, it);
	it->len = n;
	if (stream_cut_page(p, &l)) {
		p->nheld = 0;
	} else {
		assert(n <= sizeof(p->held) - p->nheld);
		memcpy(p->held + p->nheld, in, n);
		p->nheld += (uint32_t)n;
	}
	return 1;
}
