/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_LIVE_H
#define MIG_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "wire/message.h"

/* The messages of a live migration, beside those it has in common with the
 * transfer of a file.
 *
 * CHANNEL: its number (u8).  From the sender: it opens, in QEMU's order, 0
 * first; from the receiver: QEMU has closed it.
 * BLOCKS: for each RAM block: bytes (u64), length of its name (u8), name.
 * TAKEN: a channel (u8), bytes that QEMU has taken of it in all (u64).
 * RETURN: a channel (u8), bytes from QEMU.
 * FRAME: its number (u32), flags (u8), how many messages of the receiver were
 * heard (u32, see AGAIN), a frame.
 * END: nothing, or the digest of the memory that is kept.
 * AGAIN: from the sender the secret of the session, its key; from both how
 * many messages (HELLO, PING, PONG and AGAIN apart) they heard (u32).
 */
#define LIVE_CHANNELS_MAX    64
#define LIVE_BLOCK_BYTES_MIN 9
#define LIVE_BLOCK_NAME_MAX  255
#define LIVE_BLOCKS_MAX      (4096 * (LIVE_BLOCK_BYTES_MIN + LIVE_BLOCK_NAME_MAX))
#define LIVE_RETURN_MAX      (64u << 10)
#define LIVE_SECRET_BYTES    32
#define LIVE_WINDOW          64 /* frames without ACK or NAK */
/* Of a channel, not yet taken by QEMU: more than this a sender never has. */
#define LIVE_AHEAD_MAX (64u << 20)

enum live_flag {
	LIVE_TAIL = 1,    /* from QEMU_VM_EOF on: not before COMMIT */
	LIVE_AGAIN = 2,   /* a frame that had a NAK, without references */
	LIVE_LAST = 4,    /* the channel ends with it */
	LIVE_PASSING = 8, /* its pages do not enter the history */
	LIVE_FLAGS = 15,  /* all of them */
};

struct live_frame_head {
	uint32_t seq;
	uint8_t flags;
	uint32_t heard;
};

int live_put_channel(struct buf *b, uint8_t channel, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int live_get_channel(struct span body, uint8_t *channel, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* One block; a message of them is begun and ended by the caller. */
int live_put_block(struct buf *b, const char *name, uint8_t name_len,
		   uint64_t bytes, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int live_get_block(struct span *body, const uint8_t **name, uint8_t *name_len,
		   uint64_t *bytes, struct err *e)
	__attribute__((nonnull, warn_unused_result));

int live_put_taken(struct buf *b, uint8_t channel, uint64_t bytes,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
int live_get_taken(struct span body, uint8_t *channel, uint64_t *bytes,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

int live_put_return(struct buf *b, uint8_t channel, const uint8_t *bytes,
		    size_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* What is left of the body are the bytes. */
int live_get_return(struct span *body, uint8_t *channel, struct err *e)
	__attribute__((nonnull, warn_unused_result));

int live_put_frame_head(struct buf *b, const struct live_frame_head *h,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* What is left of the body is the frame. */
int live_get_frame_head(struct span *body, struct live_frame_head *h,
			struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* root NULL: nothing is kept. */
int live_put_end(struct buf *b, const struct digest *root, struct err *e)
	__attribute__((nonnull(1, 3), warn_unused_result));
int live_get_end(struct span body, bool *keeps, struct digest *root,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

/* secret NULL: from the receiver. */
int live_put_again(struct buf *b, const uint8_t secret[LIVE_SECRET_BYTES],
		   uint32_t heard, struct err *e)
	__attribute__((nonnull(1, 4), warn_unused_result));
/* secret NULL: to the sender. */
int live_get_again(struct span body, uint8_t secret[LIVE_SECRET_BYTES],
		   uint32_t *heard, struct err *e)
	__attribute__((nonnull(3, 4), warn_unused_result));

#endif
