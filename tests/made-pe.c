/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/made-pe.h"

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

#define PE_AT      0x80 /* of the header in files made here */
#define PE_DIR64   10
#define PE_HIGHLOW 3

static void
put16(uint8_t *at, unsigned v)
{
	memcpy(at, &(uint16_t){ (uint16_t)v }, 2);
}

static void
put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void
put64(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
}

static uint32_t
pages_of(uint64_t bytes)
{
	return (uint32_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
}

static bool
parse_section(struct pe *pe, const uint8_t *h)
{
	struct pe_section *s = &pe->sections[pe->nsections++];

	*s = (struct pe_section){
		.rva = load_le32(h + 12),
		.pages = pages_of(MAX(load_le32(h + 8), 1u)),
		.offset = load_le32(h + 20),
		.file_bytes = load_le32(h + 16),
		.writable = load_le32(h + 36) >> 31,
		.discardable = load_le32(h + 36) >> 25 & 1,
	};
	s->file_bytes = MIN(s->file_bytes, s->pages * PAGE_BYTES);
	return s->rva % PAGE_BYTES == 0 &&
	       (uint64_t)s->rva + s->pages * PAGE_BYTES <= pe->image_len &&
	       (uint64_t)s->offset + s->file_bytes <= pe->len;
}

static bool
parse(struct pe *pe)
{
	const uint8_t *h = pe->file;
	uint32_t at = pe->len > 0x400 ? load_le32(h + 0x3c) : UINT32_MAX;
	unsigned n;

	if (at > pe->len - 0x200 || memcmp(h, "MZ", 2) != 0 ||
	    memcmp(h + at, "PE\0", 4) != 0 || load_le16(h + at + 24) != 0x20b)
		return false;
	n = load_le16(h + at + 6);
	h += at + 24;
	pe->base = load_le64(h + 24);
	pe->image_len = pages_of(load_le32(h + 56)) * PAGE_BYTES;
	pe->headers = load_le32(h + 60);
	pe->relocs = load_le32(h + 112 + 40);
	pe->relocs_len = load_le32(h + 112 + 44);
	h += load_le16(h - 4);
	pe->nsections = 0;
	if (n > PE_SECTIONS_MAX || pe->headers > pe->len ||
	    (size_t)(h - pe->file) + n * 40 > pe->headers ||
	    (uint64_t)pe->relocs + pe->relocs_len > pe->image_len)
		return false;
	for (unsigned i = 0; i < n; i++, h += 40)
		if (!parse_section(pe, h))
			return false;
	return n > 0;
}

bool
pe_read(struct pe *pe, const char *path)
{
	FILE *f = fopen(path, "rb");
	long len;
	bool good;

	*pe = (struct pe){ .file = NULL };
	if (!f)
		return false;
	good = fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) > 0 &&
	       fseek(f, 0, SEEK_SET) == 0 &&
	       (pe->file = malloc((size_t)len)) != NULL &&
	       (pe->len = fread(pe->file, 1, (size_t)len, f)) == (size_t)len &&
	       parse(pe);
	fclose(f);
	if (!good)
		pe_free(pe);
	return good;
}

