/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLAN_IMPL_H
#define MIG_PLAN_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct plan_cursor;
struct plan_moves;
struct plan_ref;
struct plan_writer;

/* What writer and reader must do alike. */

bool plan_is_guest_like(uint32_t guest_like, uint8_t base);
/* The last reference was from page 'own' to 'ref'. */
void plan_cursor_move(struct plan_cursor *c, uint64_t own, struct plan_ref ref);
/* The difference at place 'at' (m->n: a new one) was used again. */
void plan_moves_to_front(struct plan_moves *m, unsigned at, uint64_t by);
/* Writes the open run of places. */
int plan_close_places(struct plan_writer *w, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
