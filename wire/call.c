/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "wire/call.h"

#define MAGIC_BYTES 8

static const uint8_t magic[MAGIC_BYTES] = { 'V', 'I', 'R', 'T',
					    'M', 'I', 'G', '\n' };

void
call_put(const struct call *c, uint8_t out[CALL_BYTES])
{
	memcpy(out, magic, MAGIC_BYTES);
	memcpy(out + MAGIC_BYTES, c->id, CALL_ID_BYTES);
	memcpy(out + MAGIC_BYTES + CALL_ID_BYTES, c->uuid, CALL_ID_BYTES);
}

int
call_get(const uint8_t in[CALL_BYTES], struct call *c, struct err *e)
{
	if (memcmp(in, magic, MAGIC_BYTES) != 0)
		return err_set(e, ERR_PROTOCOL, "not a call of virt-migd");
	memcpy(c->id, in + MAGIC_BYTES, CALL_ID_BYTES);
	memcpy(c->uuid, in + MAGIC_BYTES + CALL_ID_BYTES, CALL_ID_BYTES);
	return 0;
}

void
call_id_text(const uint8_t id[CALL_ID_BYTES], char out[CALL_TEXT_MAX])
{
	for (unsigned i = 0; i < CALL_ID_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

void
call_uuid_text(const uint8_t uuid[CALL_ID_BYTES], char out[CALL_TEXT_MAX])
{
	size_t n = 0;

	for (unsigned i = 0; i < CALL_ID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		snprintf(out + n, 3, "%02x", uuid[i]);
		n += 2;
	}
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
call_parse_id(const char *text, uint8_t id[CALL_ID_BYTES])
{
	unsigned n = 0;

	memset(id, 0, CALL_ID_BYTES);
	for (; *text; text++) {
		int d = digit(*text);

		if (*text == '-')
			continue;
		if (d < 0 || n == 2 * CALL_ID_BYTES)
			return false;
		id[n / 2] = (uint8_t)(id[n / 2] << 4 | d);
		n++;
	}
	return n == 2 * CALL_ID_BYTES;
}
