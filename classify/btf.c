/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/btf.h"
#include "common/buf.h"
#include "common/load.h"
#include "common/mem.h"

#define BTF_MAGIC      0xeb9f
#define BTF_HEADER_MIN 24
#define BTF_HEADER_MAX 64
#define BTF_TYPE_BYTES 12
#define BTF_DEPTH_MAX  8 /* structs without a name, one in the other */
/* Members that a search looks at; inode, the longest asked for, has 80. */
#define BTF_LOOKS_MAX 20000

enum btf_kind {
	BTF_INT = 1,
	BTF_ARRAY = 3,
	BTF_STRUCT = 4,
	BTF_UNION = 5,
	BTF_ENUM = 6,
	BTF_PROTO = 13,
	BTF_VAR = 14,
	BTF_SECTION = 15,
	BTF_DECL_TAG = 17,
	BTF_ENUM64 = 19,
	BTF_KIND_MAX = 19,
};

struct btf_header {
	uint32_t size, type_off, type_len, str_off, str_len;
};

struct btf_type {
	uint32_t name, kind, n;
	bool bits; /* offsets of members have sizes in their top byte */
	const uint8_t *more; /* n members or constants */
};

static bool
btf_header(const uint8_t *at, size_t n, struct btf_header *h)
{
	uint64_t end;

	if (n < BTF_HEADER_MIN ||
	    (load_le32(at) & 0xffffff) != (1 << 16 | BTF_MAGIC))
		return false;
	*h = (struct btf_header){ load_le32(at + 4), load_le32(at + 8),
				  load_le32(at + 12), load_le32(at + 16),
				  load_le32(at + 20) };
	end = (uint64_t)h->str_off + h->str_len;
	return h->size >= BTF_HEADER_MIN && h->size <= BTF_HEADER_MAX &&
	       h->type_len > 0 && h->str_len > 0 &&
	       (uint64_t)h->type_off + h->type_len <= h->str_off &&
	       end + h->size <= BTF_BYTES_MAX;
}

size_t
btf_size(const uint8_t *at, size_t n)
{
	struct btf_header h;

	return btf_header(at, n, &h) ? (size_t)h.size + h.str_off + h.str_len
				     : 0;
}

/* Bytes of one member, constant, ... of a kind; and of all, once. */
static uint32_t
btf_more(uint32_t kind, uint32_t n)
{
	switch (kind) {
	case BTF_INT:
	case BTF_VAR:
	case BTF_DECL_TAG:
		return 4;
	case BTF_ARRAY:
		return 12;
	case BTF_ENUM:
	case BTF_PROTO:
		return 8 * n;
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_SECTION:
	case BTF_ENUM64:
		return 12 * n;
	default:
		return 0;
	}
}

static struct btf_type
btf_type_at(const struct btf *b, uint32_t at)
{
	uint32_t info = load_le32(b->types + at + 4);

	return (struct btf_type){ .name = load_le32(b->types + at),
				  .kind = info >> 24 & 31,
				  .n = info & 0xffff,
				  .bits = info >> 31,
				  .more = b->types + at + BTF_TYPE_BYTES };
}

/* Where each type stands, after which every type lies inside .types. */
static int
btf_list(struct btf *b, struct err *e)
{
	b->at = malloc(b->types_len / BTF_TYPE_BYTES * sizeof(*b->at));
	if (!b->at)
		return err_sys(e, "types of the guest's kernel");
	for (uint32_t at = 0; at < b->types_len;) {
		size_t left = b->types_len - at;
		struct btf_type t;

		if (left < BTF_TYPE_BYTES)
			return err_set(e, ERR_CORRUPT, "half a type");
		t = btf_type_at(b, at);
		if (t.kind == 0 || t.kind > BTF_KIND_MAX ||
		    t.name >= b->strings_len ||
		    btf_more(t.kind, t.n) > left - BTF_TYPE_BYTES)
			return err_set(e, ERR_CORRUPT, "type %u makes no sense",
				       b->ntypes + 1);
		b->at[b->ntypes++] = at;
		at += BTF_TYPE_BYTES + btf_more(t.kind, t.n);
	}
	return 0;
}

