/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/fill.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "tools/peer-pipe.h"

/* What QEMU 7.2 puts on the wire with multifd and a compression method: zero
 * pages as records of the main channel, all others in packets of 128, dealt
 * out to the channels in turn.  A channel is one stream, flushed after each
 * packet, so that the packet can be decoded when it is there.  Measured on
 * 256 MiB of a desktop: QEMU 7.2.22 itself puts 0.9 % (zlib) and 0.7 % (zstd)
 * more on the wire, its ROMs and the state of its devices among it.
 */
#define CHANNELS     2 /* its default */
#define PACKET_PAGES 128
/* Six numbers of 4 bytes, packet_num, 32 bytes unused, the name of the block
 * in 256 bytes, and as many 8-byte offsets as a packet can have pages.
 */
#define PACKET_HEADER (64 + 256 + 8 * PACKET_PAGES)
#define ZERO_RECORD   9 /* address with flags, then the fill byte */

struct channel {
	const struct peer *peer;
	const struct memory *memory;
	struct peer_pipe pipe;
	uint64_t pages[PACKET_PAGES]; /* of the packet on its way */
	size_t npages;
	size_t at; /* bytes of it that came back */
};

struct multifd {
	const struct peer *peer;
	const struct bench_input *in;
	struct peer_totals sum;
	struct channel channels[CHANNELS];
	unsigned turn;   /* the channel whose packet is being filled */
	uint8_t *packet; /* its pages */
};

static int
compare(void *arg, const uint8_t *bytes, size_t n, struct err *e)
{
	struct channel *c = arg;

	while (n) {
		size_t i = c->at / PAGE_BYTES, off = c->at % PAGE_BYTES;
		size_t len = MIN(n, (size_t)PAGE_BYTES - off);

		if (i >= c->npages)
			return err_set(e, ERR_CORRUPT,
				       "%s: a packet came back too long",
				       c->peer->name);
		if (memcmp(memory_page(c->memory, c->pages[i]) + off, bytes,
			   len) != 0)
			return peer_differs(c->peer, c->pages[i], e);
		bytes += len;
		n -= len;
		c->at += len;
	}
	return 0;
}

static int
send_packet(struct multifd *m, struct err *e)
{
	struct channel *c = &m->channels[m->turn];

	if (c->npages == 0)
		return 0;
	/* Off the clock: QEMU's zstd reads the pages where they are. */
	for (size_t i = 0; i < c->npages; i++)
		memcpy(m->packet + i * PAGE_BYTES,
		       memory_page(m->in->memory, c->pages[i]), PAGE_BYTES);
	c->at = 0;
	if (peer_pipe_put(&c->pipe, m->packet, c->npages * PAGE_BYTES,
			  PEER_FLUSH, e) != 0)
		return -1;
	if (c->at != c->npages * PAGE_BYTES)
		return err_set(e, ERR_CORRUPT,
			       "%s: a packet did not come back whole",
			       m->peer->name);
	m->sum.wire_bytes += PACKET_HEADER;
	c->npages = 0;
	m->turn = (m->turn + 1) % CHANNELS;
	return 0;
}

/* Which of pages first .. first+n-1 are zero: the sender's scan. */
static void
find_zero(struct multifd *m, uint64_t first, uint64_t n, bool *zero)
{
	uint64_t begun = clock_cpu_ns();
	uint64_t value;

	for (uint64_t i = 0; i < n; i++)
		zero[i] = fill_find(memory_page(m->in->memory, first + i),
				    &value) &&
			  value == 0;
	m->sum.encode_ns += clock_cpu_ns() - begun;
}

static int
put_page(struct multifd *m, uint64_t page, bool is_zero, struct err *e)
{
	static const uint8_t zero[PAGE_BYTES];
	struct channel *c = &m->channels[m->turn];

	if (is_zero) {
		m->sum.wire_bytes += ZERO_RECORD;
		if (memcmp(memory_page(m->in->memory, page), zero,
			   PAGE_BYTES) != 0)
			return peer_differs(m->peer, page, e);
		return 0;
	}
	c->pages[c->npages++] = page;
	return c->npages == PACKET_PAGES ? send_packet(m, e) : 0;
}

static int
put_all(struct multifd *m, struct err *e)
{
	bool zero[PACKET_PAGES];
	uint64_t all = m->in->memory->npages, n;

	for (uint64_t first = 0; first < all; first += n) {
		n = MIN(all - first, PACKET_PAGES);
		if (peer_progress(m->in, first, e) != 0)
			return -1;
		find_zero(m, first, n, zero);
		for (uint64_t i = 0; i < n; i++)
			if (put_page(m, first + i, zero[i], e) != 0)
				return -1;
	}
	return send_packet(m, e);
}

static int
multifd_init(struct multifd *m, struct err *e)
{
	m->packet = malloc(PACKET_PAGES * PAGE_BYTES);
	if (!m->packet)
		return err_sys(e, "%s", m->peer->name);
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct channel *c = &m->channels[i];

		if (peer_pipe_init(&c->pipe, m->peer, 0, &m->sum, e) != 0)
			return -1;
		c->peer = m->peer;
		c->memory = m->in->memory;
		c->pipe.sink = compare;
		c->pipe.arg = c;
	}
	return 0;
}

int
peer_run_multifd(const struct peer *p, const struct bench_input *in,
		 struct bench_result *out, struct err *e)
{
	struct multifd *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return err_sys(e, "%s", p->name);
	m->peer = p;
	m->in = in;
	m->sum.begun_ns = clock_wall_ns();
	rc = multifd_init(m, e);
	if (rc == 0)
		rc = put_all(m, e);
	if (rc == 0)
		peer_finish(p, &m->sum, out);
	for (unsigned i = 0; i < CHANNELS; i++)
		if (m->channels[i].pipe.coder)
			peer_pipe_fini(&m->channels[i].pipe);
	free(m->packet);
	free(m);
	return rc;
}
