/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DISK_H
#define MIG_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/child.h"
#include "common/err.h"

/* The bytes of a virtual disk, whatever files they are kept in. */
#define DISK_FILES_MAX 64

/* One file that the disk is made of, and what tells that it changed. */
struct image_file {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	bool silent; /* a block device: never tells that it changed */
};

/* Bytes start .. end-1 may be other than zero; whether they come from a
 * backing file.
 */
struct disk_run {
	uint64_t start, end;
	bool is_backing;
};

struct disk;

struct disk_ops {
	void (*close)(struct disk *d);
	int (*read)(struct disk *d, uint64_t offset, uint8_t *out, size_t len,
		    struct err *e);
	/* 1: *run is the next that holds data, run->start >= from.  0: there
	 * is none.
	 */
	int (*next_data)(struct disk *d, uint64_t from, struct disk_run *run,
			 struct err *e);
};

struct disk {
	const struct disk_ops *ops;
	const char *format;  /* "raw", "qcow2", "vmdk", "vhdx", "vdi" */
	const uint8_t *data; /* all of it, where it is mapped; else NULL */
	uint64_t size;
	/* The image's own files first, then those of its backing files. */
	struct image_file files[DISK_FILES_MAX];
	size_t nfiles, nown;
	char *backing; /* path of the backing file; NULL: none */
	char backing_format[16];
	void *state; /* of the driver */
};

/* Opens the disk at path read-only.  format says what the file is; NULL finds
 * it by content, which is for files that no guest writes: one with a raw disk
 * could make it look like an image that is backed by any file of the host.
 */
int disk_open(struct disk *d, const char *path, const char *format,
	      struct err *e) __attribute__((nonnull(1, 2, 4)))
__attribute__((warn_unused_result));
/* What the file at path looks like: the name of a format, "raw" if none. */
int disk_probe(const char *path, const char **format, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void disk_close(struct disk *d) __attribute__((nonnull));

/* For a process that can open nothing: one that can lends it the image, as an
 * open file or as a connection to the server of server.  *d then says only
 * what the image is made of.
 */
int disk_lend(struct disk *d, const char *path, const char *format, int *fd,
	      struct child *server, struct err *e)
	__attribute__((nonnull(1, 2, 4, 5, 6), warn_unused_result));
/* And it takes it; fd is the disk's even on error.  Which files changed, only
 * the lender knows.
 */
int disk_take(struct disk *d, const char *name, const char *format, int fd,
	      struct err *e) __attribute__((nonnull, warn_unused_result));

/* Reads bytes inside the disk; anything past its end is an error. */
int disk_read(struct disk *d, uint64_t offset, void *out, size_t len,
	      struct err *e) __attribute__((nonnull, warn_unused_result));
/* As disk_ops.next_data; ends are cut at the end of the disk. */
int disk_next_data(struct disk *d, uint64_t from, struct disk_run *run,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

/* Adds the file behind fd to d->files. */
int disk_add_file(struct disk *d, int fd, const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
