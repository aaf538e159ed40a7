/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/btf.h"
#include "classify/linux-impl.h"
#include "common/mem.h"
#include "common/page.h"

/* How far from its beginning a kernel's image is searched for its types. */
#define LINUX_IMAGE_MAX (UINT64_C(96) << 20)

struct line {
	const char *key;
	size_t at; /* in struct linux_layout, a uint64_t */
	uint64_t max;
};

#define FIELD(name) offsetof(struct linux_layout, name)

/* All of them must be there, and no greater than what any kernel says. */
static const struct line lines[] = {
	{ "SIZE(page)", FIELD(page_size), 128 },
	{ "OFFSET(page.flags)", FIELD(flags), 120 },
	{ "OFFSET(page.lru)", FIELD(list), 112 },
	{ "OFFSET(page.mapping)", FIELD(mapping), 120 },
	{ "OFFSET(page.private)", FIELD(private), 120 },
	{ "OFFSET(page._mapcount)", FIELD(mapcount), 124 },
	{ "OFFSET(page._refcount)", FIELD(refcount), 124 },
	{ "NUMBER(SECTION_SIZE_BITS)", FIELD(section_bits), 36 },
	{ "SYMBOL(mem_section)", FIELD(roots), UINT64_MAX },
	{ "LENGTH(mem_section)", FIELD(nroots), 1u << 24 },
	{ "SIZE(mem_section)", FIELD(section_size), 256 },
	{ "OFFSET(mem_section.section_mem_map)", FIELD(section_map), 248 },
	{ "LENGTH(zone.free_area)", FIELD(orders), LINUX_ORDERS_MAX },
	{ "OFFSET(pglist_data.node_zones)", FIELD(node_zones), 1u << 24 },
	{ "OFFSET(pglist_data.nr_zones)", FIELD(node_nzones), 1u << 24 },
	{ "SIZE(zone)", FIELD(zone_size), 1u << 20 },
	{ "OFFSET(zone.free_area)", FIELD(zone_area), 1u << 20 },
	{ "SIZE(free_area)", FIELD(area_size), 4096 },
};

/* The types of pages that are no anybody's: negative in _mapcount. */
static bool
layout_type(const struct vmcoreinfo *v, const char *key, uint32_t *type)
{
	uint64_t value;

	*type = 0;
	if (!vmcoreinfo_get(v, key, &value) || !(value & 1u << 31))
		return false;
	*type = (uint32_t)value;
	return true;
}

/* Page tables are not in the text.  Until 6.10 each type was a bit that is
 * cleared, since 6.12 it is a number in the top byte.
 */
static uint32_t
layout_table(const struct vmcoreinfo *v, uint32_t buddy)
{
	char release[64], *dot;
	unsigned long major, minor;

	if (buddy == ~(1u << 30)) /* 6.11 */
		return ~(1u << 28);
	if (buddy != ~(1u << 7))
		return buddy + (2u << 24);
	vmcoreinfo_text(v, "OSRELEASE", release, sizeof(release));
	major = strtoul(release, &dot, 10);
	minor = *dot == '.' ? strtoul(dot + 1, NULL, 10) : 0;
	return major < 5 || (major == 5 && minor < 11) ? ~(1u << 10)
						       : ~(1u << 9);
}

