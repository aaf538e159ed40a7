/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PEER_H
#define MIG_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "tools/bench-input.h"
#include "tools/bench-result.h"

/* The tools that virt-mig is compared with.  A peer is a way of laying out
 * the pages of a memory (all of them, QEMU's packets, what an image does not
 * hold) over a coder (deflate, zstd, ...).  Everything streams: what the
 * encoder gives goes to the decoder at once and comes back to be compared, so
 * a peer needs a few MiB whatever the size of the memory.
 */
struct peer_setting {
	int level;
	unsigned window_log; /* zstd: long matches over that; 0: no */
};

enum peer_flush {
	PEER_MORE,  /* the coder may keep bytes back */
	PEER_FLUSH, /* all that went in must be decodable */
	PEER_END,   /* the stream ends here */
};

/* Bytes to fewer bytes and back, in pieces.  total is how many will go in,
 * 0 where nobody knows.
 */
struct peer_coder {
	void *(*encoder_new)(const struct peer_setting *s, uint64_t total,
			     struct err *e);
	void (*encoder_free)(void *encoder);
	/* Appends to out. */
	int (*encode)(void *encoder, struct span in, enum peer_flush flush,
		      struct buf *out, struct err *e);
	void *(*decoder_new)(struct err *e);
	void (*decoder_free)(void *decoder);
	/* Decodes until *in is empty or out is full; *n bytes came out. */
	int (*decode)(void *decoder, struct span *in, uint8_t *out, size_t cap,
		      size_t *n, struct err *e);
};

extern const struct peer_coder peer_gzip;
extern const struct peer_coder peer_zlib;
extern const struct peer_coder peer_zstd;
extern const struct peer_coder peer_lz4;
extern const struct peer_coder peer_xz;

struct peer {
	const char *name;
	const char *what;
	const struct peer_coder *coder;
	struct peer_setting setting;
	/* Encodes, decodes and compares; fills name, sizes and one sample.  An
	 * error names what came back different: ERR_CORRUPT.
	 */
	int (*run)(const struct peer *p, const struct bench_input *in,
		   struct bench_result *out, struct err *e);
	bool opt_in;       /* takes minutes: only where it is asked for */
	bool needs_images; /* says nothing without one */
};

/* The layouts. */
int peer_run_whole(const struct peer *p, const struct bench_input *in,
		   struct bench_result *out, struct err *e);
int peer_run_multifd(const struct peer *p, const struct bench_input *in,
		     struct bench_result *out, struct err *e);
int peer_run_blockmatch(const struct peer *p, const struct bench_input *in,
			struct bench_result *out, struct err *e);

/* All peers there are. */
const struct peer *peer_list(size_t *n) __attribute__((nonnull));

/* The peers of a list of names, "default", "all" and "none", divided by
 * commas, in the order of peer_list(); chosen[i] is whether the i-th is one.
 * ERR_USAGE names what is not a peer.
 */
#define PEERS_MAX 16
int peer_choose(const char *list, bool have_images, bool chosen[PEERS_MAX],
		struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
