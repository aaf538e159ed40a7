/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/page.h"
#include "memory/memory-impl.h"
#include "memory/memory.h"

/* The formats that say what they are; everything else is raw. */
static const struct memory_format *const formats[] = {
	&memory_elf,          &memory_windump, &memory_qemu_stream,
	&memory_libvirt_save, &memory_kdump,   &memory_lime,
	&memory_vmware,
};

/* Files that hold a guest's memory in a form that is not read here.  Taken
 * as raw they would be nonsense.
 */
static const struct {
	const char *what, *magic;
	size_t len;
} foreign[] = {
	{ "an incomplete libvirt save file", "LibvirtQemudPart", 16 },
	{ "a 32-bit Windows crash dump", "PAGEDUMP", 8 },
	{ "an AVML dump", "AVML", 4 },
	{ "a VirtualBox saved state", "\x7fVirtualBox SavedState", 22 },
	{ "a qcow2 disk image", "QFI\xfb", 4 },
};

static int
check_foreign(const struct map *map, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (map->len >= foreign[i].len &&
		    memcmp(map->data, foreign[i].magic, foreign[i].len) == 0)
			return err_set(e, ERR_USAGE, "%s; not supported",
				       foreign[i].what);
	return 0;
}

static const struct memory_format *
find_format(const struct map *map)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i]->is(map))
			return formats[i];
	return &memory_raw;
}

static int
lay_out(struct memory *m, const char *path, bool as_it_is, struct err *e)
{
	const struct memory_format *format;

	if (check_foreign(&m->map, e) < 0)
		return -1;
	format = find_format(&m->map);
	if (as_it_is && format->decodes)
		format = &memory_raw;
	m->format = format->name;
	return format->lay_out_beside ? format->lay_out_beside(m, path, e)
				      : format->lay_out(m, e);
}

static int
open_as(struct memory *m, const char *path, const struct memory_region *regions,
	size_t nregions, bool as_it_is, struct err *e)
{
	int ret;

	*m = (struct memory){ .nsegments = 0 };
	if (map_open(&m->map, path, e) < 0)
		return -1;
	m->format = memory_raw.name;
	ret = nregions > 0 ? memory_raw_regions(m, regions, nregions, e)
			   : lay_out(m, path, as_it_is, e);
	if (ret < 0) {
		memory_close(m);
		return err_prefix(e, "%s", path);
	}
	return 0;
}

int
memory_open(struct memory *m, const char *path,
	    const struct memory_region *regions, size_t nregions, struct err *e)
{
	return open_as(m, path, regions, nregions, false, e);
}

int
memory_open_file(struct memory *m, const char *path,
		 const struct memory_region *regions, size_t nregions,
		 struct err *e)
{
	return open_as(m, path, regions, nregions, true, e);
}

int
memory_take(struct memory *m, int fd, const char *name, struct err *e)
{
	struct memory_region all = { .gpa = 0 };

	*m = (struct memory){ .nsegments = 0 };
	if (map_take(&m->map, fd, name, e) < 0)
		return -1;
	all.len = m->map.len - m->map.len % PAGE_BYTES;
	m->format = memory_raw.name;
	if (all.len > 0 && memory_raw_regions(m, &all, 1, e) == 0)
		return 0;
	if (all.len == 0)
		(void)err_set(e, ERR_CORRUPT, "nothing in it");
	memory_close(m);
	return err_prefix(e, "%s", name);
}

int
memory_take_core(struct memory *m, int fd, const char *name, struct err *e)
{
	*m = (struct memory){ .format = memory_elf.name };
	if (map_take(&m->map, fd, name, e) < 0)
		return -1;
	if (memory_elf.is(&m->map) && memory_elf.lay_out(m, e) == 0)
		return 0;
	memory_close(m);
	return err_set(e, ERR_CORRUPT, "%s: not an ELF core", name);
}

void
memory_close(struct memory *m)
{
	map_close(&m->map);
	free(m->segments);
	free(m->by_gpa);
	*m = (struct memory){ .map = m->map };
}

/* Opaque bytes carry the number of the page that follows them, so the last
 * segment that begins at or before page n is the one that holds it.
 */
const struct memory_segment *
memory_segment_of(const struct memory *m, uint64_t n)
{
	size_t low = 0, high = m->nsegments;

	assert(n < m->npages);
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (m->segments[mid].first_page <= n)
			low = mid;
		else
			high = mid;
	}
	return &m->segments[low];
}

const uint8_t *
memory_page(const struct memory *m, uint64_t n)
{
	const struct memory_segment *s = memory_segment_of(m, n);

	return m->map.data + s->offset + (n - s->first_page) * PAGE_BYTES;
}

bool
memory_run_at(const struct memory_run *runs, size_t nruns, uint64_t gpa,
	      uint64_t *n)
{
	size_t low = 0, high = nruns;
	uint64_t pages;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (runs[mid].gpa <= gpa)
			low = mid;
		else
			high = mid;
	}
	if (nruns == 0 || runs[low].gpa > gpa)
		return false;
	pages = (gpa - runs[low].gpa) >> PAGE_SHIFT;
	*n = runs[low].first_page + pages;
	return pages < runs[low].npages;
}

bool
memory_page_at(const struct memory *m, uint64_t gpa, uint64_t *n)
{
	return memory_run_at(m->by_gpa, m->nruns, gpa, n);
}
