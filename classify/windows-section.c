/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdlib.h>

#include "classify/guest-impl.h"
#include "classify/windows-impl.h"
#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"

/* _MMPFN.OriginalPte names a subsection, that its control area, that the
 * segment and the file.  The segment names the control area again, which
 * proves all of them; the two layouts of a subsection are told apart by that
 * and by the place of the page's PTE in the subsection.
 */
#define PTE_PROTOTYPE UINT64_C(0x400)
/* Since Windows 10 1709 an invalid PTE may have this address bit inverted. */
#define PTE_SWIZZLE (UINT64_C(1) << 45)
/* Since Windows 11 22H2 it may be the bare address. */
#define PTE_BARE      UINT64_C(0xffff800000000000)
#define PTE_BARE_MASK UINT64_C(0xffff80000000000f)

struct section_layout {
	unsigned nptes, start, start_high;
};

static const struct section_layout layouts[] = {
	{ 0x2c, 0x24, 0x20 }, /* since Windows 10 */
	{ 0x18, 0x2c, 0x28 },
};

#define SECTION_BYTES   0x38
#define SECTION_CONTROL 0x00
#define SECTION_BASE    0x08

#define CONTROL_BYTES    0x48
#define CONTROL_SEGMENT  0x00
#define CONTROL_FLAGS    0x38
#define CONTROL_FILE     0x40 /* its low 4 bits count references */
#define CONTROL_IS_IMAGE (1u << 5)
#define CONTROL_IS_FILE  (1u << 7)

#define SEGMENT_BYTES   0x48
#define SEGMENT_CONTROL 0x00
#define SEGMENT_NPTES   0x08
#define SEGMENT_SIZE    0x18
#define SEGMENT_BASED   0x20
#define SEGMENT_PTES    0x40

#define FILE_TYPE_SIZE UINT32_C(0x00d80005) /* Type 5 and Size */
#define FILE_NAME      0x58

#define SECTIONS_FIRST 1024

int
windows_sections_new(struct windows *w, struct err *e)
{
	struct windows_sections *s = calloc(1, sizeof(*s));

	w->sections = s;
	if (s)
		s->slots = calloc(SECTIONS_FIRST, sizeof(*s->slots));
	if (!s || !s->slots)
		return err_sys(e, "the sections of the guest");
	s->room = SECTIONS_FIRST;
	return 0;
}

void
windows_sections_free(struct windows *w)
{
	if (w->sections)
		free(w->sections->slots);
	free(w->sections);
	w->sections = NULL;
}

/* The slot of an address, or the empty one where it belongs. */
static struct section *
slot_of(const struct windows_sections *s, uint64_t address)
{
	size_t i = (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 20);

	while (s->slots[i & (s->room - 1)].address != address &&
	       s->slots[i & (s->room - 1)].address != 0)
		i++;
	return &s->slots[i & (s->room - 1)];
}

static int
make_room(struct windows_sections *s, struct err *e)
{
	struct windows_sections more = { .room = 2 * s->room };

	if (2 * s->n < s->room)
		return 0;
	more.slots = calloc(more.room, sizeof(*more.slots));
	if (!more.slots)
		return err_sys(e, "%zu sections of the guest", more.room);
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i].address != 0)
			*slot_of(&more, s->slots[i].address) = s->slots[i];
	free(s->slots);
	s->slots = more.slots;
	s->room = more.room;
	return 0;
}

/* What a section needs from the objects above it. */
struct control {
	uint64_t address, ptes, nptes, size, based, file;
	uint32_t flags;
};

static bool
read_control(const struct windows *w, uint64_t address, struct control *c)
{
	uint8_t area[CONTROL_BYTES], segment[SEGMENT_BYTES];

	if (!mmu_read(&w->mmu, address, area, sizeof(area)) ||
	    !mmu_read(&w->mmu, load_le64(area + CONTROL_SEGMENT), segment,
		      sizeof(segment)) ||
	    load_le64(segment + SEGMENT_CONTROL) != address)
		return false;
	*c = (struct control){ .address = address,
			       .ptes = load_le64(segment + SEGMENT_PTES),
			       .nptes = load_le32(segment + SEGMENT_NPTES),
			       .size = load_le64(segment + SEGMENT_SIZE),
			       .based = load_le64(segment + SEGMENT_BASED),
			       .file = load_le64(area + CONTROL_FILE) &
				       ~UINT64_C(15),
			       .flags = load_le32(area + CONTROL_FLAGS) };
	return true;
}

/* The name that the file object has; NULL: not known. */
static char *
read_name(const struct windows *w, uint64_t file)
{
	uint32_t type_size;

	if (!mmu_read(&w->mmu, file, &type_size, sizeof(type_size)) ||
	    le32toh(type_size) != FILE_TYPE_SIZE)
		return NULL;
	return windows_string(w, file + FILE_NAME);
}