int
btf_open(struct btf *b, const uint8_t *bytes, size_t len, struct err *e)
{
	struct btf_header h;

	*b = (struct btf){ .ntypes = 0 };
	if (btf_size(bytes, len) == 0 || btf_size(bytes, len) > len ||
	    !btf_header(bytes, len, &h))
		return err_set(e, ERR_CORRUPT, "no types");
	b->types = bytes + h.size + h.type_off;
	b->types_len = h.type_len;
	b->strings = bytes + h.size + h.str_off;
	b->strings_len = h.str_len;
	if (b->strings[0] != 0 || b->strings[h.str_len - 1] != 0)
		return err_set(e, ERR_CORRUPT, "names that do not end");
	if (btf_list(b, e) < 0) {
		btf_close(b);
		return -1;
	}
	return 0;
}

void
btf_close(struct btf *b)
{
	free(b->at);
	*b = (struct btf){ .ntypes = 0 };
}

static bool
btf_is_named(const struct btf *b, uint32_t name, const char *text)
{
	return name < b->strings_len &&
	       strcmp((const char *)b->strings + name, text) == 0;
}

struct btf_search {
	const struct btf *btf;
	const char *member;
	unsigned looks; /* that are left */
	uint64_t bits;  /* the offset that was found */
	uint32_t type;  /* of the member */
};

static bool
btf_member_in(struct btf_search *s, const struct btf_type *t, unsigned depth)
{
	const struct btf *b = s->btf;

	for (uint32_t i = 0; i < t->n && s->looks > 0; i++, s->looks--) {
		const uint8_t *m = t->more + 12 * (size_t)i;
		uint32_t name = load_le32(m), id = load_le32(m + 4);
		uint32_t at = load_le32(m + 8) & (t->bits ? 0xffffff : ~0u);
		struct btf_type inner;

		if (name != 0 && btf_is_named(b, name, s->member)) {
			s->bits = at;
			s->type = id;
			return true;
		}
		if (name != 0 || id == 0 || id > b->ntypes || depth == 0)
			continue;
		inner = btf_type_at(b, b->at[id - 1]);
		if ((inner.kind != BTF_STRUCT && inner.kind != BTF_UNION) ||
		    !btf_member_in(s, &inner, depth - 1))
			continue;
		s->bits += at;
		return true;
	}
	return false;
}

static bool
btf_find(struct btf_search *s, const char *type)
{
	const struct btf *b = s->btf;

	for (uint32_t i = 0; i < b->ntypes; i++) {
		struct btf_type t = btf_type_at(b, b->at[i]);

		if (t.kind == BTF_STRUCT && btf_is_named(b, t.name, type) &&
		    btf_member_in(s, &t, BTF_DEPTH_MAX))
			return true;
	}
	return false;
}

bool
btf_member(const struct btf *b, const char *type, const char *member,
	   uint64_t *offset)
{
	struct btf_search s = { b, member, BTF_LOOKS_MAX, 0, 0 };

	if (!btf_find(&s, type))
		return false;
	*offset = s.bits / 8;
	return true;
}

bool
btf_array(const struct btf *b, const char *type, const char *member,
	  uint64_t *length)
{
	struct btf_search s = { b, member, BTF_LOOKS_MAX, 0, 0 };
	struct btf_type t;

	if (!btf_find(&s, type) || s.type == 0 || s.type > b->ntypes)
		return false;
	t = btf_type_at(b, b->at[s.type - 1]);
	if (t.kind != BTF_ARRAY)
		return false;
	*length = load_le32(t.more + 8);
	return true;
}

bool
btf_constant(const struct btf *b, const char *type, const char *name,
	     uint64_t *value)
{
	for (uint32_t i = 0; i < b->ntypes; i++) {
		struct btf_type t = btf_type_at(b, b->at[i]);

		if (t.kind != BTF_ENUM || !btf_is_named(b, t.name, type))
			continue;
		for (uint32_t k = 0; k < t.n; k++)
			if (btf_is_named(b, load_le32(t.more + 8 * (size_t)k),
					 name)) {
				*value = load_le32(t.more + 8 * (size_t)k + 4);
				return true;
			}
	}
	return false;
}
