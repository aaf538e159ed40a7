/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_NEWFILE_H
#define MIG_NEWFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A file that appears whole or not at all: written under a temporary name
 * beside its own, which it gets when it is on disk.  It takes the place of a
 * regular file only.  Not opened: fd is -1.
 */
struct newfile {
	int fd; /* read and write */
	char *path, *temp;
};

int newfile_open(struct newfile *f, const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
int newfile_write(struct newfile *f, uint64_t offset, const void *bytes,
		  size_t len, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Syncs the file, gives it its name, syncs the folder.  Then or on error the
 * file is closed.
 */
int newfile_commit(struct newfile *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Removes what was not committed; nothing happens after a commit. */
void newfile_close(struct newfile *f) __attribute__((nonnull));

#endif
