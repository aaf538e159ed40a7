/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_STREAM_TEST_H
#define MIG_STREAM_TEST_H

#include "tests/make-stream.h"
#include "tests/test.h"
#include "tests/walk-stream.h"

/* What test-stream and test-stream-opaque share: a stream, and what its parser
 * made of it.
 */
static struct buf s;
static struct stream_blocks blocks;
static struct stream_parser p;
static struct walk w;

static inline int
setup(void **state)
{
	(void)state;
	buf_init(&s, 1 << 20);
	stream_blocks_init(&blocks);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	buf_fini(&s);
	stream_blocks_fini(&blocks);
	return 0;
}

static inline size_t
random_piece(void *arg)
{
	uint64_t r = test_random(arg);

	return r % 8 == 0 ? r >> 50 : r >> 59;
}

static inline size_t
all_of_it(void *arg)
{
	(void)arg;
	return s.len;
}

static inline size_t
one_byte(void *arg)
{
	(void)arg;
	return 1;
}

static inline struct walk
parse_again(walk_piece *piece, void *arg)
{
	stream_blocks_fini(&blocks);
	stream_parser_init(&p, &blocks);
	return walk_stream(&p, s.data, s.len, piece, arg);
}

/* Parses what is in s, in one piece and in others: nothing may differ. */
static inline void
parse(void)
{
	struct stream_parser whole;
	uint64_t seed = 1;

	w = parse_again(all_of_it, NULL);
	whole = p;
	for (unsigned i = 0; i <= 20; i++) {
		struct walk v = i == 0 ? parse_again(one_byte, NULL)
				       : parse_again(random_piece, &seed);

		for (unsigned k = STREAM_PAGE; k <= STREAM_BARE; k++)
			assert_int_equal(v.items[k], w.items[k]);
		assert_memory_equal(v.bytes, w.bytes, sizeof(w.bytes));
		assert_true(v.eof == w.eof && v.sum == w.sum);
		/* but for the pieces of what nobody knows the length of */
		assert_true(v.ends == w.ends);
		assert_ptr_equal(p.opaque, whole.opaque);
		assert_int_equal(p.role, whole.role);
		assert_int_equal(p.postcopy, whole.postcopy);
		assert_int_equal(p.ram_ended, whole.ram_ended);
		assert_string_equal(p.section, whole.section);
	}
}

static inline void
assert_items(uint64_t pages, uint64_t zeros, uint64_t bare)
{
	assert_int_equal(w.items[STREAM_PAGE], pages);
	assert_int_equal(w.items[STREAM_ZERO], zeros);
	assert_int_equal(w.items[STREAM_BARE], bare);
}

static inline void
assert_opaque(const char *why)
{
	parse();
	if (!p.opaque || !strstr(p.opaque, why))
		fail_msg("opaque because of '%s', not of '%s'",
			 p.opaque ? p.opaque : "nothing", why);
	assert_int_equal(w.items[STREAM_EOF], 0);
}

static inline void
assert_clear(void)
{
	parse();
	if (p.opaque)
		fail_msg("opaque: %s, section %s", p.opaque, p.section);
}

#define sentence(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
