/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/guest-impl.h"
#include "classify/guest.h"
#include "classify/linux-impl.h"
#include "common/mem.h"

#define FILES_SLOTS_FIRST 4096
#define FILES_SLOTS_MAX   (1u << 25)

/* What a file system is, by super_block.s_magic. */
#define MAGIC_TMPFS     0x01021994
#define MAGIC_RAMFS     0x858458f6
#define MAGIC_HUGETLBFS 0x958458f6
#define MAGIC_BDEV      0x62646576

int
linux_files_init(struct linux_files *f, struct guest *g,
		 const struct linux_tables *t, struct err *e)
{
	*f = (struct linux_files){ .guest = g,
				   .tables = t,
				   .nslots = FILES_SLOTS_FIRST };
	f->slots = calloc(f->nslots, sizeof(*f->slots));
	return f->slots ? 0 : err_sys(e, "a list of the guest's files");
}

void
linux_files_fini(struct linux_files *f)
{
	free(f->slots);
}

/* Where a mapping is, or would be. */
static struct linux_file *
files_slot(const struct linux_files *f, uint64_t mapping)
{
	uint64_t hash = mapping * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 32) & (f->nslots - 1);

	while (f->slots[i].mapping != 0 && f->slots[i].mapping != mapping)
		i = (i + 1) & (f->nslots - 1);
	return &f->slots[i];
}

static int
files_grow(struct linux_files *f, struct err *e)
{
	struct linux_files more = *f;

	if (f->used < f->nslots / 2)
		return 0;
	if (f->nslots == FILES_SLOTS_MAX)
		return err_set(e, ERR_LIMIT, "too many files in the guest");
	more.nslots = 2 * f->nslots;
	more.slots = calloc(more.nslots, sizeof(*more.slots));
	if (!more.slots)
		return err_sys(e, "a list of the guest's files");
	for (size_t i = 0; i < f->nslots; i++)
		if (f->slots[i].mapping != 0)
			*files_slot(&more, f->slots[i].mapping) = f->slots[i];
	free(f->slots);
	*f = more;
	return 0;
}

/* Printable, or nothing. */
static void
files_name(const struct mmu *m, uint64_t va, char *out, size_t cap)
{
	if (!mmu_read(m, va, out, cap - 1))
		*out = 0;
	out[cap - 1] = 0;
	for (char *at = out; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = 0;
	memset(out + strlen(out), 0, cap - strlen(out));
}

/* The file system that an inode is in: block devices are one each. */
static int
files_volume(struct linux_files *f, uint64_t super, uint64_t magic,
	     uint32_t device, uint32_t *volume, struct err *e)
{
	const struct linux_types *t = &f->tables->types;
	const struct mmu *m = &f->tables->mmu;
	struct guest *g = f->guest;
	struct guest_volume v = { .number = device };
	uint64_t type, name;

	if (magic == MAGIC_BDEV)
		snprintf(v.fs, sizeof(v.fs), "bdev");
	else if (mmu_read_u64(m, super + t->super_type, &type) &&
		 mmu_read_u64(m, type + t->type_name, &name))
		files_name(m, name, v.fs, sizeof(v.fs));
	if (magic != MAGIC_BDEV)
		files_name(m, super + t->super_name, v.device,
			   sizeof(v.device));
	if (magic == MAGIC_BDEV ||
	    !mmu_read(m, super + t->super_uuid, v.uuid, sizeof(v.uuid)))
		memset(v.uuid, 0, sizeof(v.uuid));
	for (size_t i = 1; i < g->nvolumes; i++)
		if (memcmp(&g->volumes[i], &v, sizeof(v)) == 0) {
			*volume = (uint32_t)i;
			return 0;
		}
	*volume = guest_add_volume(g, &v, e);
	return *volume || e->code == ERR_LIMIT ? 0 : -1;
}

/* An address_space stands in its inode, which points back at it: anything
 * else is none.
 */
static int
files_read(struct linux_files *f, struct linux_file *out, struct err *e)
{
	const struct linux_types *t = &f->tables->types;
	const struct mmu *m = &f->tables->mmu;
	struct guest_file file = { .id = 0 };
	uint64_t inode, super, magic;
	uint32_t device;

	if (!mmu_read_u64(m, out->mapping + t->space_host, &inode) ||
	    inode + t->inode_data != out->mapping ||
	    !mmu_read_u64(m, inode + t->inode_super, &super) ||
	    !mmu_read_u64(m, inode + t->inode_number, &file.id) ||
	    !mmu_read_u64(m, inode + t->inode_size, &file.size) ||
	    !mmu_read_u64(m, super + t->super_magic, &magic))
		return 0;
	if (!mmu_read(m,
		      magic == MAGIC_BDEV ? inode + t->inode_rdev
					  : super + t->super_dev,
		      &device, sizeof(device)))
		return 0;
	out->class = magic == MAGIC_TMPFS || magic == MAGIC_RAMFS ||
				     magic == MAGIC_HUGETLBFS
			     ? CLASS_SHMEM
			     : CLASS_FILE;
	if (files_volume(f, super, magic, le32toh(device), &file.volume, e) < 0)
		return -1;
	out->size = file.size;
	out->file = guest_add_file(f->guest, &file, e);
	return out->file || e->code == ERR_LIMIT ? 0 : -1;
}

const struct linux_file *
linux_files_of(struct linux_files *f, uint64_t mapping, struct err *e)
{
	struct linux_file *slot;

	if (f->last && f->last->mapping == mapping)
		return f->last;
	slot = files_slot(f, mapping);
	if (slot->mapping == 0) {
		f->last = NULL;
		if (files_grow(f, e) < 0)
			return NULL;
		slot = files_slot(f, mapping);
		*slot = (struct linux_file){ .mapping = mapping,
					     .class = CLASS_UNKNOWN };
		f->used++;
		if (f->tables->types.known && files_read(f, slot, e) < 0)
			return NULL;
	}
	f->last = slot;
	return slot;
}
