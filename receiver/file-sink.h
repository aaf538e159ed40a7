/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FILE_SINK_H
#define MIG_FILE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/newfile.h"
#include "receiver/coverage.h"
#include "receiver/rebuild.h"
#include "wire/frame.h"
#include "wire/layout.h"

/* The file that a memory image becomes, rebuilt in place: all of its room is
 * taken on the disk before the first page comes, so that a full disk is one
 * error at the start and never a signal in the middle; it has its name only
 * once it is whole and on disk.
 */
struct file_sink {
	struct newfile file;
	struct layout layout;
	uint8_t *data; /* layout.len bytes, mapped */
	struct coverage pages, bytes;
};

/* A sink that holds nothing: file_sink_close() does nothing. */
void file_sink_init(struct file_sink *s) __attribute__((nonnull));
/* Takes over the layout, even if it fails. */
int file_sink_open(struct file_sink *s, const char *path, struct layout *layout,
		   struct err *e) __attribute__((nonnull, warn_unused_result));
/* Removes what was not committed. */
void file_sink_close(struct file_sink *s) __attribute__((nonnull));

/* Where a decoder puts pages and bytes; on its threads. */
struct rebuild_target file_sink_target(struct file_sink *s)
	__attribute__((nonnull));
/* What the frame holds has arrived and is right. */
int file_sink_add(struct file_sink *s, const struct frame *f, struct err *e)
	__attribute__((nonnull, warn_unused_result));
bool file_sink_is_whole(const struct file_sink *s) __attribute__((nonnull));
/* Syncs it and gives it its name; nobody writes to it any more. */
int file_sink_commit(struct file_sink *s, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
