/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* What the LiME kernel module writes, and AVML without compression: pieces of
 * memory, each with a head of 32 bytes before it.
 *
 *	u32 0x4c694d45, u32 version 1
 *	u64 first address, u64 last address, u64 unused
 */
#define LIME_MAGIC      "EMiL"
#define LIME_VERSION    1
#define LIME_HEAD       32
#define LIME_PIECES_MAX 65536 /* a machine has a few dozen */

static bool
lime_is(const struct map *map)
{
	return map->len >= 4 && memcmp(map->data, LIME_MAGIC, 4) == 0;
}

static int
get_piece(struct span *s, struct memory_region *r, struct err *e)
{
	uint64_t first, last, unused;
	const uint8_t *magic;
	uint32_t version;

	if (span_take(s, 4, &magic, e) < 0 ||
	    span_get_u32(s, &version, e) < 0 ||
	    span_get_u64(s, &first, e) < 0 || span_get_u64(s, &last, e) < 0 ||
	    span_get_u64(s, &unused, e) < 0)
		return -1;
	if (memcmp(magic, LIME_MAGIC, 4) != 0 || version != LIME_VERSION)
		return err_set(e, ERR_CORRUPT, "not the head of a piece");
	if (last < first || last - first >= s->left)
		return err_set(e, ERR_CORRUPT,
			       "the piece from 0x%" PRIx64 " to 0x%" PRIx64
			       " is not all there",
			       first, last);
	r->gpa = first;
	r->len = last - first + 1;
	return span_take(s, r->len, &magic, e);
}

static int
lime_lay_out(struct memory *m, struct err *e)
{
	struct span s = span_of(m->map.data, m->map.len);
	auto_free struct memory_region *r = NULL;
	size_t n = 0;

	r = calloc(LIME_PIECES_MAX, sizeof(*r));
	if (!r)
		return err_sys(e, "a list of %d regions", LIME_PIECES_MAX);
	while (s.left > 0) {
		uint64_t at = m->map.len - s.left;

		if (n == LIME_PIECES_MAX)
			return err_set(e, ERR_USAGE,
				       "a LiME dump of more than %d pieces; "
				       "not supported",
				       LIME_PIECES_MAX);
		r[n].offset = at + LIME_HEAD;
		if (get_piece(&s, &r[n++], e) < 0) {
			e->code = ERR_CORRUPT;
			return err_prefix(
				e, "a LiME dump, at offset 0x%" PRIx64, at);
		}
	}
	return memory_lay_out(m, r, n, ERR_CORRUPT, e);
}

const struct memory_format memory_lime = {
	.name = "lime",
	.is = lime_is,
	.lay_out = lime_lay_out,
};
