/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_JOURNAL_H
#define MIG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "wire/talk.h"

/* The messages that one end has said and that the other may not have heard,
 * should the connection break: said again over the next one, from where the
 * other end stands.  Messages are counted from 0 by both ends.
 */
struct journal {
	struct journal_entry *oldest, *newest;
	uint32_t first; /* number of the oldest that is kept */
	uint32_t next;  /* number of the next to be said */
	size_t bytes;   /* of all that are kept */
};

void journal_init(struct journal *j) __attribute__((nonnull));
void journal_fini(struct journal *j) __attribute__((nonnull));

/* More messages than this nobody leaves unheard who means well. */
#define JOURNAL_MAX (1u << 18)

/* Says the one message in bytes, n bytes from malloc(), now the journal's;
 * t NULL: later, over the next connection.  ERR_LIMIT if the other end has not
 * heard JOURNAL_MAX others.
 */
int journal_say(struct journal *j, struct talk *t, uint8_t *bytes, size_t n,
		struct err *e)
	__attribute__((nonnull(1, 3, 5), warn_unused_result));
/* Says a copy of the one message in b and resets it. */
int journal_say_buf(struct journal *j, struct talk *t, struct buf *b,
		    struct err *e)
	__attribute__((nonnull(1, 3, 4), warn_unused_result));
/* The other end has heard all before number n.  ERR_PROTOCOL if it cannot. */
int journal_heard(struct journal *j, uint32_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* The same of what may have been said long ago, and be known by now: an answer
 * to a message that was heard before the connection broke.
 */
int journal_heard_once(struct journal *j, uint32_t n, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Says everything that is kept once more. */
int journal_again(const struct journal *j, struct talk *t, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
