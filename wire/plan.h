/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLAN_H
#define MIG_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/page.h"
#include "wire/place.h"

/* What becomes of each page of a frame, written as a few byte streams that
 * compress well apart (virt-mig-protocol.7, "The streams of a frame").  The
 * writer is the sender's, the reader the receiver's; both are pure state
 * machines over buffers.  One thread at a time.
 */
enum plan_code {
	PLAN_ZERO = 0,  /* all zero */
	PLAN_FILL = 1,  /* one 8-byte value repeated */
	PLAN_FREE = 2,  /* not in use by the guest; becomes zero */
	PLAN_REF = 3,   /* equal to a page of a base */
	PLAN_MOVE = 4,  /* a page of a base with its pointers moved */
	PLAN_DELTA = 5, /* a page of a base with some words changed */
	PLAN_DATA = 6,  /* its words are sent, in part as copies */
	PLAN_BYTES = 7, /* not a page: opaque bytes between pages */
	PLAN__MAX
};

enum plan_stream {
	STREAM_PLAN = 0,   /* codes with run lengths */
	STREAM_RUN = 1,    /* lengths of runs of references */
	STREAM_JUMP = 2,   /* where each run of references goes */
	STREAM_FILL = 3,   /* values of PLAN_FILL pages, 8 bytes each */
	STREAM_MOVE = 4,   /* by how much pointers moved */
	STREAM_SLOT = 5,   /* which pointer word moved by which of these */
	STREAM_MASK = 6,   /* 64-byte bitmaps of changed words */
	STREAM_WORD = 7,   /* the changed words */
	STREAM_COPY = 8,   /* where in a DATA page copies stand, how long */
	STREAM_FROM = 9,   /* where copies come from */
	STREAM_DATA = 10,  /* the words that are left */
	STREAM_GAP = 11,   /* opaque bytes */
	STREAM_PLACE = 12, /* live: which pages these are, and their heads */
	STREAM__MAX
};

/* "zero", "ref", ...; "plan", "run", ...; NULL past the end. */
const char *plan_code_name(unsigned code);
const char *plan_stream_name(unsigned stream);

/* A page of a base.  Base 0 is this session's own history: pages by number,
 * already rebuilt on the other side.  Bases 1.. were agreed in the hello.
 */
struct plan_ref {
	uint8_t base;
	uint64_t page;
};

#define PLAN_BASE_HISTORY 0
#define PLAN_BASES_MAX    16
#define PLAN_MOVES_MAX    4 /* distinct differences in a moved page */
#define PLAN_COPY_MIN     8 /* words in the shortest copy */
/* A DELTA page never changes more than this; beyond, DATA is smaller. */
#define PLAN_DELTA_MAX 384

/* The longest stream of a frame, unpacked. */
#define PLAN_STREAM_MAX (8u << 20)

/* Runs of references are told by how they continue.  In a base that is laid
 * out like the guest (history, kept memory) the next page is as far from its
 * own number as the last was; in a disk image it is the block after the last.
 */
struct plan_cursor {
	uint64_t left;  /* reader: references left in the run */
	int64_t offset; /* of the last reference from its own page number */
	uint64_t next;  /* after the last reference */
	uint8_t base;
};

/* Differences seen in this frame, the latest first. */
#define PLAN_MOVES_KNOWN 64

struct plan_moves {
	uint64_t by[PLAN_MOVES_KNOWN];
	unsigned n;
};

#define PLAN_USES 3 /* REF, MOVE, DELTA: each has a cursor of its own */

struct plan_writer {
	struct buf streams[STREAM__MAX];
	uint32_t guest_like; /* bit b: base b is laid out like the guest */
	enum plan_code code; /* of the open run of codes */
	uint64_t run;
	struct plan_cursor cursors[PLAN_USES];
	/* Runs interleave; their lengths are written in the order in which
	 * they begin, once all are known.
	 */
	struct plan_run *runs;
	size_t nruns, runs_cap;
	size_t open[PLAN_USES]; /* each use's open run: its place in runs + 1 */
	struct plan_moves moves;
	struct plan_ref copied; /* source of the last copy */
	struct plan_places places;
};

struct plan_run {
	uint64_t len;
	bool base_changed;
};

void plan_writer_init(struct plan_writer *w, uint32_t guest_like)
	__attribute__((nonnull));
void plan_writer_fini(struct plan_writer *w) __attribute__((nonnull));
/* Begins a new frame; keeps the memory. */
void plan_writer_reset(struct plan_writer *w) __attribute__((nonnull));

