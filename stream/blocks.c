/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "stream/blocks.h"

void
stream_blocks_init(struct stream_blocks *b)
{
	*b = (struct stream_blocks){ .n = 0 };
}

void
stream_blocks_fini(struct stream_blocks *b)
{
	free(b->list);
	stream_blocks_init(b);
}

uint32_t
stream_blocks_find(const struct stream_blocks *b, const void *name,
		   uint8_t name_len)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (b->list[i].name_len == name_len &&
		    memcmp(b->list[i].name, name, name_len) == 0)
			return i;
	return STREAM_NO_BLOCK;
}

static int
make_room(struct stream_blocks *b, struct err *e)
{
	uint32_t room = MAX(16u, 2 * b->room);
	struct stream_block *list;

	if (b->n < b->room)
		return 0;
	if (b->n == STREAM_BLOCKS_MAX)
		return err_set(e, ERR_LIMIT, "more than %u blocks of memory",
			       STREAM_BLOCKS_MAX);
	list = realloc(b->list, room * sizeof(*list));
	if (!list)
		return err_sys(e, "a list of %u blocks of memory", room);
	b->list = list;
	b->room = room;
	return 0;
}

int
stream_blocks_add(struct stream_blocks *b, const void *name, uint8_t name_len,
		  uint64_t used, struct err *e)
{
	struct stream_block *block;

	if (stream_blocks_find(b, name, name_len) != STREAM_NO_BLOCK)
		return err_set(e, ERR_PROTOCOL,
			       "two blocks of memory of the same name");
	if (make_room(b, e) < 0)
		return -1;
	block = &b->list[b->n++];
	*block = (struct stream_block){ .used = used, .name_len = name_len };
	memcpy(block->name, name, name_len);
	return 0;
}
