/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_PEER_H
#define MIG_FUZZ_PEER_H

#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/engine.h"

#include "dedup/held.h"
#include "wire/hello.h"
#include "wire/message.h"

/* What fuzz-send and fuzz-receive share: something that is held, and a hostile
 * peer at the other end of a socket.
 */

/* A kept memory of npages pages, its digests as held_open_memory() has them.
 */
static inline void
fuzz_held(struct held *h, struct fuzz_memory *m, uint8_t *pages,
	  uint64_t npages)
{
	static struct fingerprint fps[FUZZ_PAGES];
	static struct digest region;
	struct err e;

	fuzz_pages(pages, npages);
	fuzz_memory(m, pages, npages);
	for (uint64_t n = 0; n < npages; n++) {
		const uint8_t *page = pages + n * PAGE_BYTES;

		if (n % 4 != 0)
			fuzz_ok(fingerprint_pages(&page, 1, &fps[n], &e), &e);
	}
	fuzz_ok(digest_bytes(fps, npages * sizeof(*fps), &region, &e), &e);
	*h = (struct held){ .base = { BASE_MEMORY, .npages = npages,
				      .memory = &m->memory, .fps = fps },
			    .regions = &region,
			    .nregions = 1,
			    .name = "kept" };
	fuzz_ok(digest_bytes(&region, sizeof(region), &h->root, &e), &e);
}

/* The hostile end: says its bytes message by message, and counts what it
 * hears.
 */
struct fuzz_peer {
	int fd;
	struct span say;
	bool stays;                 /* does not end when it has said all */
	size_t chunk;               /* of the message under way, still to say */
	size_t said[MESSAGE__MAX];  /* messages begun, by type */
	size_t heard[MESSAGE__MAX]; /* messages heard, by type */
	uint8_t head[MESSAGE_HEAD_BYTES];
	size_t nhead, skip; /* of the message that is being heard */
	uint8_t body[64];   /* how the last OFFER began, */
	size_t nbody;       /* so much of it */
};

/* The type of what comes next; 0 if that is no whole head. */
static inline unsigned
fuzz_peer_next(const struct fuzz_peer *p)
{
	unsigned type = p->say.left < MESSAGE_HEAD_BYTES ? 0 : p->say.at[0];

	return type < MESSAGE__MAX ? type : 0;
}

/* Says the next message, or what is left of it; true if something went out. */
static inline bool
fuzz_peer_say(struct fuzz_peer *p)
{
	ssize_t n;

	if (p->chunk == 0) {
		p->chunk = p->say.left;
		if (p->say.left >= MESSAGE_HEAD_BYTES) {
			uint32_t len;

			memcpy(&len, p->say.at + 1, sizeof(len));
			if (len <= p->say.left - MESSAGE_HEAD_BYTES)
				p->chunk = len + MESSAGE_HEAD_BYTES;
			p->said[fuzz_peer_next(p)]++;
		}
	}
	n = send(p->fd, p->say.at, p->chunk, MSG_NOSIGNAL);
	if (n <= 0)
		return false;
	p->say.at += n;
	p->say.left -= (size_t)n;
	p->chunk -= (size_t)n;
	if (p->say.left == 0 && !p->stays)
		shutdown(p->fd, SHUT_WR);
	return true;
}

static inline void
fuzz_peer_hear_bytes(struct fuzz_peer *p, const uint8_t *at, size_t left)
{
	while (left > 0) {
		size_t n = p->skip < left ? p->skip : left;
		uint32_t len;

		for (size_t i = 0; i < n && p->nbody < sizeof(p->body) &&
				   p->head[0] == MESSAGE_OFFER;
		     i++)
			p->body[p->nbody++] = at[i];
		at += n;
		left -= n;
		p->skip -= n;
		if (left == 0)
			break;
		p->head[p->nhead++] = *at++;
		left--;
		if (p->nhead < MESSAGE_HEAD_BYTES)
			continue;
		/* What our own end says is well formed. */
		fuzz_check(p->head[0] > 0 && p->head[0] < MESSAGE__MAX);
		memcpy(&len, p->head + 1, sizeof(len));
		p->heard[p->head[0]]++;
		p->skip = len;
		if (p->head[0] == MESSAGE_OFFER)
			p->nbody = 0;
		p->nhead = 0;
	}
}

static inline void
fuzz_peer_hear(struct fuzz_peer *p)
{
	static uint8_t bytes[65536];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		fuzz_peer_hear_bytes(p, bytes, (size_t)n);
	/* Our own end has said goodbye, and waits for this. */
	if (n == 0) {
		shutdown(p->fd, SHUT_RDWR);
		p->say.left = 0;
	}
}

static inline void
fuzz_put_hello(struct buf *out, uint8_t purpose)
{
	const struct hello h = { HELLO_VERSION, HELLO_OLDEST_VERSION, 0,
				 purpose };
	struct err e;

	fuzz_ok(hello_put(out, &h, &e), &e);
}

#endif
