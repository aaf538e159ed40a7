/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/vmware.h"

/* The state of a suspended VMware machine (.vmss) or of a snapshot (.vmsn),
 * which says how the .vmem file beside it is laid out.
 *
 *	u32 magic, u32, u32 number of groups
 *	groups: char name[64], u64 where its tags begin, u64
 *	tags: u8 flags, u8 length of the name, the name, u32 indices,
 *	      as many as the top two bits of the flags say, then data: as many
 *	      bytes as the low six bits say; 62 and 63 stand for two lengths,
 *	      two bytes, and as many bytes as the first of the lengths says
 *
 * A tag with neither flags nor name ends a group.  Those of the group
 * "memory" that count here have one number of 4 bytes each.
 */
#define STATE_MAGICS 5
#define GROUP_BYTES  80
#define GROUP_NAME   64
#define DATA_LONG    62
#define DATA_MASK    0x3f
#define INDEX_SHIFT  6

static const uint32_t magics[STATE_MAGICS] = { 0xbed2bed0, 0xbad1bad1,
					       0xbad2bad2, 0xbed2bed2,
					       0xbed3bed3 };

struct tag {
	const uint8_t *name;
	uint8_t name_len, nindices;
	uint32_t index; /* the first */
	uint32_t value; /* of tags with 4 bytes of data */
	bool is_number;
};

static bool
vmware_is(const struct map *map)
{
	struct span s = span_of(map->data, map->len);
	uint32_t magic;
	struct err e;

	if (span_get_u32(&s, &magic, &e) < 0)
		return false;
	for (size_t i = 0; i < STATE_MAGICS; i++)
		if (magic == magics[i])
			return true;
	return false;
}

static int
skip_long(struct span *s, bool wide, struct err *e)
{
	const uint8_t *bytes;
	uint64_t len = 0, unused;
	uint32_t narrow;

	if (wide) {
		if (span_get_u64(s, &len, e) < 0 ||
		    span_get_u64(s, &unused, e) < 0)
			return -1;
	} else {
		if (span_get_u32(s, &narrow, e) < 0)
			return -1;
		len = narrow;
		if (span_get_u32(s, &narrow, e) < 0)
			return -1;
	}
	return span_take(s, 2, &bytes, e) < 0 ? -1
					      : span_take(s, len, &bytes, e);
}

/* The next tag: 1, or 0 at the end of the group. */
static int
get_tag(struct span *s, bool wide, struct tag *t, struct err *e)
{
	const uint8_t *data;
	uint32_t index;
	uint8_t flags, len;

	*t = (struct tag){ .name = NULL };
	if (span_get_u8(s, &flags, e) < 0 ||
	    span_get_u8(s, &t->name_len, e) < 0)
		return -1;
	if (flags == 0 && t->name_len == 0)
		return 0;
	if (span_take(s, t->name_len, &t->name, e) < 0)
		return -1;
	t->nindices = flags >> INDEX_SHIFT;
	for (unsigned i = 0; i < t->nindices; i++) {
		if (span_get_u32(s, &index, e) < 0)
			return -1;
		if (i == 0)
			t->index = index;
	}
	len = flags & DATA_MASK;
	if (len >= DATA_LONG)
		return skip_long(s, wide, e) < 0 ? -1 : 1;
	t->is_number = len == sizeof(t->value);
	if (t->is_number)
		return span_get_u32(s, &t->value, e) < 0 ? -1 : 1;
	return span_take(s, len, &data, e) < 0 ? -1 : 1;
}

static bool
is_number(const struct tag *t, const char *name, unsigned nindices)
{
	return t->is_number && t->nindices == nindices &&
	       t->name_len == strlen(name) &&
	       memcmp(t->name, name, t->name_len) == 0;
}

static int
take_tag(const struct tag *t, struct memory_region *r, size_t *n, struct err *e)
{
	uint64_t value = (uint64_t)t->value << PAGE_SHIFT;

	if (is_number(t, "regionsCount", 0)) {
		*n = t->value;
		return *n <= VMWARE_REGIONS_MAX
			       ? 0
			       : err_set(e, ERR_USAGE,
					 "%u regions of memory; not supported",
					 t->value);
	}
	if (t->index >= VMWARE_REGIONS_MAX)
		return 0;
	if (is_number(t, "regionPPN", 1))
		r[t->index].gpa = value;
	else if (is_number(t, "regionPageNum", 1))
		r[t->index].offset = value;
	else if (is_number(t, "regionSize", 1))
		r[t->index].len = value;
	return 0;
}

/* The tags of the group "memory". */
static int
find_group(struct span file, struct span *tags, struct err *e)
{
	struct span s = file;
	uint32_t magic, unused, ngroups;
	const uint8_t *group;
	uint64_t at;

	if (span_get_u32(&s, &magic, e) < 0 ||
	    span_get_u32(&s, &unused, e) < 0 ||
	    span_get_u32(&s, &ngroups, e) < 0)
		return -1;
	for (uint32_t i = 0; i < ngroups; i++) {
		if (span_take(&s, GROUP_BYTES, &group, e) < 0)
			return -1;
		if (strncmp((const char *)group, "memory", GROUP_NAME) != 0)
			continue;
		*tags = span_of(group + GROUP_NAME, sizeof(at));
		if (span_get_u64(tags, &at, e) < 0)
			return -1;
		if (at > file.left)
			break;
		*tags = span_of(file.at + at, file.left - at);
		return 0;
	}
	return err_set(e, ERR_CORRUPT, "no group 'memory'");
}

int
vmware_regions(struct span file,
	       struct memory_region regions[VMWARE_REGIONS_MAX], size_t *n,
	       struct err *e)
{
	/* Lengths are of 4 bytes in the oldest files only. */
	bool wide = file.left > 0 && (file.at[0] & 0xf) != 0;
	struct span tags;
	struct tag tag;
	int got = find_group(file, &tags, e);

	*n = 0;
	memset(regions, 0, VMWARE_REGIONS_MAX * sizeof(*regions));
	if (got == 0)
		while ((got = get_tag(&tags, wide, &tag, e)) == 1)
			if (take_tag(&tag, regions, n, e) < 0)
				return -1;
	if (got == 0)
		return 0;
	e->code = ERR_CORRUPT;
	return err_prefix(e, "a VMware state file");
}

/* The same name with .vmem at its end; the caller frees it. */
static char *
memory_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	int stem = dot && dot > slash ? (int)(dot - path) : (int)strlen(path);
	char *name;

	return asprintf(&name, "%.*s.vmem", stem, path) < 0 ? NULL : name;
}

static int
vmware_lay_out(struct memory *m, const char *path, struct err *e)
{
	struct memory_region regions[VMWARE_REGIONS_MAX];
	auto_free char *name = memory_path(path);
	size_t n;

	if (!name)
		return err_sys(e, "the name of a .vmem file");
	if (vmware_regions(span_of(m->map.data, m->map.len), regions, &n, e) <
	    0)
		return -1;
	map_close(&m->map);
	if (map_open(&m->map, name, e) < 0)
		return err_prefix(e, "its memory");
	if (n == 0)
		regions[n++] = (struct memory_region){ .len = m->map.len };
	return memory_lay_out(m, regions, n, ERR_CORRUPT, e);
}

const struct memory_format memory_vmware = {
	.name = "vmware",
	.decodes = true,
	.is = vmware_is,
	.lay_out_beside = vmware_lay_out,
};
