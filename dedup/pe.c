/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/pe.h"

/* Offsets in the file: "MZ", and where the PE header is; from there on, the
 * optional header of 64-bit programs, and behind it the table of sections.
 */
#define PE_AT        0x3c
#define PE_MACHINE   4
#define PE_NSECTIONS 6
#define PE_OPT_LEN   20
#define PE_OPT       24
#define OPT_MAGIC    0
#define OPT_BASE     24
#define OPT_IMAGE    56
#define OPT_HEADERS  60
#define OPT_SYSTEM   68
#define OPT_NDIRS    108
#define OPT_RELOCS   152 /* sixth of the directories */
#define OPT_MIN      160

#define MACHINE_AMD64 0x8664
#define MAGIC_64      0x20b
#define SYSTEM_NATIVE 1 /* runs in the kernel */
#define RELOC_DIR64   10
#define SECTION_BYTES 40
#define SECTIONS_MAX  96

/* Where images are laid out.  Pages are looked up with their pointers reduced
 * (normal.h), so any address of the right kind will do.
 */
#define BASE_USER   UINT64_C(0x00007ff800000000)
#define BASE_KERNEL UINT64_C(0xfffff80000000000)

struct pe {
	const uint8_t *file;
	size_t len;
	uint32_t at; /* of the PE header */
	uint32_t nsections, sections, image_len, headers, relocs, relocs_len;
	uint64_t base;
	bool is_kernel;
};

static uint64_t
field(const struct pe *pe, uint64_t at, size_t n)
{
	uint64_t v = 0;

	if (at <= pe->len && n <= pe->len - at)
		memcpy(&v, pe->file + at, n);
	return le64toh(v);
}

static bool
pe_parse(struct pe *pe, const uint8_t *file, size_t len)
{
	uint32_t opt;

	*pe = (struct pe){ .file = file, .len = len };
	pe->at = (uint32_t)field(pe, PE_AT, 4);
	if (field(pe, 0, 2) != 0x5a4d || pe->at > PAGE_BYTES ||
	    pe->at % 8 != 0 || field(pe, pe->at, 4) != 0x4550 ||
	    field(pe, pe->at + PE_MACHINE, 2) != MACHINE_AMD64)
		return false;
	opt = pe->at + PE_OPT;
	pe->nsections = (uint32_t)field(pe, pe->at + PE_NSECTIONS, 2);
	pe->sections = opt + (uint32_t)field(pe, pe->at + PE_OPT_LEN, 2);
	pe->base = field(pe, opt + OPT_BASE, 8);
	pe->image_len = (uint32_t)field(pe, opt + OPT_IMAGE, 4);
	pe->headers = (uint32_t)field(pe, opt + OPT_HEADERS, 4);
	pe->is_kernel = field(pe, opt + OPT_SYSTEM, 2) == SYSTEM_NATIVE;
	if (field(pe, opt + OPT_NDIRS, 4) > 5) {
		pe->relocs = (uint32_t)field(pe, opt + OPT_RELOCS, 4);
		pe->relocs_len = (uint32_t)field(pe, opt + OPT_RELOCS + 4, 4);
	}
	return field(pe, opt + OPT_MAGIC, 2) == MAGIC_64 &&
	       pe->sections >= opt + OPT_MIN && pe->nsections > 0 &&
	       pe->nsections <= SECTIONS_MAX &&
	       pe->sections + pe->nsections * SECTION_BYTES <= PAGE_BYTES &&
	       pe->image_len > 0 && pe->image_len <= PE_BYTES_MAX;
}

/* A section: where in memory, where in the file, and how many bytes are in
 * both.
 */
struct section {
	uint32_t to, from, len;
};

static struct section
pe_section(const struct pe *pe, uint32_t i)
{
	uint64_t at = pe->sections + (uint64_t)i * SECTION_BYTES;
	uint32_t bytes = (uint32_t)field(pe, at + 8, 4);
	struct section s = { .to = (uint32_t)field(pe, at + 12, 4),
			     .from = (uint32_t)field(pe, at + 20, 4),
			     .len = (uint32_t)field(pe, at + 16, 4) };

	/* In memory whole pages of it are read from the file. */
	if (bytes > 0)
		s.len = (uint32_t)MIN((uint64_t)s.len,
				      ((uint64_t)bytes + PAGE_BYTES - 1) &
					      ~(uint64_t)(PAGE_BYTES - 1));
	return s;
}

uint32_t
pe_file_bytes(const uint8_t head[4096])
{
	uint64_t end = 0;
	struct pe pe;

	if (!pe_parse(&pe, head, PAGE_BYTES))
		return 0;
	for (uint32_t i = 0; i < pe.nsections; i++) {
		uint64_t at = pe.sections + (uint64_t)i * SECTION_BYTES;

		end = MAX(end, field(&pe, at + 20, 4) + field(&pe, at + 16, 4));
	}
	return end <= PE_BYTES_MAX ? (uint32_t)end : 0;
}

