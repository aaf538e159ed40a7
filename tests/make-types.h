/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MAKE_TYPES_H
#define MIG_MAKE_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/mem.h"

/* The types of a kernel (BTF) whose structs have nothing but what is read. */
struct linux_member {
	const char *type, *name;
	uint32_t value; /* bytes; of pageflags the constant's */
};

/* In order of type. */
static const struct linux_member linux_members[] = {
	{ "page", "flags", 0 },
	{ "page", NULL, 8 }, /* a union without a name, with the next */
	{ "page", "index", 32 },
	{ "address_space", "host", 0 },
	{ "inode", "i_sb", 40 },
	{ "inode", "i_ino", 64 },
	{ "inode", "i_rdev", 76 },
	{ "inode", "i_size", 80 },
	{ "inode", "i_data", 256 },
	{ "super_block", "s_dev", 16 },
	{ "super_block", "s_type", 40 },
	{ "super_block", "s_magic", 96 },
	{ "super_block", "s_id", 128 },
	{ "super_block", "s_uuid", 160 },
	{ "file_system_type", "name", 0 },
	{ "per_cpu_pages", "count", 4 },
	{ "per_cpu_pages", "lists", 16 }, /* three of them */
	{ "pageflags", "PG_uptodate", 2 },
	{ "pageflags", "PG_dirty", 3 },
	{ "pageflags", "PG_reserved", 12 },
	{ "pageflags", "PG_writeback", 15 },
};

struct linux_types_maker {
	uint8_t types[2048], strings[1024];
	uint32_t ntypes, nstrings;
};

static inline uint32_t
linux_string(struct linux_types_maker *t, const char *text)
{
	uint32_t at = t->nstrings;

	strcpy((char *)t->strings + at, text);
	t->nstrings += (uint32_t)strlen(text) + 1;
	return at;
}

static inline void
linux_u32(struct linux_types_maker *t, uint32_t word)
{
	memcpy(t->types + t->ntypes, &word, 4);
	t->ntypes += 4;
}

/* One struct, or the enum; type 1 is the union in struct page, type 2 the
 * array in struct per_cpu_pages.
 */
static inline size_t
linux_type(struct linux_types_maker *t, size_t i)
{
	const struct linux_member *m = &linux_members[i];
	bool is_enum = strcmp(m->type, "pageflags") == 0;
	bool in_union = false;
	uint32_t n = 0;

	while (i + n < ARRAY_LEN(linux_members) &&
	       strcmp(m[n].type, m->type) == 0)
		n++;
	linux_u32(t, linux_string(t, m->type));
	linux_u32(t, (is_enum ? 6u : 4u) << 24 |
			     (n - (strcmp(m->type, "page") == 0)));
	linux_u32(t, 512);
	for (uint32_t k = 0; k < n; k++) {
		if (in_union)
			break;
		linux_u32(t, m[k].name ? linux_string(t, m[k].name) : 0);
		if (!is_enum)
			linux_u32(t, strcmp(m[k].name ? m[k].name : "",
					    "lists") == 0
					     ? 2
					     : 1);
		linux_u32(t, is_enum ? m[k].value : m[k].value * 8);
		in_union = !m[k].name;
	}
	return i + n;
}

static inline size_t
linux_make_types(uint8_t *out)
{
	static const uint32_t magic = 0x0001eb9f, size = 24;
	struct linux_types_maker t = { .nstrings = 1 };
	uint32_t lengths[4];

	linux_u32(&t, 0); /* the union: index at 24 in it */
	linux_u32(&t, 5u << 24 | 1);
	linux_u32(&t, 40);
	linux_u32(&t, linux_string(&t, "index"));
	linux_u32(&t, 0);
	linux_u32(&t, 24 * 8);
	linux_u32(&t, 0); /* type 2: the array */
	linux_u32(&t, 3u << 24);
	linux_u32(&t, 0);
	linux_u32(&t, 0);
	linux_u32(&t, 0);
	linux_u32(&t, 3);
	for (size_t i = 0; i < ARRAY_LEN(linux_members);)
		i = linux_type(&t, i);
	lengths[0] = 0;
	lengths[1] = lengths[2] = t.ntypes;
	lengths[3] = t.nstrings;
	memcpy(out, &magic, 4);
	memcpy(out + 4, &size, 4);
	memcpy(out + 8, lengths, 16);
	memcpy(out + 24, t.types, t.ntypes);
	memcpy(out + 24 + t.ntypes, t.strings, t.nstrings);
	return 24 + t.ntypes + t.nstrings;
}

#endif
