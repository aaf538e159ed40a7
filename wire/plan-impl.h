/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PLAN_IMPL_H
#define MIG_PLAN_IMPL_H

#include <stdbool.h>
#include <stdint.h>

struct plan_cursor;
struct plan_moves;
struct plan_ref;

/* What writer and reader must do alike. */

bool plan_is_guest_like(uint32_t guest_like, uint8_t base);
/* The last reference was from page 'own' to 'ref'. */
void plan_cursor_move(struct plan_cursor *c, uint64_t own, struct plan_ref ref);
/* The difference at place 'at' (m->n: a new one) was used again. */
void plan_moves_to_front(struct plan_moves *m, unsigned at, uint64_t by);

#endif
