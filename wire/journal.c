/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/link.h"
#include "wire/journal.h"

struct journal_entry {
	struct journal_entry *next;
	uint8_t *bytes;
	size_t n;
};

void
journal_init(struct journal *j)
{
	*j = (struct journal){ .oldest = NULL };
}

static void
journal_drop(struct journal *j)
{
	struct journal_entry *x = j->oldest;

	j->oldest = x->next;
	if (!j->oldest)
		j->newest = NULL;
	j->first++;
	j->bytes -= x->n;
	free(x->bytes);
	free(x);
}

void
journal_fini(struct journal *j)
{
	while (j->oldest)
		journal_drop(j);
}

static int
journal_talk(struct talk *t, const struct journal_entry *x, struct err *e)
{
	return talk_copy(t, x->bytes, x->n, e);
}

int
journal_say(struct journal *j, struct talk *t, uint8_t *bytes, size_t n,
	    struct err *e)
{
	struct journal_entry *x;

	if (j->next - j->first == JOURNAL_MAX) {
		free(bytes);
		return err_set(e, ERR_LIMIT,
			       "the other end does not say what it heard");
	}
	x = malloc(sizeof(*x));
	if (!x) {
		free(bytes);
		return err_sys(e, "message of %zu bytes", n);
	}
	*x = (struct journal_entry){ NULL, bytes, n };
	if (j->newest)
		j->newest->next = x;
	else
		j->oldest = x;
	j->newest = x;
	j->next++;
	j->bytes += n;
	return t ? journal_talk(t, x, e) : 0;
}

int
journal_say_buf(struct journal *j, struct talk *t, struct buf *b, struct err *e)
{
	uint8_t *copy = malloc(b->len);
	size_t n = b->len;

	if (!copy)
		return err_sys(e, "message of %zu bytes", n);
	memcpy(copy, b->data, n);
	buf_reset(b);
	return journal_say(j, t, copy, n, e);
}

int
journal_heard(struct journal *j, uint32_t n, struct err *e)
{
	if (n - j->first > j->next - j->first)
		return err_set(e, ERR_PROTOCOL,
			       "%u messages heard, of %u to %u", n, j->first,
			       j->next);
	while (j->first != n)
		journal_drop(j);
	return 0;
}

int
journal_heard_once(struct journal *j, uint32_t n, struct err *e)
{
	return (int32_t)(n - j->first) <= 0 ? 0 : journal_heard(j, n, e);
}

int
journal_again(const struct journal *j, struct talk *t, struct err *e)
{
	for (const struct journal_entry *x = j->oldest; x; x = x->next)
		if (journal_talk(t, x, e) < 0)
			return -1;
	return 0;
}
