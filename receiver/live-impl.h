/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_RECEIVER_IMPL_H
#define MIG_LIVE_RECEIVER_IMPL_H

#include <event2/buffer.h>

#include "common/pool.h"
#include "memory/shadow.h"
#include "receiver/decode.h"
#include "receiver/live.h"
#include "stream/numbers.h"
#include "stream/parse.h"
#include "wire/journal.h"
#include "wire/live.h"
#include "wire/seal.h"
#include "wire/talk.h"

/* What the parts of a receiver share: its life (live-life.c), the conversation
 * (live-talk.c), frames (live-frames.c), and QEMU's channels (live-channel.c).
 */

/* Frames that wait so that no worker does. */
#define LIVE_SPARE 2

/* A frame that came. */
struct live_frame {
	struct live_frame *next;
	uint8_t *body;
	struct span coded; /* in the body */
	struct live_frame_head head;
};

struct live_frames {
	struct live_frame *oldest, **end;
	size_t n;
};

/* Frames under way in the pool, and what they become. */
struct live_slot {
	struct live_receiver *r;
	struct decoding *x;
	struct live_frame *frame; /* NULL: the slot is free */
	uint8_t *out;             /* the bytes for QEMU */
	size_t len;
	uint32_t block; /* of the last page: where its head is looked for */
};

struct live_out_channel {
	struct live_receiver *r;
	unsigned number;
	int fd;                 /* -1: not open yet, or closed */
	struct evbuffer *ready; /* what QEMU may have */
	struct evbuffer *tail;  /* what waits for COMMIT */
	struct event *readable, *writable;
	uint64_t next_byte;   /* that the next frame begins with */
	uint64_t taken, said; /* by QEMU; of these, TAKEN */
	uint64_t said_ns;     /* when */
	bool last;            /* no frame follows */
	bool shut;            /* QEMU knows */
	bool closed;          /* QEMU has closed it, and the sender knows */
};

/* A connection to a sender. */
struct live_peer {
	struct live_peer *next;
	struct live_receiver *r;
	struct talk *talk;
	bool ended;
};

struct live_work {
	struct pool_job job; /* first */
	struct live_receiver *r;
	struct err err;
	struct digest root;
};

struct live_receiver {
	struct live_receiver_config config;
	struct live_peer *peer; /* NULL: lost */
	struct live_peer *next; /* a connection that has not said AGAIN yet */
	struct live_peer *gone; /* to be freed outside of their callbacks */
	struct event *later, *give_up;
	struct buf out; /* the message that is being made */
	struct journal journal;
	uint32_t heard; /* messages of the sender */
	struct pool *pool;
	struct base bases[PLAN_BASES_MAX];
	size_t nbases;
	uint8_t key[LIVE_SECRET_BYTES];
	struct stream_blocks blocks;
	struct stream_numbers numbers;
	struct shadow shadow;
	bool laid_out;
	struct decoder *decoder;
	struct live_slot *slots;
	size_t nslots;
	struct live_frames waiting, held;
	struct live_frame *again; /* the frame that had a NAK, once more */
	bool nak;                 /* said, and not mended yet */
	uint32_t nak_seq;
	uint32_t next_seq, next_done;
	struct seal seal;
	uint8_t theirs[SEAL_BYTES]; /* the sender's seal, */
	uint32_t seal_at;           /* of so many frames */
	bool seal_came, sealed, committed;
	struct live_work lay_out, root;
	bool ending;
	struct live_out_channel *channels[LIVE_CHANNELS_MAX];
	unsigned nchannels, nopen;
	struct live_receiver_stats stats;
	uint64_t received; /* over connections that are gone */
	bool opened, ended;
	struct err why, cut;
};

/* live-talk.c */
/* The connection becomes a peer: of r, or of nobody yet. */
struct live_peer *land_accept(struct live_receiver *r, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
struct session *land_session(struct live_receiver *r) __attribute__((nonnull));
/* Whether to wait for another connection when this one breaks. */
bool land_may_wait(const struct live_receiver *r) __attribute__((nonnull));
/* Asks for the next channel of those that QEMU has not got yet. */
void land_open_next(struct live_receiver *r) __attribute__((nonnull));

/* live-life.c */
/* It is over: why NULL if all is well. */
void land_end(struct live_receiver *r, const struct err *why)
	__attribute__((nonnull(1)));
/* It will be freed, outside of its callbacks. */
void land_peer_gone(struct live_peer *p) __attribute__((nonnull));
/* It is over, and the sender hears why. */
void land_fail(struct live_receiver *r, const struct err *why)
	__attribute__((nonnull));
int land_say(struct live_receiver *r, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* All of them are verified, or COMMIT came: something may be possible now. */
int land_move_on(struct live_receiver *r, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* live-frames.c */
int land_frames_init(struct live_receiver *r, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void land_frames_fini(struct live_receiver *r) __attribute__((nonnull));
int land_frames_add(struct live_receiver *r, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* A decoding is done. */
int land_frames_done(struct live_receiver *r, struct pool_job *job,
		     struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* live-channel.c */
int land_channel_new(struct live_receiver *r, unsigned number, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void land_channel_free(struct live_out_channel *c);
void land_channel_close(struct live_out_channel *c) __attribute__((nonnull));
/* QEMU's end of it. */
int land_channel_open(struct live_out_channel *c, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* n bytes from malloc(), now the channel's: a verified frame. */
int land_channel_put(struct live_out_channel *c, uint8_t *bytes, size_t n,
		     uint8_t flags, struct err *e)
	__attribute__((nonnull(1, 5), warn_unused_result));
/* COMMIT came. */
int land_channel_release(struct live_out_channel *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* QEMU has all of it. */
bool land_channel_is_done(const struct live_out_channel *c)
	__attribute__((nonnull));

#endif