static bool
layout_types(const struct vmcoreinfo *v, struct linux_layout *l)
{
	uint64_t slab = 0;

	if (!layout_type(v, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", &l->buddy))
		return false;
	l->type_mask = l->buddy & 0xffffff ? UINT32_MAX : 0xff000000;
	(void)!layout_type(v, "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)",
			   &l->offline);
	l->table = layout_table(v, l->buddy);
	if (layout_type(v, "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", &l->slab))
		return true;
	if (!vmcoreinfo_get(v, "NUMBER(PG_slab)", &slab) || slab > 63)
		return false;
	l->slab_flag = UINT64_C(1) << slab;
	return true;
}

/* Either the nodes of a NUMA kernel or the one of another. */
static bool
layout_nodes(const struct vmcoreinfo *v, struct linux_layout *l)
{
	if (vmcoreinfo_get(v, "SYMBOL(contig_page_data)", &l->nodes)) {
		l->nnodes = 0;
		return true;
	}
	return vmcoreinfo_get(v, "SYMBOL(node_data)", &l->nodes) &&
	       vmcoreinfo_get(v, "LENGTH(node_data)", &l->nnodes) &&
	       l->nnodes > 0 && l->nnodes <= 4096;
}

bool
linux_layout_read(struct linux_tables *t)
{
	struct linux_layout *l = &t->layout;
	const struct vmcoreinfo *v = &t->info;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		uint64_t value;

		if (!vmcoreinfo_get(v, lines[i].key, &value) ||
		    value > lines[i].max)
			return false;
		memcpy((uint8_t *)l + lines[i].at, &value, sizeof(value));
	}
	if (!vmcoreinfo_get(v, "OFFSET(page.compound_head)", &l->head) &&
	    !vmcoreinfo_get(v, "OFFSET(page.compound_info)", &l->head))
		return false;
	if (!vmcoreinfo_get(v, "NUMBER(PG_head_mask)", &l->head_flag) ||
	    !layout_types(v, l) || !layout_nodes(v, l))
		return false;
	if (l->page_size < 56 || l->head + 8 > l->page_size ||
	    l->flags + 8 > l->page_size || l->mapping + 8 > l->page_size ||
	    l->private + 8 > l->page_size || l->list + 16 > l->page_size ||
	    l->mapcount + 4 > l->page_size || l->refcount + 4 > l->page_size ||
	    l->section_bits < 20 || l->section_size < 8 ||
	    l->section_map + 8 > l->section_size || l->orders == 0 ||
	    l->area_size < 8)
		return false;
	l->sections_per_root = PAGE_BYTES / l->section_size;
	return true;
}

/* Where in this page types may begin, from word i of 4 bytes on; 1024: none. */
static unsigned
types_begin(const uint8_t *page, unsigned i)
{
	for (; i < PAGE_BYTES / 4; i++) {
		uint32_t word;

		memcpy(&word, page + 4 * (size_t)i, sizeof(word));
		if (word == 0x0001eb9f)
			break;
	}
	return i;
}

/* The longest of all that look like types: modules have their own. */
static uint64_t
types_find(const struct physical *p, uint64_t gpa, size_t *len)
{
	uint64_t end = gpa + LINUX_IMAGE_MAX, best = 0;
	uint8_t scratch[PAGE_BYTES], head[64];

	*len = 0;
	for (gpa &= ~(uint64_t)(PAGE_BYTES - 1); gpa < end; gpa += PAGE_BYTES) {
		const uint8_t *page = p->page(p->arg, gpa, scratch);

		if (!page)
			break;
		for (unsigned i = 0; i < PAGE_BYTES / 4; i++) {
			size_t n;

			i = types_begin(page, i);
			if (i == PAGE_BYTES / 4 ||
			    !physical_read(p, gpa + 4 * (uint64_t)i, head,
					   sizeof(head)))
				break;
			n = btf_size(head, sizeof(head));
			if (n > *len) {
				*len = n;
				best = gpa + 4 * (uint64_t)i;
			}
		}
	}
	return best;
}

struct member {
	const char *type, *name, *other; /* the name in newer kernels */
	size_t at;                       /* in struct linux_types, a uint64_t */
	uint64_t max;
};

#undef FIELD
#define FIELD(name) offsetof(struct linux_types, name)

static const struct member members[] = {
	{ "page", "index", "__folio_index", FIELD(page_index), 120 },
	{ "address_space", "host", NULL, FIELD(space_host), 4096 },
	{ "inode", "i_data", NULL, FIELD(inode_data), 4096 },
	{ "inode", "i_ino", NULL, FIELD(inode_number), 4096 },
	{ "inode", "i_size", NULL, FIELD(inode_size), 4096 },
	{ "inode", "i_sb", NULL, FIELD(inode_super), 4096 },
	{ "inode", "i_rdev", NULL, FIELD(inode_rdev), 4096 },
	{ "super_block", "s_magic", NULL, FIELD(super_magic), 8192 },
	{ "super_block", "s_id", NULL, FIELD(super_name), 8192 },
	{ "super_block", "s_uuid", NULL, FIELD(super_uuid), 8192 },
	{ "super_block", "s_dev", NULL, FIELD(super_dev), 8192 },
	{ "super_block", "s_type", NULL, FIELD(super_type), 8192 },
	{ "file_system_type", "name", NULL, FIELD(type_name), 4096 },
};

static const struct member flags[] = {
	{ "pageflags", "PG_dirty", NULL, FIELD(dirty), 63 },
	{ "pageflags", "PG_writeback", NULL, FIELD(writeback), 63 },
	{ "pageflags", "PG_uptodate", NULL, FIELD(uptodate), 63 },
	{ "pageflags", "PG_reserved", NULL, FIELD(reserved), 63 },
};

static bool
types_fill(struct linux_types *t, const struct btf *b)
{
	uint64_t value;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];

		if (!btf_member(b, m->type, m->name, &value) &&
		    (!m->other || !btf_member(b, m->type, m->other, &value)))
			return false;
		if (value > m->max)
			return false;
		memcpy((uint8_t *)t + m->at, &value, sizeof(value));
	}
	if (!btf_member(b, "per_cpu_pages", "count", &t->percpu_count) ||
	    !btf_member(b, "per_cpu_pages", "lists", &t->percpu_lists) ||
	    !btf_array(b, "per_cpu_pages", "lists", &t->percpu_nlists))
		t->percpu_nlists = 0;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (!btf_constant(b, flags[i].type, flags[i].name, &value) ||
		    value > flags[i].max)
			return false;
		value = UINT64_C(1) << value;
		memcpy((uint8_t *)t + flags[i].at, &value, sizeof(value));
	}
	return true;
}

int
linux_types_read(struct linux_tables *t, uint64_t gpa, struct err *e)
{
	const struct physical *p = t->mmu.memory;
	size_t len;
	uint64_t at = types_find(p, gpa, &len);
	auto_free uint8_t *bytes = NULL;
	struct btf b;

	t->types.known = false;
	if (len == 0)
		return 0;
	bytes = malloc(len);
	if (!bytes)
		return err_sys(e, "%zu bytes of types", len);
	if (!physical_read(p, at, bytes, len))
		return 0;
	if (btf_open(&b, bytes, len, e) < 0)
		return e->code == ERR_CORRUPT ? 0 : -1;
	t->types.known = types_fill(&t->types, &b) &&
			 t->types.page_index + 8 <= t->layout.page_size;
	btf_close(&b);
	return 0;
}