/* The next page is zero, free. */
int plan_put_plain(struct plan_writer *w, enum plan_code code, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int plan_put_fill(struct plan_writer *w, uint64_t value, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The next page, number 'own', equals 'ref'. */
int plan_put_ref(struct plan_writer *w, uint64_t own, struct plan_ref ref,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

/* By how much the pointer words of a page differ from another page's. */
struct plan_move {
	uint64_t by[PLAN_MOVES_MAX]; /* n distinct differences, 0 among them */
	unsigned n;
	unsigned nslots;           /* pointer words */
	uint8_t slots[PAGE_WORDS]; /* which difference each pointer word has */
};

int plan_put_move(struct plan_writer *w, uint64_t own, struct plan_ref ref,
		  const struct plan_move *m, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Which words of a page changed, and to what. */
struct plan_delta {
	uint64_t mask[PAGE_WORDS / 64]; /* word w: bit w % 64 of w / 64 */
	uint64_t words[PAGE_WORDS];
	unsigned nwords;
};

int plan_put_delta(struct plan_writer *w, uint64_t own, struct plan_ref ref,
		   const struct plan_delta *d, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* A part of a DATA page that stands in an earlier page. */
struct plan_copy {
	uint16_t to, len; /* words; to + len <= 512, len >= PLAN_COPY_MIN */
	uint16_t from;    /* word in the source page; from + len <= 512 */
	struct plan_ref ref;
};

/* The next page is sent: n copies in ascending order of .to, the rest of the
 * words as they are.
 */
int plan_put_data(struct plan_writer *w, const uint8_t *page,
		  const struct plan_copy *copies, unsigned n, struct err *e)
	__attribute__((nonnull(1, 2, 5), warn_unused_result));
/* n opaque bytes stand here. */
int plan_put_bytes(struct plan_writer *w, const uint8_t *bytes, uint64_t n,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
/* Ends the frame: w->streams are complete. */
int plan_writer_finish(struct plan_writer *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));

struct plan_reader {
	struct span streams[STREAM__MAX];
	uint32_t guest_like;
	uint8_t nbases;
	enum plan_code code;
	uint64_t left; /* in the run of codes */
	struct plan_cursor cursors[PLAN_USES];
	struct plan_moves moves;
	struct plan_ref copied;
	struct plan_places places;
};

/* The streams stay the caller's.  References to bases >= nbases are errors.
 */
void plan_reader_init(struct plan_reader *r,
		      const struct span streams[STREAM__MAX],
		      uint32_t guest_like, uint8_t nbases)
	__attribute__((nonnull));
/* What comes next.  For PLAN_BYTES *n says how many bytes, and the reader
 * moves past all of them; for pages *n is how many pages in a row have this
 * code, at most max of which the reader moves past.  Any get fails with
 * ERR_PROTOCOL and leaves the reader useless.
 */
int plan_next(struct plan_reader *r, uint64_t max, enum plan_code *code,
	      uint64_t *n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int plan_get_fill(struct plan_reader *r, uint64_t *value, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The reference of page 'own', for REF, MOVE and DELTA.  The page is not
 * checked against the size of its base.
 */
int plan_get_ref(struct plan_reader *r, enum plan_code use, uint64_t own,
		 struct plan_ref *ref, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int plan_get_moves(struct plan_reader *r, uint64_t by[PLAN_MOVES_MAX],
		   unsigned *n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* One slot for each of n pointer words; each is < nmoves. */
int plan_get_slots(struct plan_reader *r, unsigned nmoves, unsigned n,
		   const uint8_t **slots, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* *words points at as many 8-byte words as mask has bits, unaligned. */
int plan_get_delta(struct plan_reader *r, uint64_t mask[PAGE_WORDS / 64],
		   const uint8_t **words, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The copies of a DATA page, at most PAGE_WORDS / PLAN_COPY_MIN. */
#define PLAN_COPIES_MAX (PAGE_WORDS / PLAN_COPY_MIN)
int plan_get_copies(struct plan_reader *r,
		    struct plan_copy copies[PLAN_COPIES_MAX], unsigned *n,
		    struct err *e) __attribute__((nonnull, warn_unused_result));
/* nwords literal words of a DATA page. */
int plan_get_words(struct plan_reader *r, unsigned nwords, uint8_t *out,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
int plan_get_bytes(struct plan_reader *r, uint64_t n, const uint8_t **bytes,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
/* Whether all streams were read to their end: anything left is an error. */
int plan_reader_end(const struct plan_reader *r, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
