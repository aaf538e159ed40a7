/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CALL_H
#define MIG_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* The first bytes of every connection to a virt-migd, in the clear and before
 * TLS: which migration it is for, so that it reaches the process of that
 * migration and nobody but that process reads what the peer says.  They are
 * believed only so far; who calls is for the certificates to say.
 */
#define CALL_BYTES    40
#define CALL_ID_BYTES 16
#define CALL_TEXT_MAX 37

struct call {
	uint8_t id[CALL_ID_BYTES];   /* of the migration; random */
	uint8_t uuid[CALL_ID_BYTES]; /* of the VM */
};

void call_put(const struct call *c, uint8_t out[CALL_BYTES])
	__attribute__((nonnull));
/* ERR_PROTOCOL where somebody talks about something else. */
int call_get(const uint8_t in[CALL_BYTES], struct call *c, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* 32 hexadecimal digits; and a UUID with its dashes. */
void call_id_text(const uint8_t id[CALL_ID_BYTES], char out[CALL_TEXT_MAX])
	__attribute__((nonnull));
void call_uuid_text(const uint8_t uuid[CALL_ID_BYTES], char out[CALL_TEXT_MAX])
	__attribute__((nonnull));
/* Reads either; false if it is neither. */
bool call_parse_id(const char *text, uint8_t id[CALL_ID_BYTES])
	__attribute__((nonnull));

#endif
