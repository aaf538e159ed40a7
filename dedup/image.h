/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_IMAGE_H
#define MIG_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "dedup/disk.h"
#include "dedup/partition.h"

/* A disk image as an array of 4 KiB blocks, the way a guest's page cache sees
 * them.  Blocks are numbered part by part (partition.h); parts follow each
 * other in the disk and do not overlap.
 *
 * Raw files and block devices are mapped.  qcow2, vmdk, vhdx and vdi, with
 * their backing chains, are read through a qemu-nbd that image_open() starts
 * read-only and image_close() stops.
 */
struct image;

/* Finds the format by content. */
struct image *image_open(const char *path, struct err *e)
	__attribute__((nonnull, warn_unused_result));
/* Takes the file as "raw", "qcow2", "vmdk", "vhdx" or "vdi"; NULL finds it by
 * content.  Say it for a raw disk that an untrusted guest can write.
 */
struct image *image_open_as(const char *path, const char *format, struct err *e)
	__attribute__((nonnull(1, 3), warn_unused_result));
/* What disk_lend() lent; fd is the image's even on error. */
struct image *image_take(const char *name, const char *format, int fd,
			 struct err *e)
	__attribute__((nonnull, warn_unused_result));
void image_close(struct image *img);

const char *image_path(const struct image *img);
const char *image_format(const struct image *img);
uint64_t image_size(const struct image *img);    /* bytes of the disk */
uint64_t image_nblocks(const struct image *img); /* over all parts */
const struct image_part *image_parts(const struct image *img, size_t *n);
/* The image's own files first, then those of its backing files. */
const struct image_file *image_files(const struct image *img, size_t *n);
/* How many of these are its own. */
size_t image_nown(const struct image *img);
/* The backing file's path, NULL if there is none, and its format. */
const char *image_backing(const struct image *img, const char **format);
/* The byte of the disk where block n begins. */
uint64_t image_offset(const struct image *img, uint64_t n);

/* The 4096 bytes of block n if the image is mapped, else NULL. Any thread. */
const uint8_t *image_block(const struct image *img, uint64_t n);
/* Reads blocks first .. first+n-1 into out; ERR_CORRUPT if there are not that
 * many.  Any thread.
 */
int image_read(struct image *img, uint64_t first, uint64_t n, uint8_t *out,
	       struct err *e) __attribute__((nonnull, warn_unused_result));

/* A piece of a file of the guest's: its blocks from 'at' on are the image's from
 * 'block' on.  The file is known by the block of the image where it begins.
 */
struct extent {
	uint32_t file, at, block, n;
};

/* Of files in more than one piece, all the pieces, in order; they must make
 * sense (extents.h) and stay longer than the image.
 */
void image_set_extents(struct image *img, const struct extent *x, size_t n)
	__attribute__((nonnull(1)));
/* Reads blocks from .. from+n-1 of the file that begins at a block; if none is
 * known to, as if its blocks followed each other.  What is not there is zeros.
 * Any thread.
 */
int image_read_file(struct image *img, uint64_t file, uint64_t from, uint64_t n,
		    uint8_t *out, struct err *e)
	__attribute__((nonnull, warn_unused_result));

/* Blocks that hold data: are allocated and not known to be zero. */
struct image_run {
	uint64_t first, n; /* within one part */
	bool is_backing;   /* all of it comes from backing files */
};

/* The next run at or after block 'from': 1, else 0 if there is none. */
int image_next_data(struct image *img, uint64_t from, struct image_run *run,
		    struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
