/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "sender/effort.h"

#define MIB (1u << 20)

static const struct effort efforts[] = {
	{ "raw",
	  "references only, nothing compressed",
	  { CODEC_RAW, 0 },
	  { CODEC_RAW, 0 },
	  .block_bytes = MIB },
	{ "lz4",
	  "for 10 Gb/s",
	  { CODEC_LZ4, 0 },
	  { CODEC_LZ4, 0 },
	  .block_bytes = MIB },
	{ "fast",
	  "for 1 Gb/s and more",
	  { CODEC_ZSTD, 1 },
	  { CODEC_ZSTD, 1 },
	  .keeps = true,
	  .block_bytes = MIB },
	{ "middle",
	  "for some 100 Mb/s",
	  { CODEC_PAGE, 0 },
	  { CODEC_ZSTD, 3 },
	  .match = true,
	  .keeps = true,
	  .block_bytes = 2 * MIB },
	{ "strong",
	  "for 100 Mb/s and less",
	  { CODEC_PAGE, 2 },
	  { CODEC_ZSTD, 9 },
	  .match = true,
	  .keeps = true,
	  .block_bytes = 4 * MIB },
	{ "max",
	  "for a few Mb/s",
	  { CODEC_LZMA, 6 },
	  { CODEC_ZSTD, 19 },
	  .match = true,
	  .keeps = true,
	  .block_bytes = 4 * MIB },
};

const struct effort *
effort_all(size_t *n)
{
	*n = ARRAY_LEN(efforts);
	return efforts;
}

const struct effort *
effort_by_name(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(efforts); i++)
		if (strcmp(efforts[i].name, name) == 0)
			return &efforts[i];
	(void)err_set(e, ERR_USAGE, "no effort is called '%s'", name);
	return NULL;
}

size_t
effort_number(const struct effort *effort)
{
	size_t i = 0;

	while (i < ARRAY_LEN(efforts) && effort != &efforts[i])
		i++;
	return i;
}

int
effort_of_codec(struct effort *effort, const char *text, struct err *e)
{
	const struct effort *middle = effort_by_name("middle", e);

	if (!middle)
		return -1;
	*effort = *middle;
	effort->name = text;
	return codec_parse(text, &effort->data, e);
}