/* The file of this control area, which other subsections may have added; its
 * id is the address of the control area.
 */
static int
find_file(struct windows *w, struct guest *g, const struct control *c,
	  uint32_t *file, struct err *e)
{
	struct section *known = slot_of(w->sections, c->address);
	struct guest_file f = { .id = c->address, .size = c->size };

	if (known->address != 0) {
		*file = known->file;
		return 0;
	}
	f.name = read_name(w, c->file);
	if (c->flags & CONTROL_IS_IMAGE)
		f.base = c->based;
	*file = guest_add_file(g, &f, e);
	if (*file == 0) {
		free(f.name);
		return -1;
	}
	*known = (struct section){ .address = c->address, .file = *file };
	w->sections->n++;
	return make_room(w->sections, e);
}

/* Reads the subsection at an address in one of the layouts; the page's PTE is
 * inside of it.
 */
static bool
read_section(const struct windows *w, uint64_t address, uint64_t pte,
	     struct section *s, struct control *c)
{
	uint8_t bytes[SECTION_BYTES];
	uint64_t base;

	if (address >> 47 != 0x1ffff || address % 8 != 0 ||
	    !mmu_read(&w->mmu, address, bytes, sizeof(bytes)) ||
	    !read_control(w, load_le64(bytes + SECTION_CONTROL), c))
		return false;
	base = load_le64(bytes + SECTION_BASE);
	*s = (struct section){ .address = address, .ptes = base };
	for (size_t i = w->is_old; i < ARRAY_LEN(layouts); i++) {
		const struct section_layout *l = &layouts[i];
		uint64_t start =
			load_le32(bytes + l->start) |
			(uint64_t)(load_le32(bytes + l->start_high) >> 6 &
				   0x3ff)
				<< 32;

		s->nptes = load_le32(bytes + l->nptes);
		if (pte < base || (pte - base) / 8 >= s->nptes)
			continue;
		s->first = start;
		return true;
	}
	return false;
}

/* Pages of an image are numbered as they are mapped: all its prototype PTEs
 * stand in one row.  Those of a file, as they stand in it.
 */
static bool
number_pages(struct section *s, const struct control *c)
{
	if (c->flags & CONTROL_IS_IMAGE) {
		s->class = CLASS_IMAGE;
		if (s->ptes < c->ptes || (s->ptes - c->ptes) / 8 >= c->nptes)
			return false;
		s->first = (s->ptes - c->ptes) / 8;
	} else {
		s->class =
			c->flags & CONTROL_IS_FILE ? CLASS_FILE : CLASS_SHMEM;
	}
	return s->first + s->nptes <= UINT32_MAX;
}

/* The forms in which a PTE names its subsection; 0 ends them. */
static void
section_addresses(uint64_t original, uint64_t out[4])
{
	size_t n = 0;

	memset(out, 0, 4 * sizeof(*out));
	if (original & PTE_PROTOTYPE) {
		out[n++] = (uint64_t)((int64_t)original >> 16);
		out[n++] = (uint64_t)((int64_t)(original ^ PTE_SWIZZLE) >> 16);
	}
	if ((original & PTE_BARE_MASK) == PTE_BARE)
		out[n++] = original;
}

static int
enter_section(struct windows *w, struct guest *g, uint64_t address,
	      const struct pfn *p, struct section *s, struct err *e)
{
	struct control c;

	s->valid =
		read_section(w, address, p->pte, s, &c) && number_pages(s, &c);
	if (!s->valid)
		return 0;
	if (s->class != CLASS_SHMEM && find_file(w, g, &c, &s->file, e) < 0)
		return -1;
	*slot_of(w->sections, address) = *s;
	w->sections->n++;
	return make_room(w->sections, e);
}

static bool
section_has(const struct section *s, const struct pfn *p)
{
	return s->valid && p->pte >= s->ptes &&
	       (p->pte - s->ptes) / 8 < s->nptes;
}

const struct section *
windows_section(struct windows *w, struct guest *g, const struct pfn *p,
		struct err *e)
{
	uint64_t addresses[4];

	section_addresses(p->original, addresses);
	w->sections->asked += addresses[0] != 0;
	e->code = ERR_NONE;
	for (size_t i = 0; addresses[i] != 0; i++) {
		const struct section *known =
			slot_of(w->sections, addresses[i]);
		struct section s = { .address = 0 };

		if (known->address == 0) {
			if (enter_section(w, g, addresses[i], p, &s, e) < 0)
				return NULL;
			known = slot_of(w->sections, addresses[i]);
		}
		if (known->address != 0 && section_has(known, p)) {
			w->sections->valid++;
			return known;
		}
	}
	return NULL;
}
