/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_SENDER_IMPL_H
#define MIG_LIVE_SENDER_IMPL_H

#include <event2/buffer.h>

#include "common/pool.h"
#include "memory/shadow.h"
#include "sender/agree.h"
#include "sender/encode.h"
#include "sender/flow.h"
#include "sender/free-pages.h"
#include "sender/live.h"
#include "stream/numbers.h"
#include "stream/parse.h"
#include "wire/journal.h"
#include "wire/live.h"
#include "wire/seal.h"
#include "wire/talk.h"

/* What the parts of a sender share: its life (live-life.c), the conversation
 * (live-talk.c), QEMU's channels (live-channel.c), and frames (live-frames.c).
 */

/* Of QEMU's stream, in one batch. */
#define LIVE_BATCH_BYTES (1u << 20)
/* Batches that wait for a worker; with more, nothing is read. */
#define LIVE_READY_MAX 4
/* Frames that are encoded while others wait for the link. */
#define LIVE_SPARE 1
/* Pieces of which the time to the other end is taken, at once. */
#define LIVE_MARKS 128
/* A lost connection is looked for at once, and then again and again. */
#define LIVE_RETRY_MS 1000

struct live_batch {
	struct live_batch *next;
	struct live_channel *channel;
	uint8_t *raw;       /* LIVE_BATCH_BYTES */
	size_t len, parsed; /* bytes of it */
	uint64_t byte;      /* of the channel, where raw begins */
	uint8_t flags;      /* enum live_flag */
	bool again;         /* it had a NAK */
	bool keep;          /* its pages enter the history */
	uint32_t seq;
	uint32_t said;             /* the journal is that far with it */
	uint32_t plans[PLAN__MAX]; /* pages, by what they were */
	struct batch b;            /* points into raw */
};

struct live_queue {
	struct live_batch *oldest, **end;
	size_t n;
};

struct live_channel {
	struct live_sender *sender;
	unsigned number;
	int fd;
	struct event *readable, *writable, *idle, *hang;
	struct evbuffer *back; /* what the other QEMU says */
	struct stream_parser parser;
	struct live_batch *filling; /* NULL: none */
	uint64_t next_byte;         /* of the next batch */
	uint64_t taken;
	struct flow flow;
	/* Where large batches end and when they began to move: what a small one
	 * takes says nothing of the time that coding takes.
	 */
	struct live_mark {
		uint64_t byte, ns;
	} marks[LIVE_MARKS];
	unsigned first_mark, nmarks;
	bool at_eof;      /* STREAM_EOF came: what follows is tail */
	bool ended;       /* QEMU closed it; the last batch is on its way */
	bool shut;        /* no more will come back */
	bool hung;        /* so it has, or will once all is read */
	bool dry;         /* there was nothing more to read */
	bool section_end; /* QEMU may wait for what the last item brings */
};

struct live_encoding {
	struct encoding *x;
	struct live_batch *batch; /* NULL: idle */
};

struct live_work {
	struct pool_job job; /* first */
	struct live_sender *s;
	struct err err;
	struct digest root;
};

struct live_sender {
	struct live_sender_config config;
	struct talk *talk; /* NULL: lost */
	struct buf out;    /* the message that is being made */
	struct journal journal;
	uint32_t heard; /* messages of the receiver */
	struct event *listener, *later, *give_up;
	struct pool *pool;
	struct agree agree;
	struct control control;
	struct encoder *encoder; /* NULL: not agreed yet */
	struct stream_blocks blocks;
	struct stream_numbers numbers;
	struct shadow shadow;
	struct free_pages *free; /* NULL: all pages are sent */
	struct buf state;        /* behind the RAM, to confirm the above */
	bool laid_out;           /* the blocks are known, and said */
	bool blind; /* there is no room for a shadow: all is opaque */
	struct live_work set_up, root;
	struct live_channel *channels[LIVE_CHANNELS_MAX];
	unsigned nchannels, nended;
	struct live_encoding *encodings;
	size_t nencodings;
	struct live_queue ready, window, spare;
	struct live_batch *refused; /* the oldest of the window, had a NAK */
	uint32_t next_seq;          /* of the next frame that is begun */
	uint32_t sent;              /* said, for the first time */
	uint32_t acked;
	struct seal seal;
	bool sealed, committed, ending;
	uint64_t paused_at_ns, committed_at_ns;
	uint8_t last_back[8]; /* on channel 0 */
	size_t nback;
	struct live_sender_stats stats;
	uint64_t closed_sent; /* over connections that are gone */
	bool ended, talk_ended;
	struct err why, cut; /* once ended; why the connection was lost */
};

/* live-talk.c */
int live_connect(struct live_sender *s, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* live-life.c */
/* It is over: why NULL if all is well. */
void live_end(struct live_sender *s, const struct err *why)
	__attribute__((nonnull(1)));
/* It is over, and the receiver hears why. */
void live_fail(struct live_sender *s, const struct err *why)
	__attribute__((nonnull));
/* What messages go out on now; NULL: on a later connection. */
struct talk *live_talk(const struct live_sender *s) __attribute__((nonnull));
/* Says the one message in s->out. */
int live_say(struct live_sender *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
enum session_state live_state(const struct live_sender *s)
	__attribute__((nonnull));
void live_notice(const struct live_sender *s, const char *text)
	__attribute__((nonnull));
/* The RAM blocks are known: says them, and plans from now on. */
int live_lay_out(struct live_sender *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Behind the RAM, before QEMU_VM_EOF. */
void live_device_state(struct live_sender *s, const uint8_t *bytes, size_t n)
	__attribute__((nonnull));
/* The guest has stopped, or runs at the destination. */
void live_paused(struct live_sender *s, const struct stream_parser *p)
	__attribute__((nonnull));
uint64_t live_wire_bytes(const struct live_sender *s) __attribute__((nonnull));
/* Something may have become possible. */
void live_pump(struct live_sender *s) __attribute__((nonnull));

/* live-channel.c */
int live_channel_open(struct live_sender *s, int fd, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void live_channel_free(struct live_channel *c);
/* At once and without a word. */
void live_channel_close(struct live_channel *c) __attribute__((nonnull));
/* Reads on if it may, waits if it may not. */
void live_channel_watch(struct live_channel *c) __attribute__((nonnull));
int live_channel_taken(struct live_channel *c, uint64_t taken, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int live_channel_back(struct live_channel *c, struct span bytes, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The other QEMU has closed it. */
void live_channel_shut(struct live_channel *c) __attribute__((nonnull));

/* live-frames.c */
struct live_batch *live_batch_new(struct live_sender *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void live_batch_spare(struct live_sender *s, struct live_batch *b)
	__attribute__((nonnull));
void live_queue_put(struct live_queue *q, struct live_batch *b)
	__attribute__((nonnull));
struct live_batch *live_queue_take(struct live_queue *q)
	__attribute__((nonnull));
int live_frames_init(struct live_sender *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void live_frames_fini(struct live_sender *s) __attribute__((nonnull));
/* Gives batches to idle workers. */
void live_frames_begin(struct live_sender *s) __attribute__((nonnull));
/* A job of the pool is done: says the frame. */
int live_frames_done(struct live_sender *s, struct pool_job *job, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int live_frames_ack(struct live_sender *s, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int live_frames_nak(struct live_sender *s, struct span body, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* No batch is under way. */
bool live_frames_are_done(const struct live_sender *s) __attribute__((nonnull));

#endif
