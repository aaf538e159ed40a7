/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_QEMU_LIVE_H
#define MIG_QEMU_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "memory/physical.h"

/* The RAM of a guest that runs, read out of its QEMU's address space, or of the
 * file that stands there: nothing is asked of QEMU, and the guest is not
 * stopped.  What is read may change while it is read.  The one invariant: what
 * is given was read after the last physical_forget().  One thread at a time.
 */

/* What may be RAM in an address space: writable memory that is no code.  What
 * is shared is read from its file, if that is memory itself (a memfd, or one in
 * /dev/shm or on hugetlbfs), the largest of them: half the cost, and what
 * nobody has touched takes no memory by that.  It is read, not mapped: nobody
 * can make the file too short for us.
 */
#define QEMU_MAPS_MAX 32

struct qemu_maps {
	int fd;   /* /proc/PID/mem; -1: none */
	int file; /* -1: none */
	size_t n;
	struct qemu_map {
		uint64_t at, len;
		bool in_file;  /* which 'at' is a place in */
	} list[QEMU_MAPS_MAX]; /* the largest first */
};

#define QEMU_MAPS_NONE                                                         \
	{                                                                      \
		.fd = -1, .file = -1                                           \
	}

/* Opens the address space of a process; on error nothing is open. */
int qemu_maps_open(struct qemu_maps *m, pid_t pid, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* All of it, to somebody else. */
struct qemu_maps qemu_maps_take(struct qemu_maps *m) __attribute__((nonnull));
void qemu_maps_close(struct qemu_maps *m) __attribute__((nonnull));

/* Ways in which RAM of that length may be found: places in the process times
 * machines.
 */
#define QEMU_LIVE_WAYS (2 * QEMU_MAPS_MAX * 3)

struct qemu_ram {
	uint64_t len;
	uint64_t first_page; /* its number */
	const char *machine; /* "pc-q35-7.2"; "": any */
};

struct qemu_live {
	int fd; /* borrowed */
	uint64_t at, first_page;
	uint64_t next, ahead; /* goes on there if it is gone through */
	uint64_t round;       /* goes up with each physical_forget() */
	struct memory_run runs[2];
	struct physical memory; /* what to give to others; .arg is this */
	struct live_page *cache;
	uint8_t *bytes; /* of what is in the cache */
};

/* That RAM in that way: 1, or 0 if it is none.  Which one is right shows in what
 * is read.
 */
int qemu_live_open(struct qemu_live *l, const struct qemu_maps *m,
		   const struct qemu_ram *ram, unsigned way, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void qemu_live_close(struct qemu_live *l) __attribute__((nonnull));

/* Reads page n as it is now. */
bool qemu_live_read(const struct qemu_live *l, uint64_t n, uint8_t page[4096])
	__attribute__((nonnull, warn_unused_result));

#endif
