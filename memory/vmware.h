/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VMWARE_H
#define MIG_VMWARE_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "memory/memory.h"

#define VMWARE_REGIONS_MAX 32

/* How a VMware state file (.vmss, .vmsn) says that the .vmem file beside it is
 * laid out.  *n is 0 where it says nothing: all in one piece.
 */
int vmware_regions(struct span file,
		   struct memory_region regions[VMWARE_REGIONS_MAX], size_t *n,
		   struct err *e) __attribute__((nonnull, warn_unused_result));

#endif
