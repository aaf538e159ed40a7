/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_TEST_H
#define MIG_TEST_H

/* What every test program includes: cmocka with the headers it needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"

/* The call worked; else the test fails with the text of *e. */
#define assert_ok(call, e)                                                     \
	do {                                                                   \
		if ((call) != 0)                                               \
			fail_msg("%s: %s", #call, (e)->text);                  \
	} while (0)

/* The call failed with this code. */
#define assert_err(call, e, want)                                              \
	do {                                                                   \
		(e)->code = ERR_NONE;                                          \
		assert_int_not_equal((call), 0);                               \
		assert_int_equal((e)->code, (want));                           \
	} while (0)

/* Numbers that look random and are the same on every run (xorshift64*). */
static inline uint64_t
test_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

#endif
