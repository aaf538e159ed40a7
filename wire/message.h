/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MESSAGE_H
#define MIG_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "wire/frame.h"

/* What is said over a link, piece by piece: a type (u8), a length (u32), and
 * as many bytes of body, little-endian throughout.  Each type has its bounds;
 * they are checked when the five bytes of the head are there, before anybody
 * waits for the body or makes room for it.
 */
enum message_type {
	MESSAGE_HELLO = 1,    /* both: who are you? */
	MESSAGE_OFFER = 2,    /* receiver: what I hold; key for queries */
	MESSAGE_LAYOUT = 3,   /* sender: what will come */
	MESSAGE_WANT = 4,     /* sender: region digests of a base, please */
	MESSAGE_REGIONS = 5,  /* receiver: here they are */
	MESSAGE_BASES = 6,    /* sender: these bases I refer to */
	MESSAGE_FRAME = 7,    /* sender: pages */
	MESSAGE_ACK = 8,      /* receiver: the frame is right */
	MESSAGE_NAK = 9,      /* receiver: the frame did not come out right */
	MESSAGE_QUERY = 10,   /* sender: do you hold these pages? */
	MESSAGE_ANSWER = 11,  /* receiver: where I hold each */
	MESSAGE_SEAL = 12,    /* sender: that was all; its digest */
	MESSAGE_SEALED = 13,  /* receiver: it is all here, and on disk */
	MESSAGE_ERROR = 14,   /* both: I end this, because */
	MESSAGE_PING = 15,    /* both: are you there? */
	MESSAGE_PONG = 16,    /* both: I am */
	MESSAGE_BLOCKS = 17,  /* sender: the guest's RAM blocks */
	MESSAGE_CHANNEL = 18, /* both: a channel of QEMU opens, or closed */
	MESSAGE_TAKEN = 19,   /* receiver: so much has QEMU taken */
	MESSAGE_RETURN = 20,  /* receiver: what QEMU says back */
	/* 21 and 22 are how TLS begins. */
	MESSAGE_COMMIT = 23, /* sender: let it have the end */
	MESSAGE_END = 24,    /* both: QEMU is done; what I keep */
	MESSAGE_AGAIN = 25,  /* both: I was cut off; so far I heard you */
	MESSAGE__MAX
};

#define MESSAGE_HEAD_BYTES 5
#define MESSAGE_BODY_MAX   (FRAME_RAW_MAX + (64u << 10))

struct message_kind {
	const char *name;  /* "HELLO", ... */
	uint32_t min, max; /* bytes of body */
};

/* NULL for what is no type. */
const struct message_kind *message_kind(unsigned type);
/* "HELLO", ...; "unknown" for what is no type. */
const char *message_name(unsigned type);

/* Reads a head.  ERR_PROTOCOL for an unknown type or a length out of bounds.
 */
int message_get_head(const uint8_t head[MESSAGE_HEAD_BYTES],
		     enum message_type *type, uint32_t *len, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Begins a message at the end of b and, when its body has been put after it,
 * ends it: *at is what message_begin() gave.
 */
int message_begin(struct buf *b, enum message_type type, size_t *at,
		  struct err *e) __attribute__((nonnull, warn_unused_result));
int message_end(struct buf *b, size_t at, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Bodies that are one number: ACK, NAK (u32 number of the frame), PING, PONG
 * (u64 that comes back), WANT is in offer.h.
 */
int message_put_u32(struct buf *b, enum message_type type, uint32_t v,
		    struct err *e) __attribute__((nonnull, warn_unused_result));
int message_put_u64(struct buf *b, enum message_type type, uint64_t v,
		    struct err *e) __attribute__((nonnull, warn_unused_result));
/* The body is all of the span: anything left is ERR_PROTOCOL. */
int message_get_u32(struct span body, uint32_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int message_get_u64(struct span body, uint64_t *v, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Whether a body was read to its end. */
int message_get_end(const struct span *body, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* ERROR: the code's number in enum err_code (u8), then the text. */
#define MESSAGE_TEXT_MAX 200

int message_put_error(struct buf *b, const struct err *why, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* *said is what the other end reports: its code, or ERR_PROTOCOL where it is
 * none that this end knows, and its text with everything but printable ASCII
 * replaced, so that it can be shown to a user.
 */
int message_get_error(struct span body, struct err *said, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Replaces what is not printable ASCII by '?'. */
void message_make_printable(char *text) __attribute__((nonnull));

#endif
