/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PARTITION_H
#define MIG_PARTITION_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "dedup/disk.h"

/* Where the 4 KiB blocks of a disk begin.  A guest caches whole blocks of its
 * file systems, and those count from the start of a partition; old tables
 * start them at sector 63.
 */
struct image_part {
	uint64_t offset;      /* byte of the disk where block first_block is */
	uint64_t first_block; /* its number */
	uint64_t nblocks;
};

#define PARTITION_PARTS_MAX 128

/* Cuts the disk into parts, in order and without overlap: inside a partition
 * of its MBR or GPT, blocks count from the start of the partition; elsewhere
 * from byte 0.  Neighbours that count alike are one part, so most disks have
 * one.  The guest wrote that table, so it may say anything: where partitions
 * overlap, the one that begins later has the bytes; entries that make no
 * sense and all that come after the bound do not count.  Only a failed read
 * is an error.
 */
int partition_parts(struct disk *d,
		    struct image_part parts[PARTITION_PARTS_MAX], size_t *n,
		    struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
