/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/linux-impl.h"
#include "common/mem.h"
#include "common/page.h"

/* A kernel counts its ticks in jiffies_64, which begins five minutes before
 * 2^32 and is in the part of its image that it writes to.  Symbols do not tell
 * where, but little else there is in that range and goes at such a rate.
 */
#define CLOCK_FIRST UINT64_C(0xfff00000)
#define CLOCK_LAST  (CLOCK_FIRST + 400000000000) /* ten years of 1000 Hz */
/* How long it is looked at, at least, and by how much it may be wrong: an idle
 * guest is late, but makes up for it.
 */
#define CLOCK_LOOK_NS 300000000
#define CLOCK_PERCENT 10

static const unsigned clock_rates[] = { 100, 250, 300, 1000 };

#define CLOCK_WORDS_MAX 65536
#define CLOCK_IMAGE_MAX (128u << 20)

#define ENTRY_WRITABLE UINT64_C(2)
#define ENTRY_NO_CODE  (UINT64_C(1) << 63)

struct clock_word {
	uint64_t gpa, first, last;
};

static bool
clock_add(struct linux_clock *c, uint64_t gpa)
{
	struct clock_word *more = c->words;

	if (c->nwords == CLOCK_WORDS_MAX)
		return false;
	if ((c->nwords & (c->nwords - 1)) == 0)
		more = reallocarray(c->words, MAX(2 * c->nwords, (size_t)1),
				    sizeof(*more));
	if (!more)
		return false;
	c->words = more;
	c->words[c->nwords++] = (struct clock_word){ .gpa = gpa };
	return true;
}

static void
clock_scan(struct linux_clock *c, const struct physical *m, uint64_t gpa,
	   uint64_t len)
{
	uint8_t bytes[PAGE_BYTES];

	for (uint64_t at = gpa; at < gpa + len; at += PAGE_BYTES) {
		if (!physical_read(m, at, bytes, sizeof(bytes)))
			continue;
		for (unsigned i = 0; i < PAGE_WORDS; i++) {
			uint64_t v = page_word(bytes, i);

			if (v >= CLOCK_FIRST && v < CLOCK_LAST &&
			    !clock_add(c, at + 8 * (uint64_t)i))
				return;
		}
	}
}

int
linux_clock_find(struct linux_clock *c, const struct linux_tables *t,
		 struct err *e)
{
	uint64_t text, va;

	*c = (struct linux_clock){ .nwords = 0 };
	if (!vmcoreinfo_get(&t->info, "SYMBOL(_stext)", &text))
		return err_set(e, ERR_USAGE, "no kernel");
	for (va = text; va - text < CLOCK_IMAGE_MAX;) {
		struct mmu_walk w;
		bool mapped = mmu_walk(&t->mmu, va, &w);

		if (w.size == 0)
			break;
		if (mapped && (w.entry & ENTRY_WRITABLE) &&
		    (w.entry & ENTRY_NO_CODE))
			clock_scan(c, t->mmu.memory, w.physical,
				   w.size - (va & (w.size - 1)));
		va = (va | (w.size - 1)) + 1;
	}
	return c->nwords > 0 ? 0 : err_set(e, ERR_USAGE, "no clock");
}

void
linux_clock_close(struct linux_clock *c)
{
	free(c->words);
	c->words = NULL;
}

static bool
clock_read(const struct physical *m, uint64_t gpa, uint64_t *value)
{
	return physical_read(m, gpa, value, sizeof(*value));
}

static bool
clock_is_right(uint64_t ticks, uint64_t ns)
{
	for (size_t i = 0; i < ARRAY_LEN(clock_rates); i++) {
		uint64_t want = ns / 1000 * clock_rates[i] / 1000000;

		if (ticks * 100 >= want * (100 - CLOCK_PERCENT) &&
		    ticks * 100 <= want * (100 + CLOCK_PERCENT))
			return ticks > 0;
	}
	return false;
}

/* Words that may be the clock, and have not gone back, read once more; whether
 * one of them went on.
 */
static bool
clock_look(struct linux_clock *c, const struct physical *m)
{
	bool went_on = false;
	size_t kept = 0;
	uint64_t v;

	for (size_t i = 0; i < c->nwords; i++) {
		struct clock_word w = c->words[i];

		if (!clock_read(m, w.gpa, &v) || v < w.last || v >= CLOCK_LAST)
			continue;
		went_on |= v > w.last;
		w.last = v;
		c->words[kept++] = w;
	}
	c->nwords = kept;
	return went_on;
}

/* Those of them that went at the rate of a clock. */
static size_t
clock_keep_right(struct linux_clock *c, uint64_t ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->nwords; i++) {
		struct clock_word *w = &c->words[i];

		if (clock_is_right(w->last - w->first, ns))
			c->words[kept++] = *w;
	}
	return kept;
}

bool
linux_clock_moves(struct linux_clock *c, const struct physical *m,
		  uint64_t now_ns)
{
	uint64_t ns = now_ns - c->began_ns;
	size_t kept;

	(void)clock_look(c, m);
	if (c->began_ns == 0) {
		c->began_ns = now_ns;
		for (size_t i = 0; i < c->nwords; i++)
			c->words[i].first = c->words[i].last;
		return false;
	}
	if (ns < CLOCK_LOOK_NS)
		return false;
	kept = clock_keep_right(c, ns);
	if (kept == 0)
		return false;
	c->nwords = kept;
	return true;
}

/* What goes with the clock for a while may go back once: a time that is waited
 * for, say.  The clock does not; and a kernel that starts again where this one
 * is writes all of these words anew.
 */
bool
linux_clock_holds(struct linux_clock *c, const struct physical *m)
{
	c->ticks += clock_look(c, m);
	return c->nwords > 0;
}
