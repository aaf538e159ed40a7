/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/made-windows-impl.h"
#include "tests/make-elf.h"
#include "tests/make-windump.h"

#include "common/mem.h"
#include "common/page.h"

/* The same memory in each kind of file. */
#define NOTE_BYTES 0x1b8 /* QEMU's state of a CPU */

const char *
made_container_name(enum made_container c)
{
	static const char *const names[MADE__MAX] = { "raw", "full", "bitmap",
						      "elf" };

	return names[c];
}

static bool
write_all(int fd, const void *bytes, size_t n, uint64_t at)
{
	const uint8_t *from = bytes;

	for (ssize_t part; n > 0;
	     n -= (size_t)part, at += (size_t)part, from += part) {
		part = pwrite(fd, from, n, (off_t)at);
		if (part <= 0)
			return false;
	}
	return true;
}

/* What the guest says that it has. */
static size_t
runs_of(const struct made_windows *w, struct windump_run r[3])
{
	r[0] = (struct windump_run){ 1, 0x9e };
	r[1] = (struct windump_run){ 0x100, w->low - 0x100 };
	r[2] = (struct windump_run){ 0x100000, w->high - 0x100000 };
	return w->high > w->low ? 3 : 2;
}

static bool
write_dump(const struct made_windows *w, enum windump_type type, int fd)
{
	struct windump_run r[3];
	size_t n = runs_of(w, r), at = windump_head_bytes(type, r, n);
	auto_free uint8_t *head = malloc(at);
	/* right, where to find it, wrong: dumps come with all three */
	const uint64_t bases[] = { w->pfn_base, w->modules, 0x45474150 };

	if (!head)
		return false;
	make_windump(head, type, r, n);
	windump_put32(head, 0x0c, w->config.build);
	windump_put64(head, 0x10, w->root << PAGE_SHIFT);
	windump_put64(head, 0x18, bases[w->config.seed % 3]);
	windump_put64(head, 0x20, w->modules);
	strcpy((char *)head + 0xfb0, "SYNTHETIC");
	if (!write_all(fd, head, at, 0))
		return false;
	for (size_t i = 0; i < n; at += r[i].npages * PAGE_BYTES, i++)
		if (!write_all(fd, made_page(w, r[i].first),
			       r[i].npages * PAGE_BYTES, at))
			return false;
	return true;
}

static bool
write_elf(const struct made_windows *w, int fd)
{
	uint8_t head[2 * PAGE_BYTES] = { 0 }, *note;
	Elf64_Nhdr nh = { .n_namesz = 5, .n_descsz = NOTE_BYTES };
	uint64_t at = sizeof(head), low = w->low * PAGE_BYTES;
	struct memory_region r[2] = {
		{ 0, at, low },
		{ UINT64_C(1) << 32, at + low, w->config.bytes - low },
	};
	size_t end = make_elf(head, r, w->high > w->low ? 2 : 1);
	Elf64_Phdr *p = (Elf64_Phdr *)(void *)(head + sizeof(Elf64_Ehdr));
	uint64_t cr3 = w->root << PAGE_SHIFT;

	p->p_offset = end;
	p->p_filesz = sizeof(nh) + 8 + NOTE_BYTES;
	note = head + end;
	memcpy(note, &nh, sizeof(nh));
	memcpy(note + sizeof(nh), "QEMU", 5);
	note += sizeof(nh) + 8;
	windump_put32(note, 0, 1);
	windump_put32(note, 4, NOTE_BYTES);
	windump_put64(note, 416, cr3);
	strcpy((char *)note + NOTE_BYTES, "SYNTHETIC");
	return write_all(fd, head, sizeof(head), 0) &&
	       write_all(fd, w->ram, w->config.bytes, at);
}

bool
made_windows_write(const struct made_windows *w, enum made_container c, int fd)
{
	switch (c) {
	case MADE_FULL:
		return write_dump(w, WINDUMP_FULL, fd);
	case MADE_BITMAP:
		return write_dump(w, WINDUMP_BITMAP, fd);
	case MADE_ELF:
		return write_elf(w, fd);
	case MADE_RAW:
	case MADE__MAX:
	default:
		return write_all(fd, w->ram, w->config.bytes, 0);
	}
}

/* Writes a file at a multiple of 4 KiB and moves on. */
static bool
write_file(int fd, const struct pe *pe, uint64_t *at)
{
	uint64_t here = *at;

	*at += (pe->len + 3 * PAGE_BYTES) & ~(uint64_t)(PAGE_BYTES - 1);
	return write_all(fd, pe->file, pe->len, here);
}

bool
made_windows_disk(const struct made_windows *w, int fd)
{
	uint64_t at = UINT64_C(1) << 20;
	struct pe made;
	bool good = write_all(fd, "\353R\220NTFS    ", 11, at);

	at += PAGE_BYTES;
	pe_make(&made, 40, 12, false, w->config.seed);
	good = good && write_file(fd, &made, &at);
	pe_free(&made);
	for (size_t i = 0; made_module(w, i, &made); i++) {
		good = good && write_file(fd, &made, &at);
		pe_free(&made);
	}
	for (size_t i = 0; i < w->config.npes; i++)
		good = good && write_file(fd, &w->config.pes[i], &at);
	return good && ftruncate(fd, (off_t)((at | 0xfffff) + 1)) == 0;
}
