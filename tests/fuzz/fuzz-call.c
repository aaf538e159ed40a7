/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/endpoint.h"
#include "common/mem.h"
#include "tests/fuzz/fuzz.h"
#include "wire/call.h"

/* What virt-migd reads of a caller, its first 40 bytes: refused, or the same
 * once it has been written again.  And all of the input as the texts that the
 * command hands over: an id, a UUID, where the peer is.
 */
static void
check_call(const uint8_t *data)
{
	uint8_t again[CALL_BYTES], id[CALL_ID_BYTES];
	char text[CALL_TEXT_MAX];
	struct call c;
	struct err e;

	if (call_get(data, &c, &e) < 0) {
		fuzz_check(e.code == ERR_PROTOCOL);
		return;
	}
	call_put(&c, again);
	fuzz_check(memcmp(again, data, sizeof(again)) == 0);
	call_id_text(c.id, text);
	fuzz_check(call_parse_id(text, id) &&
		   memcmp(id, c.id, sizeof(id)) == 0);
	call_uuid_text(c.uuid, text);
	fuzz_check(call_parse_id(text, id) &&
		   memcmp(id, c.uuid, sizeof(id)) == 0);
}

static void
check_text(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	uint8_t id[CALL_ID_BYTES];
	struct endpoint ep;
	struct err e;

	fuzz_check(text);
	(void)call_parse_id(text, id);
	if (endpoint_parse(text, 7, &ep, &e) < 0)
		fuzz_check(e.code == ERR_USAGE);
	else
		fuzz_check(strlen(ep.host) <= size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= CALL_BYTES)
		check_call(data);
	check_text(data, size);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct fuzz_text seeds[] = {
		{ "id", "0123456789abcdef0123456789ABCDEF" },
		{ "uuid", "01234567-89ab-cdef-0123-456789abcdef" },
		{ "host", "host.example.org:49216" },
		{ "v6", "[2001:db8::1]:1" },
		{ "socket", "unix:/run/here" },
		{ "port", "host:99999" },
	};
	const struct call c = { { 1, 2, 3 }, { 4, 5, 6 } };
	uint8_t bytes[CALL_BYTES];
	struct err e;

	if (i == 0) {
		call_put(&c, bytes);
		fuzz_ok(buf_put(out, bytes, sizeof(bytes), &e), &e);
		return "call";
	}
	return fuzz_seed_text(seeds, ARRAY_LEN(seeds), i - 1, out);
}