size_t
pe_read_installed(struct pe *pes, size_t most)
{
	static const char *const where[] = {
		"/usr/lib/gcc/x86_64-w64-mingw32/*/*.dll",
		"/usr/lib/gcc/x86_64-w64-mingw32/*/*/*.dll",
		"/usr/x86_64-w64-mingw32/lib/*.dll",
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		glob_t g;

		if (glob(where[i], 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc && n < most; k++)
			n += pe_read(&pes[n], g.gl_pathv[k]);
		globfree(&g);
	}
	return n;
}

void
pe_free(struct pe *pe)
{
	free(pe->file);
	*pe = (struct pe){ .file = NULL };
}

static uint8_t *
put_section(uint8_t *h, const char *name, uint32_t rva, uint32_t len,
	    uint32_t offset, uint32_t flags)
{
	memcpy(h, name, strlen(name));
	put32(h + 8, len);
	put32(h + 12, rva);
	put32(h + 16, (len + 511) & ~511u);
	put32(h + 20, offset);
	put32(h + 36, flags);
	return h + 40;
}

/* A quarter of the words of the tables are pointers into the code. */
static uint32_t
make_tables(uint8_t *at, uint8_t *reloc, unsigned pages, uint64_t base,
	    uint32_t rva, uint64_t *x)
{
	uint32_t used = 0;

	for (unsigned p = 0; p < pages; p++) {
		uint8_t *block = reloc + used;
		uint32_t n = 0;

		for (unsigned i = 0; i < PAGE_WORDS; i++) {
			uint8_t *word = at + p * PAGE_BYTES + i * 8;

			*x = *x * 6364136223846793005u + 1442695040888963407u;
			put64(word, *x >> 40);
			if (*x >> 62 != 0)
				continue;
			put64(word, base + 0x1000 + (*x >> 50));
			put16(block + 8 + 2 * n++, PE_DIR64 << 12 | i * 8);
		}
		n += n % 2; /* an entry of zeros fills up */
		put32(block, rva + p * PAGE_BYTES);
		put32(block + 4, 8 + 2 * n);
		used += 8 + 2 * n;
	}
	return used;
}

/* Sections in the file begin at multiples of 512, as linkers have it. */
void
pe_make(struct pe *pe, unsigned code, unsigned tables, bool kernel,
	uint64_t seed)
{
	uint32_t code_len = code * PAGE_BYTES - 0x600, relocs_len;
	uint32_t tables_len = tables * PAGE_BYTES;
	uint32_t tables_rva = (1 + code) * PAGE_BYTES;
	uint32_t relocs_rva = tables_rva + tables_len, at = 0x400;
	uint64_t x = seed, base = 0x180000000;
	auto_free uint8_t *relocs = calloc(tables + 1u, 2 * PAGE_BYTES);
	uint8_t *h;

	*pe = (struct pe){ .len = 0x400 + code_len + tables_len +
				  (tables + 1) * PAGE_BYTES };
	pe->file = calloc(1, pe->len);
	assert(pe->file && relocs);
	for (uint32_t i = 0; i < code_len; i += 4) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		put32(pe->file + at + i, (uint32_t)(x >> 44) * 0x01000193u);
	}
	relocs_len = make_tables(pe->file + at + code_len, relocs, tables, base,
				 tables_rva, &x);
	memcpy(pe->file + at + code_len + tables_len, relocs, relocs_len);
	memcpy(pe->file, "MZ", 2);
	put32(pe->file + 0x3c, PE_AT);
	h = pe->file + PE_AT;
	memcpy(h, "PE\0", 4);
	put16(h + 4, 0x8664);
	put16(h + 6, kernel ? 4 : 3);
	put16(h + 20, 0xf0);
	put16(h + 24, 0x20b);
	put64(h + 24 + 24, base);
	put32(h + 24 + 32, PAGE_BYTES);
	put32(h + 24 + 36, 512);
	put32(h + 24 + 56, relocs_rva + (tables + 1) * PAGE_BYTES);
	put32(h + 24 + 60, 0x400);
	put16(h + 24 + 68, kernel ? 1 : 3);
	put32(h + 24 + 108, 16);
	put32(h + 24 + 112 + 40, relocs_rva);
	put32(h + 24 + 112 + 44, relocs_len);
	h += 24 + 0xf0;
	if (kernel) {
		h = put_section(h, ".text", PAGE_BYTES, PAGE_BYTES, at,
				0x60000020);
		h = put_section(h, "POOLCODE", 2 * PAGE_BYTES,
				code_len - PAGE_BYTES, at + PAGE_BYTES,
				0x60000020);
	} else {
		h = put_section(h, ".text", PAGE_BYTES, code_len, at,
				0x60000020);
	}
	h = put_section(h, ".data", tables_rva, tables_len, at + code_len,
			0xc0000040);
	put_section(h, ".reloc", relocs_rva, relocs_len,
		    at + code_len + tables_len, 0x42000040);
	assert(parse(pe));
}

static void
relocate(const struct pe *pe, uint8_t *image, uint64_t by)
{
	uint32_t at = pe->relocs, end = pe->relocs + pe->relocs_len;

	while (at + 8 <= end) {
		uint32_t page = load_le32(image + at),
			 len = load_le32(image + at + 4);

		if (len < 8 || len > end - at)
			return;
		for (uint32_t i = 8; i + 2 <= len; i += 2) {
			unsigned e = load_le16(image + at + i);
			uint32_t rva = page + (e & 0xfff);

			if (rva + 8ull > pe->image_len)
				continue;
			if (e >> 12 == PE_DIR64)
				put64(image + rva, load_le64(image + rva) + by);
			else if (e >> 12 == PE_HIGHLOW)
				put32(image + rva,
				      load_le32(image + rva) + (uint32_t)by);
		}
		at += len;
	}
}

uint8_t *
pe_load(const struct pe *pe, uint64_t base)
{
	uint8_t *image = calloc(1, pe->image_len);

	assert(image);
	memcpy(image, pe->file, MIN(pe->headers, pe->image_len));
	for (size_t i = 0; i < pe->nsections; i++)
		memcpy(image + pe->sections[i].rva,
		       pe->file + pe->sections[i].offset,
		       pe->sections[i].file_bytes);
	relocate(pe, image, base - pe->base);
	put64(image + load_le32(image + 0x3c) + 24 + 24, base);
	return image;
}
