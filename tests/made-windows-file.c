/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/made-windows-impl.h"

#include "common/mem.h"
#include "common/page.h"

/* What stands in memory because it stands in a file: the kernel and its
 * drivers, images, cached files.
 */
#define CONTROL_BYTES 0x80
#define SEGMENT_BYTES 0x80
#define SECTION_BYTES 0x38
#define FILE_BYTES    0xd8
#define LDR_BYTES     0xa0

static void
put_string(struct made_windows *w, uint64_t va, const char *text)
{
	size_t n = strlen(text);
	uint64_t at = made_alloc(w, 2 * n + 2);

	for (size_t i = 0; i < n; i++)
		made_put(w, at + 2 * i, &text[i], 1);
	made_put32(w, va, (uint32_t)(2 * n | (2 * n + 2) << 16));
	made_put64(w, va + 8, at);
}

static unsigned
add_file(struct made_windows *w, const char *folder, const char *name,
	 uint64_t base)
{
	struct made_file *f = &w->files[w->nfiles++];

	assert(w->nfiles < MADE_FILES_MAX);
	snprintf(f->name, sizeof(f->name), "%s%s", folder, name);
	f->base = base;
	return (unsigned)w->nfiles;
}

static void
say_file(struct made_windows *w, uint64_t n, enum page_class class,
	 unsigned file, uint64_t index)
{
	w->truth[n] = (struct made_truth){ .class = (uint8_t) class,
					   .file = (uint16_t)file,
					   .index = (uint32_t)index };
}

/* An image that the kernel runs: private pages, large ones for the kernel of
 * every second guest.
 */
static void
map_module(struct made_windows *w, const struct pe *pe, uint64_t base,
	   unsigned file, bool large)
{
	auto_free uint8_t *image = pe_load(pe, base);
	uint64_t npages = pe->image_len / PAGE_BYTES, va = base & ~0x1fffffull;

	assert(!large ||
	       (base - va) / PAGE_BYTES + npages <= MADE_KERNEL_PAGES);
	for (uint64_t i = 0; large && i < MADE_KERNEL_PAGES; i += 512)
		made_map_large(w, va + i * PAGE_BYTES, MADE_KERNEL_AT + i);
	for (uint64_t i = 0; i < npages; i++) {
		uint64_t at = base + i * PAGE_BYTES, n;

		if (large) {
			n = made_translate(w, at);
		} else {
			n = made_take(w);
			made_map(w, w->root, at, n, PFN_ACTIVE);
		}
		memcpy(made_page(w, n), image + i * PAGE_BYTES, PAGE_BYTES);
		say_file(w, n, CLASS_IMAGE, file, i);
	}
}

/* Links one more entry of PsLoadedModuleList behind the last. */
static void
put_module(struct made_windows *w, uint64_t *last, uint64_t base, uint64_t len,
	   const char *name)
{
	uint64_t entry = made_alloc(w, LDR_BYTES);

	made_put64(w, entry, w->modules);
	made_put64(w, entry + 8, *last);
	made_put64(w, *last, entry);
	made_put64(w, w->modules + 8, entry);
	made_put64(w, entry + 0x30, base);
	made_put32(w, entry + 0x40, (uint32_t)len);
	put_string(w, entry + 0x48, name);
	*last = entry;
}

bool
made_module(const struct made_windows *w, size_t i, struct pe *pe)
{
	unsigned kernel = MIN(300, (unsigned)(w->config.bytes >> 18));

	if (i >= MADE_MODULES)
		return false;
	pe_make(pe, i ? 20 : kernel, i ? 5 : kernel / 5, i == 0, i + 1);
	return true;
}

void
made_put_modules(struct made_windows *w)
{
	static const char *const names[MADE_MODULES] = { "ntoskrnl.exe",
							 "hal.dll",
							 "drivers\\disk.sys",
							 "drivers\\ntfs.sys" };
	uint64_t base = UINT64_C(0xfffff80002a4d000), last;
	bool large = w->config.seed % 2;
	struct pe pe;

	base += (made_random(w) % 0x1000) << 21;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unsigned file =
			add_file(w, "\\SystemRoot\\system32\\", names[i], base);

		made_module(w, i, &pe);
		map_module(w, &pe, base, file, large && i == 0);
		if (i == 0) /* the head of the list is in its data */
			last = w->modules = base + pe.sections[2].rva + 0x340;
		put_module(w, &last, base, pe.image_len,
			   w->files[file - 1].name);
		base += pe.image_len + (large && i == 0 ? 0x800000 : 0x3000);
		pe_free(&pe);
	}
}

