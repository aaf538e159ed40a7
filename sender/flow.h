/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FLOW_H
#define MIG_FLOW_H

#include <stdbool.h>
#include <stdint.h>

/* How much of one channel may be under way: read from QEMU here and not yet
 * taken by QEMU there.  QEMU judges by what it gets rid of whether it can
 * stop the guest for the rest, so what waits between the two is time for which
 * the guest is stopped too long: at most FLOW_MS of what is taken, and the
 * time that passes even when nothing waits.
 */
#define FLOW_MS  50
#define FLOW_MIN (2ull << 20) /* one batch on its way while one fills */
#define FLOW_MAX (48ull << 20)

struct flow {
	double rate;         /* bytes a second that are taken; 0: not known */
	uint64_t base_ns;    /* the least time from here to there, lately */
	uint64_t least_ns;   /* of the next base_ns */
	uint64_t base_since; /* when it was begun */
	uint64_t since_ns, since_taken; /* of the sample under way */
	bool blocked;                   /* in it, reading had to stop */
};

/* So many bytes are taken in all, now. */
void flow_taken(struct flow *f, uint64_t taken, uint64_t now_ns)
	__attribute__((nonnull));
/* Some bytes took so long from here to there. */
void flow_passed(struct flow *f, uint64_t ns, uint64_t now_ns)
	__attribute__((nonnull));
/* Reading stopped because of flow_limit(). */
void flow_blocked(struct flow *f) __attribute__((nonnull));
/* Bytes that may be under way. */
uint64_t flow_limit(const struct flow *f) __attribute__((nonnull));

#endif
