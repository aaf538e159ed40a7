/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VMLINUX_H
#define MIG_VMLINUX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "dedup/image.h"
#include "memory/memory.h"

/* The Linux kernel that a disk image holds, as it stands in memory before it
 * runs: unpacked and laid out by physical address.  A running kernel differs
 * from it in relocated and patched words only, and both ends can make it from
 * the image, so it is a base like a kept memory.
 *
 * x86-64 bzImage, Documentation/arch/x86/boot.rst: magic "HdrS" at 0x202, and
 * the packed ELF file at payload_offset (0x248), payload_length (0x24c); its
 * size unpacked is the last 4 bytes of the payload.
 */
/* Kernels are placed at multiples of this (CONFIG_PHYSICAL_ALIGN is one). */
#define VMLINUX_ALIGN (2u << 20)

/* Whether a bzImage begins in this block. */
bool vmlinux_starts(const uint8_t block[4096]) __attribute__((nonnull));

/* The bytes of the bzImage whose file begins at that block, from free() memory,
 * wherever its pieces are if the image was told (image_set_extents()).
 */
int vmlinux_read(struct image *img, uint64_t block, uint8_t **out, size_t *len,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

/* Unpacks a bzImage, which other bytes may follow.  One whose pieces are
 * not known does not unpack, and is ERR_CORRUPT like any other damage.
 * It becomes a memory of one segment, at the address where the kernel would
 * run without KASLR, for memory_close(); behind the kernel's pages stands how
 * they differ once it runs, if that is known (vmlinux-run.h).
 */
int vmlinux_make(struct memory *m, const uint8_t *file, size_t len,
		 struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