/* The image in memory, and of each page, how it differs from the file. */
struct image {
	uint8_t *bytes;
	uint32_t npages;
	uint8_t *is_block; /* it is a block of the file as it is */
};

static void
place(const struct pe *pe, struct image *m, const struct section *s)
{
	uint32_t len = s->len;

	if (s->from > pe->len || s->to % PAGE_BYTES != 0 ||
	    s->to >= m->npages * PAGE_BYTES)
		return;
	len = (uint32_t)MIN((size_t)len, pe->len - s->from);
	len = MIN(len, m->npages * PAGE_BYTES - s->to);
	memcpy(m->bytes + s->to, pe->file + s->from, len);
	for (uint32_t i = 0; i + PAGE_BYTES <= len; i += PAGE_BYTES)
		m->is_block[(s->to + i) / PAGE_BYTES] =
			s->from % PAGE_BYTES == 0;
}

/* Adds 'by' to the word at an RVA, which may stand in two pages. */
static void
move_word(struct image *m, uint64_t rva, uint64_t by)
{
	uint64_t word;

	if (rva + 8 > (uint64_t)m->npages * PAGE_BYTES)
		return;
	word = htole64(load_le64(m->bytes + rva) + by);
	memcpy(m->bytes + rva, &word, 8);
	m->is_block[rva / PAGE_BYTES] = 0;
	m->is_block[(rva + 7) / PAGE_BYTES] = 0;
}

/* The table stands in the image itself, in blocks: a page's RVA, the length of
 * the block, then a type and an offset for each word.
 */
static int
relocate(const struct pe *pe, struct image *m, uint64_t by, struct err *e)
{
	uint64_t all = (uint64_t)m->npages * PAGE_BYTES;
	auto_free uint8_t *table = NULL;
	struct span s, block;
	struct err end;

	if (pe->relocs > all || pe->relocs_len > all - pe->relocs ||
	    pe->relocs_len == 0)
		return 0;
	/* What is moved may be the table. */
	table = malloc(pe->relocs_len);
	if (!table)
		return err_sys(e, "a table of %u bytes", pe->relocs_len);
	memcpy(table, m->bytes + pe->relocs, pe->relocs_len);
	s = span_of(table, pe->relocs_len);
	for (;;) {
		uint32_t page, len;
		uint16_t entry;

		if (span_get_u32(&s, &page, &end) < 0 ||
		    span_get_u32(&s, &len, &end) < 0 || len < 8 ||
		    span_take(&s, len - 8, &block.at, &end) < 0)
			return 0;
		block.left = len - 8;
		while (span_get_u16(&block, &entry, &end) == 0)
			if (entry >> 12 == RELOC_DIR64)
				move_word(m, (uint64_t)page + (entry & 0xfff),
					  by);
	}
}

static int
lay_out(const struct pe *pe, struct image *m, struct err *e)
{
	uint64_t base = pe->is_kernel ? BASE_KERNEL : BASE_USER;
	struct section headers = { .len = pe->headers };

	m->npages = (pe->image_len + PAGE_BYTES - 1) / PAGE_BYTES;
	m->bytes = calloc(m->npages, PAGE_BYTES);
	m->is_block = calloc(m->npages, 1);
	if (!m->bytes || !m->is_block)
		return err_sys(e, "an image of %u pages", m->npages);
	place(pe, m, &headers);
	for (uint32_t i = 0; i < pe->nsections; i++) {
		struct section s = pe_section(pe, i);

		place(pe, m, &s);
	}
	if (relocate(pe, m, base - pe->base, e) < 0)
		return -1;
	/* The header in memory says where it was loaded. */
	move_word(m, pe->at + PE_OPT + OPT_BASE, base - pe->base);
	return 0;
}

static bool
is_zero(const uint8_t *page)
{
	return page_word(page, 0) == 0 &&
	       memcmp(page, page + 8, PAGE_BYTES - 8) == 0;
}

int
pe_pages(const uint8_t *file, size_t len, pe_page_fn f, void *arg,
	 struct err *e)
{
	struct image m = { .npages = 0 };
	struct pe pe;
	int ret = 0;

	if (!pe_parse(&pe, file, len))
		return 0;
	ret = lay_out(&pe, &m, e);
	for (uint32_t i = 0; ret == 0 && i < m.npages; i++) {
		const uint8_t *page = m.bytes + (size_t)i * PAGE_BYTES;

		if (!m.is_block[i] && !is_zero(page))
			ret = f(arg, page, e);
	}
	free(m.bytes);
	free(m.is_block);
	return ret;
}
