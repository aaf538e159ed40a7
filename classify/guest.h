/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_GUEST_H
#define MIG_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classify/class.h"
#include "common/err.h"
#include "memory/physical.h"

/* What a guest's own tables say of its memory: no agent, no symbols, nothing
 * but the memory itself.  All of it is the guest's word.  What is said is
 * good for choosing how to send a page; a page may be dropped as free only
 * where guest_drops() says so.  One thread at a time.
 */
enum guest_os {
	GUEST_NONE, /* no tables that are understood */
	GUEST_LINUX,
	GUEST_WINDOWS,
};

/* Something that must hold of tables that are read rightly. */
struct guest_check {
	char what[120];
	bool passed;
};

#define GUEST_CHECKS_MAX 24

/* A file that pages are cached from.  Names are the guest's bytes. */
struct guest_file {
	uint64_t id; /* Linux: its inode's number */
	uint64_t size;
	uint64_t base;   /* Windows: where an image is mapped, else 0 */
	uint32_t volume; /* a place in guest.volumes, 0: not known */
	char *name;      /* Windows: its path; NULL: not known */
};

struct guest_volume {
	char fs[16];      /* "ext4"; "bdev": a block device itself */
	char device[32];  /* "vda1"; NULs behind it, in both */
	uint8_t uuid[16]; /* zeros: none */
	uint32_t number;  /* of the device, as Linux counts them */
};

struct guest {
	enum guest_os os;
	char release[64]; /* "6.1.0-42-amd64" */
	struct guest_check checks[GUEST_CHECKS_MAX];
	size_t nchecks;
	/* By page number, .memory->npages of them; NULL: no tables. */
	struct page_info *pages;
	/* [0] of both stands for none. */
	struct guest_file *files;
	size_t nfiles;
	struct guest_volume *volumes;
	size_t nvolumes;
	/* The guest fills what it frees with a value and looks whether that
	 * is still there: nothing may be dropped.
	 */
	bool poisons;
	bool drops;                    /* see guest_drops() */
	const struct physical *memory; /* borrowed */
	const struct guest_kind *kind; /* who reads it */
	void *tables;                  /* his */
};

/* Looks for the tables of Linux, then of Windows, unless the guest runs, and
 * classifies every page.
 * Memory without tables that are understood is no error: .os is GUEST_NONE.
 * p must outlive the guest.
 */
int guest_open(struct guest *g, const struct physical *p, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void guest_close(struct guest *g) __attribute__((nonnull));

/* Classifies every page again, from the memory as it now is. */
int guest_refresh(struct guest *g, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* What page n of the memory is. */
enum page_class guest_class(const struct guest *g, uint64_t n)
	__attribute__((nonnull));
/* Whether page n may arrive as zeros whatever it holds: the guest's allocator
 * has it and every check passed.  A page of one repeated word is sent as it
 * is all the same.
 */
bool guest_drops(const struct guest *g, uint64_t n) __attribute__((nonnull));
/* Every check passed. */
bool guest_is_sound(const struct guest *g) __attribute__((nonnull));

/* "none", "linux", "windows" */
const char *guest_os_name(enum guest_os os);

#endif
