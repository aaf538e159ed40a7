/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/digest.h"
#include "wire/hello.h"
#include "wire/layout.h"
#include "wire/live.h"
#include "wire/message.h"
#include "wire/offer.h"
#include "wire/query.h"
#include "wire/seal.h"

static const struct message_kind kinds[MESSAGE__MAX] = {
	[MESSAGE_HELLO] = { "HELLO", HELLO_BYTES, HELLO_BYTES_MAX },
	[MESSAGE_OFFER] = { "OFFER", OFFER_BYTES_MIN, OFFER_BYTES_MAX },
	[MESSAGE_LAYOUT] = { "LAYOUT", LAYOUT_BYTES_MIN, LAYOUT_BYTES_MAX },
	[MESSAGE_WANT] = { "WANT", WANT_BYTES, WANT_BYTES },
	[MESSAGE_REGIONS] = { "REGIONS", DIGEST_BYTES,
			      DIGEST_BYTES *REGIONS_MAX },
	[MESSAGE_BASES] = { "BASES", 0, PLAN_BASES_MAX - 1 },
	[MESSAGE_FRAME] = { "FRAME", 4, MESSAGE_BODY_MAX },
	[MESSAGE_ACK] = { "ACK", 4, 4 },
	[MESSAGE_NAK] = { "NAK", 4, 4 },
	[MESSAGE_QUERY] = { "QUERY", FINGERPRINT_BYTES,
			    FINGERPRINT_BYTES *QUERY_MAX },
	[MESSAGE_ANSWER] = { "ANSWER", 1, ANSWER_BYTES_MAX *QUERY_MAX },
	[MESSAGE_SEAL] = { "SEAL", SEAL_BYTES, SEAL_BYTES },
	[MESSAGE_SEALED] = { "SEALED", 0, 0 },
	[MESSAGE_ERROR] = { "ERROR", 1, 1 + MESSAGE_TEXT_MAX },
	[MESSAGE_PING] = { "PING", 8, 8 },
	[MESSAGE_PONG] = { "PONG", 8, 8 },
	[MESSAGE_BLOCKS] = { "BLOCKS", LIVE_BLOCK_BYTES_MIN, LIVE_BLOCKS_MAX },
	[MESSAGE_CHANNEL] = { "CHANNEL", 1, 1 },
	[MESSAGE_TAKEN] = { "TAKEN", 9, 9 },
	[MESSAGE_RETURN] = { "RETURN", 2, 1 + LIVE_RETURN_MAX },
	[MESSAGE_COMMIT] = { "COMMIT", 0, 0 },
	[MESSAGE_END] = { "END", 0, DIGEST_BYTES },
	[MESSAGE_AGAIN] = { "AGAIN", 4, LIVE_SECRET_BYTES + 4 },
};

const struct message_kind *
message_kind(unsigned type)
{
	if (type >= MESSAGE__MAX || !kinds[type].name)
		return NULL;
	return &kinds[type];
}

const char *
message_name(unsigned type)
{
	const struct message_kind *kind = message_kind(type);

	return kind ? kind->name : "unknown";
}
