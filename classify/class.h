/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CLASS_H
#define MIG_CLASS_H

#include <stdint.h>

/* What a page is to the guest that owns it, as its kernel's own tables say.
 * content.h says what a page looks like; this says what it is for.
 */
enum page_class {
	CLASS_UNKNOWN,  /* the tables say nothing of it */
	CLASS_FREE,     /* with the allocator: its content means nothing */
	CLASS_ZEROED,   /* the same, but the guest counts on zeros (Windows) */
	CLASS_FILE,     /* cached content of a file or block device */
	CLASS_IMAGE,    /* a program or library, mapped as such (Windows) */
	CLASS_STANDBY,  /* a file's, in no process any more (Windows) */
	CLASS_ANON,     /* a process's own: heap, stack, private data */
	CLASS_SHMEM,    /* shared memory, tmpfs */
	CLASS_SLAB,     /* the kernel's small objects */
	CLASS_TABLE,    /* page tables */
	CLASS_KERNEL,   /* the kernel's own, other than these */
	CLASS_RESERVED, /* never in the allocator: firmware, the kernel image */
	CLASS_OFFLINE,  /* given back to the host: balloon, hot-unplug */
	CLASS__MAX
};

enum page_flag {
	PAGE_DIRTY = 1,  /* of a file, and may differ from what is on disk */
	PAGE_MAPPED = 2, /* of a file, and a process has it mapped */
	PAGE_PERCPU = 4, /* free, in a list of one CPU */
};

/* One page.  Of a file, .file is a place in guest.files and .index says which
 * 4096 bytes of it these are: of an image, as it is mapped, and not as it
 * stands in the file.  .file is 0 where that is not known.
 */
struct page_info {
	uint32_t file, index;
	uint8_t class;    /* enum page_class */
	uint8_t flags;    /* enum page_flag */
	uint8_t priority; /* Windows: of a page on standby, 0 .. 7 */
};

/* "free", "file", ... */
const char *class_name(enum page_class c);

#endif
