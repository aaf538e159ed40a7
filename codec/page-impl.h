/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PAGE_IMPL_H
#define MIG_PAGE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the files of the page codec share.  A block is cut into sequences: a
 * run of literals, then a match, which is a copy of earlier bytes.  So many
 * sequences are a chunk, the unit of coding.  virt-mig-codec(7) is the format.
 */
#define CHUNK_SEQS  256u   /* sequences of a chunk, at most */
#define CHUNK_LITS  65536u /* literals of a chunk, at most */
#define CHUNK_PIECE 1024u  /* of them are coded in one go */
#define LANES       4u /* coders side by side, each a quarter of the items */
#define REPS        8u /* the distances last used */
#define MATCH_MIN   2u
#define RANS_BITS   15
#define RANS_MIN    0x10000u /* a state is never less */
#define BLOCK_HEAD  (1u + 4 * LANES)

#define BLOCK_TWO_MODELS 1u /* a flag of the block: most symbols have two */
/* What stands beside the flag: another number for every other page_priors. */
#define BLOCK_PRIORS 6u

/* Types of matches: a new distance in words or in bytes, or one of the last
 * ones.
 */
enum {
	MATCH_WORDS,
	MATCH_BYTES,
	MATCH_REP,
	MATCH_TYPES = MATCH_REP + REPS
};

/* Where the models of each kind of symbol begin. */
#define MODELS_NUMBER 16u /* models of one kind of number */
enum {
	MODEL_CHUNK = 0,
	MODEL_START = MODEL_CHUNK + 1,
	MODEL_RUN_A = MODEL_START + 1,
	MODEL_RUN_B = MODEL_RUN_A + 4 * 8,
	MODEL_RUN_MORE = MODEL_RUN_B + 16 * 16,
	MODEL_TYPE_A = MODEL_RUN_MORE + MODELS_NUMBER,
	MODEL_TYPE_B = MODEL_TYPE_A + 4 * 8 * 2,
	MODEL_LEN_A = MODEL_TYPE_B + 8 * 16 * 4,
	MODEL_LEN_B = MODEL_LEN_A + MATCH_TYPES * 8,
	MODEL_LEN_MORE = MODEL_LEN_B + 8 * 16 * 2,
	MODEL_DIST_LOG = MODEL_LEN_MORE + 2 * 8 * MODELS_NUMBER,
	MODEL_DIST_TOP = MODEL_DIST_LOG + 2 * 8,
	MODEL_DIST_LOW = MODEL_DIST_TOP + 2 * 16,
	MODEL_HIGH_A = MODEL_DIST_LOW + 2 * 16,
	MODEL_HIGH_B = MODEL_HIGH_A + 3 * 8,
	MODEL_LOW_A = MODEL_HIGH_B + 2 * 256,
	MODEL_LOW_B = MODEL_LOW_A + 3 * 8 * 16,
	MODEL_PLAIN = MODEL_LOW_B + 2 * 256, /* the last four, of plain ones */
	MODELS_ALL = MODEL_PLAIN + (MODEL_PLAIN - MODEL_HIGH_A)
};

/* A model: how often each of 16 symbols is expected, as the sums of those
 * before it, out of 32768.  The last row is only looked at.
 */
struct page_models {
	uint16_t sum[MODELS_ALL + 1][16] __attribute__((aligned(32)));
	int16_t target[16][16] __attribute__((aligned(32)));
};

/* In a context: the literal is the first of its run. */
#define WHERE_FIRST 0x20u

/* Some sequences, and all that is coded of them. */
struct page_chunk {
	uint32_t nseqs, nnew, nlits;
	uint8_t start[LANES];         /* low 3 bits of where each lane begins */
	uint32_t run[CHUNK_SEQS + 1]; /* [nseqs]: literals after the last one */
	uint32_t len[CHUNK_SEQS];
	uint8_t type[CHUNK_SEQS];
	uint32_t dist[CHUNK_SEQS]; /* of new distances, as coded */
	uint8_t which[CHUNK_SEQS]; /* of new distances: whose */
	/* Literals: less the byte at the distance of the match that follows,
	 * or [1], if .plain, as they are.  Written by eights, as are their
	 * contexts: 8 times (last, last but one, earlier in its run), plus low
	 * 3 bits of where, plus WHERE_FIRST.
	 */
	bool plain;
	uint8_t lits[2][CHUNK_LITS + 8], where[CHUNK_LITS + 8];
};

/* Most bytes that are read between two looks at where they end. */
#define CHUNK_CODED_MAX 8192u

/* One direction of the entropy coder. */
struct page_coder {
	struct page_models models;
	bool two_models;
	/* Decoding: the states, and the words.  What is left of them moves to
	 * 'tail' when it is less than CHUNK_CODED_MAX.
	 */
	uint32_t x[LANES];
	const uint8_t *at, *end;
	bool in_tail;
	uint8_t tail[2 * CHUNK_CODED_MAX];
	/* Encoding: what to code, in order. */
	uint32_t *items;
};

/* Codes a chunk: takes it as it is, or fills it but for .lits and .where and
 * .nlits; then page_chunk_place(), then the literals.  Same bytes from each.
 */
struct page_code {
	void (*put_seqs)(struct page_coder *k, struct page_chunk *c);
	void (*put_lits)(struct page_coder *k, struct page_chunk *c);
	/* -1: damaged. */
	int (*get_seqs)(struct page_coder *k, struct page_chunk *c);
	int (*get_lits)(struct page_coder *k, struct page_chunk *c);
};

extern const struct page_code page_code_base;
#ifdef __x86_64__
extern const struct page_code page_code_avx2;
#endif
/* The fastest that this CPU can do. */
const struct page_code *page_code_best(void);

/* Makes a context of codec_page use that one, for tests and for training. */
void page_use_code(void *ctx, const struct page_code *code)
	__attribute__((nonnull));

/* The models that every block begins with. */
void page_models_init(struct page_models *m) __attribute__((nonnull));

/* The same in a compact form, made by bench/train-priors: a letter for each
 * symbol, each worth a factor of the square root of 2.
 */
extern const char page_priors[16 * MODELS_ALL + 1];

#endif