/* One part of a file that is mapped. */
struct part {
	uint64_t first, npages; /* of the mapping */
	uint32_t start, full;   /* in sectors of its kind */
};

struct mapped {
	const char *name; /* NULL: paged out */
	unsigned file;
	bool is_image, is_file;
	uint64_t base, npages;
	const uint8_t *bytes; /* npages of them */
	struct part parts[PE_SECTIONS_MAX + 1];
	size_t nparts;
};

static uint64_t
put_file_object(struct made_windows *w, const char *name)
{
	uint64_t file = made_alloc(w, FILE_BYTES);

	made_put32(w, file, 0x00d80005);
	if (name) {
		put_string(w, file + 0x58, name);
	} else { /* in pool that is not in memory now */
		made_put32(w, file + 0x58, 0x00420040);
		made_put64(w, file + 0x60, w->pool + (UINT64_C(1) << 36));
	}
	return file;
}

static uint64_t
put_control(struct made_windows *w, const struct mapped *m, uint64_t ptes)
{
	uint64_t control = made_alloc(w, CONTROL_BYTES);
	uint64_t segment = made_alloc(w, SEGMENT_BYTES);

	made_put64(w, control, segment);
	made_put32(w, control + 0x38,
		   (m->is_image ? 1u << 5 : 0) | (m->is_file ? 1u << 7 : 0));
	if (m->is_file)
		made_put64(w, control + 0x40,
			   put_file_object(w, m->name) | made_random(w) % 16);
	made_put64(w, segment, control);
	made_put32(w, segment + 8, (uint32_t)m->npages);
	made_put64(w, segment + 0x18, m->npages * PAGE_BYTES);
	made_put64(w, segment + 0x20, m->base);
	made_put64(w, segment + 0x40, ptes);
	return control;
}

static uint64_t
put_part(struct made_windows *w, const struct part *p, uint64_t control,
	 uint64_t ptes)
{
	bool old = w->config.build < 10240;
	uint64_t s = made_alloc(w, SECTION_BYTES);

	made_put64(w, s, control);
	made_put64(w, s + 0x08, ptes + 8 * p->first);
	made_put32(w, s + (old ? 0x18 : 0x2c), (uint32_t)p->npages);
	made_put32(w, s + (old ? 0x2c : 0x24), p->start);
	made_put32(w, s + (old ? 0x30 : 0x28), p->full);
	return s;
}

/* How a PTE of that build names a subsection. */
static uint64_t
original_of(struct made_windows *w, uint64_t section)
{
	if (w->config.build >= 22621 && made_random(w) % 2)
		return section;
	return made_invalid(w, section << 16 | 3 << 5 | 0x400);
}

/* Page i of the mapping, of part p: in memory in one way or another, or not.
 */
static void
put_mapped_page(struct made_windows *w, const struct mapped *m, uint64_t i,
		const struct part *p, uint64_t section, uint64_t pte)
{
	uint64_t x = made_random(w) % 10, original = original_of(w, section);
	struct made_entry *e;
	uint64_t n;

	if (x == 0) {
		made_put64(w, pte, original);
		return;
	}
	n = made_take(w);
	e = &w->entries[n];
	memcpy(made_page(w, n), m->bytes + i * PAGE_BYTES, PAGE_BYTES);
	e->pte = pte;
	e->frame = made_translate(w, pte);
	e->original = original;
	e->prototype = true;
	e->location = x < 5                  ? PFN_ACTIVE
		      : x < 9 || m->is_image ? PFN_STANDBY
					     : PFN_MODIFIED;
	e->modified = e->location == PFN_MODIFIED;
	e->priority = (uint8_t)(made_random(w) % 8);
	made_put64(w, pte,
		   e->location == PFN_ACTIVE
			   ? n << PAGE_SHIFT | 0x121
			   : made_invalid(w, n << PAGE_SHIFT | 0x860));
	if (!m->is_file) {
		made_say(w, n, CLASS_SHMEM);
		return;
	}
	say_file(w, n, m->is_image ? CLASS_IMAGE : CLASS_FILE, m->file,
		 m->is_image ? i : p->start + (i - p->first));
	if (e->location == PFN_ACTIVE) {
		w->truth[n].flags = PAGE_MAPPED;
	} else if (e->location == PFN_MODIFIED) {
		w->truth[n].flags = PAGE_DIRTY;
	} else {
		w->truth[n].class = CLASS_STANDBY;
		w->truth[n].priority = e->priority;
	}
}

static void
put_mapped(struct made_windows *w, const struct mapped *m)
{
	uint64_t ptes = made_alloc(w, 8 * m->npages);
	uint64_t control = put_control(w, m, ptes);

	for (size_t k = 0; k < m->nparts; k++) {
		const struct part *p = &m->parts[k];
		uint64_t section = put_part(w, p, control, ptes);

		for (uint64_t i = p->first; i < p->first + p->npages; i++)
			put_mapped_page(w, m, i, p, section, ptes + 8 * i);
	}
}

/* An image has a part for its headers and one for each section. */
static void
put_image(struct made_windows *w, const struct pe *pe, const char *name,
	  bool named)
{
	uint64_t base =
		UINT64_C(0x7ff800000000) + (made_random(w) % 0x80000) * 0x10000;
	auto_free uint8_t *image = pe_load(pe, base);
	struct mapped m = { .is_image = true,
			    .is_file = true,
			    .base = base,
			    .npages = pe->image_len / PAGE_BYTES,
			    .bytes = image };
	uint64_t first = 0;

	m.file = add_file(w, named ? "\\Windows\\System32\\" : "",
			  named ? name : "", base);
	m.name = named ? w->files[m.file - 1].name : NULL;
	for (size_t i = 0; i <= pe->nsections; i++) {
		const struct pe_section *s = &pe->sections[i];
		uint64_t end =
			i < pe->nsections ? s->rva / PAGE_BYTES : m.npages;

		m.parts[m.nparts++] = (struct part){
			.first = first,
			.npages = end - first,
			.start = i ? s[-1].offset / 512 : 0,
			.full = (i ? s[-1].file_bytes : pe->headers) / 512,
		};
		first = end;
	}
	put_mapped(w, &m);
}

/* A file in the cache: its first half, and what follows from page 64 on. */
static void
put_data_file(struct made_windows *w, const struct pe *pe, const char *name)
{
	uint64_t npages = MIN(pe->len / PAGE_BYTES, 400u), half = npages / 2;
	struct mapped m = { .is_file = true,
			    .npages = npages,
			    .bytes = pe->file,
			    .nparts = 2 };

	m.file = add_file(w, "\\Users\\somebody\\", name, 0);
	m.name = w->files[m.file - 1].name;
	m.parts[0] = (struct part){ 0, half, 0, (uint32_t)half };
	m.parts[1] = (struct part){ half, npages - half, (uint32_t)half + 64,
				    (uint32_t)(npages - half) };
	put_mapped(w, &m);
}

/* Memory that processes share without a file, with and without a section that
 * its pages name.
 */
static void
put_shared(struct made_windows *w)
{
	static uint8_t bytes[64 * PAGE_BYTES] = "shared";
	struct mapped m = { .npages = 64, .bytes = bytes, .nparts = 1 };
	uint64_t ptes = made_alloc(w, 64 * 8);

	m.parts[0] = (struct part){ 0, 64, 0, 0 };
	put_mapped(w, &m);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t n = made_take(w), frame;
		struct made_entry *e = &w->entries[n];

		made_fill(w, n, UINT64_C(0x7ff700000000));
		frame = made_translate(w, ptes + 8 * i);
		*e = (struct made_entry){ .pte = ptes + 8 * i,
					  .frame = frame,
					  .original = 0x80,
					  .location = PFN_ACTIVE,
					  .exists = true,
					  .prototype = true };
		made_put64(w, e->pte, n << PAGE_SHIFT | 0x121);
		made_say(w, n, CLASS_SHMEM);
	}
}

/* As many images as take a third of memory. */
void
made_put_sections(struct made_windows *w)
{
	uint64_t budget = w->config.bytes / PAGE_BYTES / 3;
	struct pe made;
	char name[32];

	put_shared(w);
	pe_make(&made, 40, 12, false, w->config.seed);
	put_image(w, &made, "made.dll", true);
	put_image(w, &made, "", false);
	put_data_file(w, &made, "made.dll");
	pe_free(&made);
	for (size_t i = 0; i < w->config.npes; i++) {
		const struct pe *pe = &w->config.pes[i];
		uint64_t need = pe->image_len / PAGE_BYTES + 400;

		if (need > budget)
			continue;
		budget -= need;
		snprintf(name, sizeof(name), "file%zu.dll", i);
		put_image(w, pe, name, true);
		if (i % 4 == 0)
			put_data_file(w, pe, name);
	}
}
